"""What a search asks of the importances, and what stays the same through it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch_pruning as tp
from torch import Tensor, nn

from sculpt_plugin.coupling import Coupling, UnitGroup
from sculpt_plugin.errors import DataError, SculptError, one_line
from sculpt_plugin.inputs import call, evaluating
from sculpt_plugin.pruning.checkpoint import Snapshot
from sculpt_plugin.pruning.excerpt import Excerpt
from sculpt_plugin.pruning.importance import EdgeImportance, Measured
from sculpt_plugin.pruning.masks import Masks
from sculpt_plugin.pruning.record import StageName
from sculpt_plugin.pruning.samples import Batches, Loss, checked_pair, loss_of, read
from sculpt_plugin.randomness import seeded

SCORING, TRAINING, EVALUATING = 0, 1, 2
"""Streams of random numbers, so that none disturbs another."""


@dataclass(frozen=True, eq=False)
class Search:
    """What stays the same through a search."""

    model: nn.Module
    coupling: Coupling
    train: Callable[[nn.Module], Any]
    evaluate: Callable[[nn.Module], float]
    batches: Batches
    loss: Loss
    unit_importance: tp.importance.Importance
    edge_importance: EdgeImportance
    seed: int


class Ranking(NamedTuple):
    """Importances of what an accepted turn left."""

    turn: int
    scores: dict[str, Tensor]
    stage: StageName


def rank(
    search: Search,
    snapshot: Snapshot,
    stage: StageName,
    live: Callable[[nn.Module, Masks], Excerpt] | None = None,
) -> Ranking:
    """Measure the importances of what a snapshot left, where the stage needs them.

    Args:
        search: The model as the snapshot has it, and how it is looked at.
        snapshot: The accepted turn.
        stage: What is to go next.
        live: Takes the live part out of the model: edges are then measured in it, and
            those outside score nothing.
    """
    scores: dict[str, Tensor] = {}
    with seeded(search.seed, SCORING, snapshot.turn):
        if stage == "units":
            _measure(search, search.unit_importance, search.model)
            for group in search.coupling.prunable:
                found = _scored(search.unit_importance, group)
                if found is not None:
                    scores[group.name] = found
            search.model.zero_grad(set_to_none=True)
        if stage == "edges":
            part = live(search.model, snapshot.masks) if live else None
            at = search.model if part is None else part.model
            _measure(search, search.edge_importance, at)
            scores = search.edge_importance.edge_scores(at)
            scores = part.laid_out(scores, search.model) if part else scores
    return Ranking(snapshot.turn, scores, stage)


def _measure(
    search: Search, importance: tp.importance.Importance, model: nn.Module
) -> None:
    """Let an importance look at data; those of torch-pruning look at gradients."""
    if isinstance(importance, Measured):
        coupling = search.coupling if model is search.model else None
        importance.measure(model, search.batches, search.loss, coupling=coupling)
        return
    with evaluating(model), torch.enable_grad():
        for pair in read(search.batches):
            inputs, targets = checked_pair(pair)
            loss_of(search.loss, call(model, inputs), targets).backward()


def _scored(importance: tp.importance.Importance, group: UnitGroup) -> Tensor | None:
    """Ask an importance for a group's scores."""
    try:
        return importance(group.root)  # pyright: ignore[reportCallIssue, reportReturnType]
    except SculptError:
        raise
    except Exception as error:
        raise DataError(
            f"unit_importance raised {type(error).__name__} on layer {group.name!r}: "
            f"{one_line(error)}. Take one that scores from weights and gradients."
        ) from error
