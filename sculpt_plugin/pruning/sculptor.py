"""The search: remove, retrain, keep or roll back, until the score no longer holds."""

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch_pruning as tp
from torch import nn

from sculpt_plugin.coupling import couple
from sculpt_plugin.errors import (
    CheckpointError,
    ModelError,
    SculptError,
    TrainError,
    one_line,
)
from sculpt_plugin.inputs import Inputs
from sculpt_plugin.pruning import checkpoint as disk
from sculpt_plugin.pruning import refusals
from sculpt_plugin.pruning.attempts import Attempt, Plan, next_attempt
from sculpt_plugin.pruning.compaction import Compacted, compact
from sculpt_plugin.pruning.excerpt import Excerpt, excerpt
from sculpt_plugin.pruning.importance import (
    EdgeImportance,
    EdgeMagnitude,
    UnitSensitivity,
)
from sculpt_plugin.pruning.masks import Masks, apply, attach, named_tensors
from sculpt_plugin.pruning.ranking import EVALUATING, TRAINING, Ranking, Search, rank
from sculpt_plugin.pruning.record import Step
from sculpt_plugin.pruning.run_settings import settings_of
from sculpt_plugin.pruning.samples import Batches, Loss
from sculpt_plugin.pruning.schedule import Schedule, plain
from sculpt_plugin.pruning.selection import drop_edges, drop_units
from sculpt_plugin.randomness import seeded


@dataclass(frozen=True, eq=False)
class Sculpture:
    """A network pruned as far as its score holds, and how it came about.

    Attributes:
        model: The model that was given, now with exact zeros where it was pruned.
        masks: What is kept of it.
        record: Every turn of the search, the unpruned model first.
        min_score: The score that every accepted turn holds.
        left_alone: Why the units of a layer were not pruned, by the layer's name. Of
            layers that are added together the first is named.
    """

    model: nn.Module = field(repr=False)
    masks: Masks
    record: tuple[Step, ...] = field(repr=False)
    min_score: float
    left_alone: Mapping[str, str] = field(repr=False)
    _example_inputs: Inputs = field(repr=False)
    _ignore: tuple[str, ...] = field(repr=False)

    def __repr__(self) -> str:
        """Say what is kept and how good it is."""
        return (
            f"Sculpture({self.masks.edge_count} of {self.masks.edge_total} edges kept, "
            f"score={self.score:.4g}, min_score={self.min_score:.4g})"
        )

    @property
    def score(self) -> float:
        """The score of the last accepted turn."""
        return [step for step in self.record if step.accepted][-1].score

    @property
    def density(self) -> float:
        """The kept share of all weights of Linear and convolution layers."""
        return self.masks.density

    def compact(self) -> Compacted:
        """Cut out what is pruned; see `compact`."""
        return compact(
            self.model, self._example_inputs, masks=self.masks, ignore=self._ignore
        )


def sculpt(
    model: nn.Module,
    example_inputs: Inputs,
    *,
    train: Callable[[nn.Module], Any],
    evaluate: Callable[[nn.Module], float],
    batches: Batches,
    loss: Loss,
    min_score: float | None = None,
    max_drop: float | None = None,
    units: Schedule | None = 0.05,
    edges: Schedule | None = 0.02,
    unit_importance: tp.importance.Importance | None = None,
    edge_importance: EdgeImportance | None = None,
    finest: float = 0.0,
    one_by_one: bool = False,
    compacting: bool = False,
    ignore: Sequence[str] = (),
    seed: int = 0,
    checkpoint: str | Path | None = None,
    on_step: Callable[[Step], Any] | None = None,
) -> Sculpture:
    """Prune a trained model in place, as far as its score holds.

    Units go first, then edges: remove the least important, train, and keep the result
    if the score holds. If it does not, the last accepted state comes back exactly and
    the step is halved, down to a single unit or edge. What is left is what the task
    needs, and `analyze` can read its modules.

    Edges are the weights of Linear and convolution layers, and no others are counted.
    Embeddings, LSTM and GRU, and what attention projects its inputs with, are left as
    they are. Frozen layers (`requires_grad=False`) are pruned as any other.

    Args:
        model: A trained model that torch-pruning can group. It is changed: in the end
            it holds the last accepted weights, with exact zeros where it was pruned.
        example_inputs: A tensor, tuple or dict that the model can be called with.
        train: Trains the model it is given for one turn, with a fresh optimizer. It
            must call `model(...)` itself, which keeps what is pruned at zero.
        evaluate: Gives the score of the model it is given; higher is better.
        batches: Yields `(inputs, targets)` to measure importances on, afresh each time:
            a DataLoader, or a list such as `[(inputs, targets)]`.
        loss: `loss(outputs, targets)`, the mean or the sum over a batch.
        min_score: The score to hold. Give this or `max_drop`.
        max_drop: How much of the unpruned model's score may be lost.
        units: The share of all units to remove per turn, or shares as torch-pruning's
            schedulers give them. None leaves the units alone.
        edges: The same for edges, counted from what is gone with the units.
        unit_importance: Ranks units: an importance of torch-pruning that reads weights
            or gradients. Default: `UnitSensitivity()`.
        edge_importance: Ranks edges. Default: `EdgeMagnitude()`, as in the paper.
        finest: The smallest step worth a turn, as a share of what is left: a stage
            ends when removing that share fails. 0 goes on to single units and edges,
            as the paper does, which takes many turns on a large network.
        one_by_one: Whether to go on where the smallest edge cannot go: each other edge
            is tried by itself, until none is left that can go, and a last turn trains
            what is left. It costs at least one turn for each edge of the final network.
        compacting: Whether `train` and `evaluate` are given a copy cut to the units and
            inputs that are still alive, which costs what is left. They must use the
            model they are given, and nothing of the one that is sculpted. Edges into
            units that nothing reads become zero, and so go first.
        ignore: Names of layers whose units and edges must stay, such as frozen ones.
            Edges from units below them that go are still lost.
        seed: Turn `t` starts from random numbers named by `seed` and `t`. The caller's
            random state is left as it was.
        checkpoint: A folder. A run that was killed and is started again with the same
            arguments goes on from there, with the weights in the folder, and ends with
            the same masks and weights, bit for bit, if `train` and `evaluate` draw on
            nothing but the model and the global random numbers (a DataLoader with a
            generator of its own goes on elsewhere).
        on_step: Called with each `Step` as soon as it is decided.

    Returns:
        The sculpture: model, masks and record.

    Raises:
        ThresholdError: Neither or both of `min_score` and `max_drop` are given, or the
            unpruned model does not reach the score.
        ModelError: The model cannot be called, or has nothing that may be pruned.
        DataError: The batches, the loss or a score cannot be used.
        TrainError: `train` or `evaluate` raised. The model is back in its last accepted
            state, and so is the checkpoint.
        CheckpointError: The folder is another run's (its weights no longer score
            enough), damaged, or cannot be written.

    Warns:
        UserWarning: The weights in the folder score enough, but not what it says.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
        >>> inputs = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
        >>> targets = inputs[:, :1]  # the second input does not matter
        >>> def train(net):
        ...     adam = torch.optim.Adam(net.parameters(), lr=0.02)
        ...     for _ in range(100):
        ...         adam.zero_grad()
        ...         torch.nn.functional.mse_loss(net(inputs), targets).backward()
        ...         adam.step()
        >>> def evaluate(net):
        ...     return ((net(inputs) > 0.5) == (targets > 0.5)).float().mean().item()
        >>> train(net)
        >>> sculpture = sculpt(
        ...     net, inputs, train=train, evaluate=evaluate, min_score=1.0,
        ...     batches=[(inputs, targets)], loss=torch.nn.functional.mse_loss,
        ...     units=0.5, edges=0.25)
        >>> sculpture.score, sculpture.masks.edge_count
        (1.0, 2)

    Reference:
        Patil, Michael and Dovrolis, "Neural Sculpting", NeurIPS 2023,
        https://arxiv.org/abs/2305.18402
    """
    # Plain numbers, whatever library they came from, for the checkpoint's settings.
    units, edges, seed = plain(units), plain(edges), refusals.seed_of(seed)
    one_by_one = refusals.flag(one_by_one, name="one_by_one")
    compacting = refusals.flag(compacting, name="compacting")
    refusals.check_arguments(
        min_score, max_drop, units, edges, edge_importance, finest, one_by_one
    )
    min_score = None if min_score is None else float(min_score)
    max_drop = None if max_drop is None else float(max_drop)
    coupling = couple(model, example_inputs, ignore=ignore)
    refusals.check_weights(model, "before pruning", ModelError)
    refusals.check_model(coupling, units, edges)
    search = Search(
        model, coupling, train, evaluate, batches, loss,
        unit_importance or UnitSensitivity(), edge_importance or EdgeMagnitude(), seed,
    )  # fmt: skip
    flags = disk.flags(model)
    snapshot = disk.capture(model, Masks.dense(model, coupling), 0)
    record: list[Step] = []
    folder, found = refusals.folder_of(checkpoint), None
    ranking = Ranking(-1, {}, "dense")
    plan = Plan(
        units, edges, coupling.unit_count, coupling.unit_count - len(coupling.prunable),
        snapshot.masks.edge_total, float(finest), one_by_one,
    )  # fmt: skip
    live = _Live(example_inputs, tuple(ignore)) if compacting else None
    with ExitStack() as stack:
        if folder is not None:
            settings = settings_of(
                search, min_score, max_drop, plan, ignore, compacting
            )
            found, record = stack.enter_context(disk.opened(folder, settings, snapshot))
        stack.callback(lambda: disk.restore(model, snapshot, flags))
        if folder is not None and found is not None:
            floor = _floor(record, min_score, max_drop)
            _confirm(search, found, flags, record[found.turn], floor, folder, live)
            snapshot = found
        while attempt := next_attempt(
            plan, record, edges_gone=snapshot.masks.gone_count
        ):
            began = time.perf_counter()
            disk.restore(model, snapshot, flags)
            if (ranking.turn, ranking.stage) != (snapshot.turn, attempt.stage):
                part = None if live is None else live.part
                ranking = rank(search, snapshot, attempt.stage, part)
            floor = _floor(record, min_score, max_drop)
            masks = _masked(search, snapshot.masks, ranking, attempt)
            step = _turn(search, masks, attempt, len(record), floor, began, live)
            refusals.check_dense(step, floor, max_drop)
            if step.accepted:
                trial = disk.capture(model, masks, step.turn)
                if folder is not None:
                    disk.note_state(folder, step, trial)
                snapshot = trial
            if folder is not None:
                disk.note(folder, step)
            record.append(step)
            if on_step is not None:
                on_step(step)
    return Sculpture(
        model, snapshot.masks, tuple(record), _floor(record, min_score, max_drop),
        coupling.obstacles, example_inputs, tuple(ignore),
    )  # fmt: skip


def _masked(search: Search, masks: Masks, ranking: Ranking, attempt: Attempt) -> Masks:
    """Give the masks that an attempt tries."""
    if attempt.stage == "units":
        return drop_units(masks, search.coupling, ranking.scores, attempt.gone)
    if attempt.stage == "edges":
        return drop_edges(masks, ranking.scores, attempt.gone, spared=attempt.spared)
    return masks


def _turn(
    search: Search,
    masks: Masks,
    attempt: Attempt,
    turn: int,
    floor: float,
    began: float,
    live: "_Live | None",
) -> Step:
    """Try one attempt on the model as it is: mask, train, evaluate."""
    in_units = attempt.stage == "units"
    total = search.coupling.unit_count if in_units else masks.edge_total
    where = f"turn {turn} ({attempt.stage})"
    whole = Excerpt(search.model, masks, {})
    part = whole if live is None else live.part(search.model, masks)
    with seeded(search.seed, TRAINING, turn):
        handle = attach(part.model, part.masks)
        try:
            if attempt.stage != "dense":
                names = list(named_tensors(part.model))
                _ask(search.train, part.model, "train", where)
                refusals.check_names(part.model, names, where)
                apply(part.model, part.masks)
                refusals.check_weights(
                    part.model, f"after train in {where}", TrainError
                )
            score = _score(search, part.model, turn, where)
        finally:
            handle.remove()
    if part is not whole:
        part.put_back(search.model)
    # Once more, for an evaluate that writes weights.
    apply(search.model, masks)
    return Step(
        stage=attempt.stage,
        turn=turn,
        removed=attempt.gone,
        left=total - attempt.gone,
        total=total,
        score=score,
        accepted=score >= floor,
        density=masks.density,
        seconds=time.perf_counter() - began,
    )


def _score(search: Search, model: nn.Module, turn: int, where: str) -> float:
    """Evaluate, on a turn's own random numbers: a run that goes on draws them again."""
    with seeded(search.seed, EVALUATING, turn):
        return refusals.checked_score(
            _ask(search.evaluate, model, "evaluate", where), where
        )


def _confirm(
    search: Search,
    found: disk.Snapshot,
    flags: Mapping[str, Sequence[bool]],
    step: Step,
    floor: float,
    folder: Path,
    live: "_Live | None",
) -> None:
    """Refuse, or doubt, a checkpoint whose weights do not score what it says."""
    scores = []
    # `train` may have left another mode behind, which `evaluate` then kept.
    for training in (None, False, True):
        disk.restore(search.model, found, flags)
        if training is not None:
            search.model.train(training)
        part = Excerpt(search.model, found.masks, {})
        part = part if live is None else live.part(search.model, found.masks)
        handle = attach(part.model, part.masks)
        try:
            where = f"turn {step.turn} of the checkpoint"
            scores.append(_score(search, part.model, step.turn, where))
        finally:
            handle.remove()
        # What is measured elsewhere, or by other draws, may differ by a sample or so.
        if math.isclose(scores[-1], step.score, rel_tol=0.01):
            return
    said = f"{folder} says that its model scores {step.score:g}, but here it scores "
    said += f"{max(scores):g}"
    doubt = "it may be of another model or of other data. Pass another folder, or "
    if max(scores) < floor:
        raise CheckpointError(f"{said}, below {floor:g}: {doubt}delete it.")
    warnings.warn(f"{said}: {doubt}delete it.", stacklevel=3)


@dataclass(frozen=True, eq=False)
class _Live:
    """What it takes to cut a model to its live part at each turn."""

    example_inputs: Inputs
    ignore: tuple[str, ...]

    def part(self, model: nn.Module, masks: Masks) -> Excerpt:
        """Take the live part out of the model."""
        return excerpt(model, self.example_inputs, masks=masks, ignore=self.ignore)


def _ask(function: Callable, model: nn.Module, name: str, where: str) -> Any:
    """Call the user's function, and say in one line where it failed."""
    try:
        return function(model)
    except SculptError:
        raise
    except Exception as error:
        raise TrainError(
            f"{name} raised {type(error).__name__} in {where}: {one_line(error)}. The "
            "model is back as it was before; mend it and run again."
        ) from error


def _floor(
    record: Sequence[Step], min_score: float | None, max_drop: float | None
) -> float:
    """Give the score to hold; before the unpruned model is scored, any will do."""
    if min_score is not None:
        return min_score
    assert max_drop is not None  # checked at the start
    return record[0].score - max_drop if record else -math.inf
