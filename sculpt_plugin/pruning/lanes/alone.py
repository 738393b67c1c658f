"""One round, one network after the other: for models that have no lanes."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sculpt_plugin.coupling import Coupling
from sculpt_plugin.errors import ModelError, TrainError
from sculpt_plugin.pruning.checkpoint import Snapshot
from sculpt_plugin.pruning.importance import EdgeMagnitude, UnitSensitivity
from sculpt_plugin.pruning.lanes.layout import Layout
from sculpt_plugin.pruning.lanes.state import Lane, State, Tried
from sculpt_plugin.pruning.masks import Masks, apply, attach, named_tensors
from sculpt_plugin.pruning.ranking import TRAINING, Search, rank
from sculpt_plugin.pruning.selection import drop_edges, drop_units
from sculpt_plugin.randomness import seeded
from sculpt_plugin.training.recipe import Recipe


def prepare_alone(
    layout: Layout, recipes: Sequence[Recipe], models: Sequence[nn.Module]
) -> list[Tried]:
    """Train the dense networks for the first time, one after the other."""
    tried = []
    for model, recipe in zip(models, recipes, strict=True):
        try:
            with seeded(recipe.seed, TRAINING):
                recipe.prepare(model)
            score = recipe.evaluate(model)
        except TrainError:
            score = float("nan")
        values = row_of(model)
        keep = torch.ones_like(values, dtype=torch.bool)
        alive = torch.ones(layout.unit_count, dtype=torch.bool)
        tried.append(
            Tried(State(values, keep, alive, int(layout.is_edge.sum())), score)
        )
    return tried


def try_alone(
    model: nn.Module,
    coupling: Coupling,
    layout: Layout,
    recipes: dict[int, Recipe],
    lanes: Sequence[Lane],
) -> list[Tried]:
    """Try lanes one after the other, each as `sculpt` does a turn.

    A model that draws random numbers itself draws those that the lane's seed and count
    name, so that runs can share a trial.
    """
    return [_try(model, coupling, layout, recipes[lane.seed], lane) for lane in lanes]


def row_of(model: nn.Module) -> Tensor:
    """Give a model's parameters and buffers as one row of numbers.

    Raises:
        ModelError: A number would not be the same in the row.
    """
    tensors = named_tensors(model)
    dtypes = {tensor.dtype for tensor in tensors.values()}
    # Counts, and what is kept in another precision, need more digits than weights.
    dtype = dtypes.pop() if len(dtypes) == 1 else torch.float64
    parts = []
    for name, tensor in tensors.items():
        part = tensor.detach().flatten()
        same = not part.is_complex() and part.to(dtype).to(part.dtype).equal(part)
        if not same and not part.isnan().any():
            raise ModelError(
                f"A sweep keeps a model's numbers in {dtype}, and {name!r} of "
                f"{part.dtype} has some that do not fit in: keep it as a plain "
                "attribute, which build makes anew, or sculpt one network at a time."
            )
        parts.append(part.to(dtype))
    return torch.cat(parts)


def put_row(model: nn.Module, row: Tensor) -> None:
    """Set a model's parameters and buffers from a row of numbers."""
    tensors = named_tensors(model).values()
    with torch.no_grad():
        for tensor, part in zip(
            tensors, row.split([tensor.numel() for tensor in tensors]), strict=True
        ):
            tensor.copy_(part.view_as(tensor))


def _try(
    model: nn.Module, coupling: Coupling, layout: Layout, recipe: Recipe, lane: Lane
) -> Tried:
    """Try one lane on the model."""
    put_row(model, lane.state.values)
    pieces = {piece.name: piece for piece in layout.pieces}
    names = Masks.dense(model, coupling).keep
    keep = {
        name: lane.state.keep[pieces[name].start : pieces[name].stop].view(
            pieces[name].shape
        )
        for name in names
    }
    masks = Masks(keep, coupling.weights)
    search = Search(
        model, coupling, recipe.train, recipe.evaluate, recipe.batches, recipe.loss,
        UnitSensitivity(), EdgeMagnitude(), lane.seed,
    )  # fmt: skip
    ranking = rank(search, Snapshot(0, {}, masks), lane.stage)
    if lane.stage == "units":
        masks = drop_units(masks, coupling, ranking.scores, lane.gone)
    elif lane.stage == "edges":
        masks = drop_edges(masks, ranking.scores, lane.gone, spared=lane.spared)
    handle = attach(model, masks)
    try:
        with seeded(lane.seed, TRAINING, lane.gone):
            recipe.train(model)
        apply(model, masks)
        score = recipe.evaluate(model)
    except TrainError:
        score = float("nan")
    finally:
        handle.remove()
    row_keep = lane.state.keep.clone()
    for name, part in masks.keep.items():
        row_keep[pieces[name].start : pieces[name].stop] = part.flatten()
    alive = torch.cat([masks.unit_alive(group) for group in layout.groups])
    return Tried(State(row_of(model), row_keep, alive, masks.edge_count), score)
