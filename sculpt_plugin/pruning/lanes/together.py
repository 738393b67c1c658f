"""One round: remove, train and score many lanes together."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from sculpt_plugin.pruning.lanes.choosing import drop_edges, drop_units
from sculpt_plugin.pruning.lanes.layout import Layout, cut
from sculpt_plugin.pruning.lanes.narrowing import Narrow, narrowed
from sculpt_plugin.pruning.lanes.program import Program
from sculpt_plugin.pruning.lanes.sensing import unit_scores
from sculpt_plugin.pruning.lanes.state import Lane, State, Tried
from sculpt_plugin.pruning.lanes.training import Trained, train_lanes

_BYTES = 2**30
"""How much memory the lanes that are trained together may need."""

_FREE, _NUMBERS = 64, 2**17
"""A step of so many lanes, of so many numbers in all, costs hardly more than of one."""


def prepare_together(
    program: Program,
    layout: Layout,
    models: Sequence[nn.Module],
    seeds: Sequence[int],
    *,
    most: int,
) -> list[Tried]:
    """Train the dense networks for the first time, all of them together."""
    program = replace(program, recipe=program.recipe.unpenalised())
    rows = torch.stack(
        [torch.cat([p.detach().flatten() for p in m.parameters()]) for m in models]
    )
    keep = torch.ones_like(rows, dtype=torch.bool)
    alive = torch.ones(len(rows), layout.unit_count, dtype=torch.bool)
    tried = []
    for part in _parts(len(rows), most):
        trained = train_lanes(
            program,
            rows[part],
            keep[part],
            seeds[part],
            layout.shapes,
            epochs=program.recipe.first_epochs,
        )
        tried += _tried(layout, trained.values, keep[part], alive[part], trained)
    return tried


def try_together(
    program: Program,
    layout: Layout,
    lanes: Sequence[Lane],
    *,
    narrow: bool,
    most: int,
) -> list[Tried]:
    """Try lanes together: remove what they name, train, and score.

    Args:
        program: The model and the recipe.
        layout: Where everything lies.
        lanes: What to try.
        narrow: Whether the model also runs with narrower layers.
        most: How many lanes fit the memory.

    Returns:
        What became of each lane, in their order.
    """
    tried = []
    for part in _parts(len(lanes), most):
        tried += _try(program, layout, lanes[part], narrow)
    return tried


def runs_narrow(program: Program, layout: Layout, row: Float[Tensor, " entry"]) -> bool:
    """Try whether the model also runs when its parameters are cut to live units.

    Most layers take their sizes from their parameters. One that has written them down,
    such as a norm or a reshape, does not, and then every lane pays for all its units.

    Args:
        program: The model and the recipe.
        layout: Where everything lies.
        row: The parameters of one network, for their kind of number.

    Returns:
        Whether it does.
    """
    alive = torch.ones(1, layout.unit_count, dtype=torch.bool)
    for units in layout.unit_slices:
        alive[:, units.start + 1 : units.stop : 2] = False
    small = narrowed(layout, alive)
    if small is None:
        return False
    # Random numbers, so that hardly any layer is silent.
    source = torch.Generator().manual_seed(0)
    rows = torch.randn(1, layout.size, generator=source, dtype=row.dtype)
    rows = rows.masked_fill(~layout.kept_by_units(alive), 0)
    inputs = program.recipe.inputs
    with torch.no_grad():
        try:
            found = program.outputs(cut(small.take(rows)[0], small.shapes), inputs)
        except Exception:
            return False
        expected = program.outputs(cut(rows[0], layout.shapes), inputs)
    return found.shape == expected.shape and torch.allclose(
        found, expected, rtol=1e-3, atol=1e-5
    )


class Room(NamedTuple):
    """How many lanes there is room for.

    Attributes:
        most: So many may be trained together, for their memory.
        spare: Up to so many a round costs hardly more than with one.
    """

    most: int
    spare: int


def room_for(program: Program, layout: Layout, row: Float[Tensor, " entry"]) -> Room:
    """Say how many lanes there is room for.

    Args:
        program: The model and the recipe.
        layout: Where everything lies.
        row: The parameters of one network.

    Returns:
        The room.
    """
    recipe = program.recipe
    clean, _ = recipe.checked_on
    learned = _saved(program, layout, row, recipe.inputs[: recipe.batch_size])
    looked = _saved(program, layout, row, clean)
    # Forward and backward hold about three times what is saved, a look at clean samples
    # as much; a row has its gradient, moments, masks and best epoch.
    need = (3 * learned + looked + 10 * layout.size) * row.element_size()
    spare = _FREE
    # With whole data turns have few steps, and rounds much beside them.
    if recipe.batch_size is not None:
        spare = min(_FREE, _NUMBERS // (learned + layout.size))
    return Room(max(1, _BYTES // max(1, need)), spare)


def _try(
    program: Program, layout: Layout, lanes: Sequence[Lane], may_narrow: bool
) -> list[Tried]:
    """Try as many lanes as fit the memory."""
    rows = torch.stack([lane.state.values for lane in lanes])
    keep = torch.stack([lane.state.keep for lane in lanes])
    alive = torch.stack([lane.state.alive for lane in lanes])
    units = torch.tensor([lane.stage == "units" for lane in lanes])
    if units.any():
        counts = torch.tensor([lane.gone for lane in lanes])[units]
        scores = _scores(program, layout, [x for x in lanes if x.stage == "units"])
        alive[units] = drop_units(alive[units], scores, layout.unit_slices, counts)
        keep[units] &= layout.kept_by_units(alive[units])
    small = narrowed(layout, alive) if may_narrow else None
    is_edge = layout.is_edge.expand(len(lanes), -1)
    if small is not None:
        rows, keep, is_edge = (small.take(x) for x in (rows, keep, is_edge))
    edges = torch.tensor([lane.stage == "edges" for lane in lanes])
    if edges.any():
        edge_total = int(layout.is_edge.sum())
        counts = torch.tensor(
            [x.gone - (edge_total - x.state.edge_count) for x in lanes]
        )
        spared = torch.tensor([lane.spared for lane in lanes])
        keep[edges] = drop_edges(
            keep[edges], rows[edges].abs(), is_edge[edges], counts[edges], spared[edges]
        )
    shapes = layout.shapes if small is None else small.shapes
    trained = train_lanes(
        program,
        rows,
        keep,
        [lane.seed for lane in lanes],
        shapes,
        epochs=program.recipe.epochs,
        enough=program.recipe.early_accept,
    )
    values = trained.values
    if small is not None:
        values, keep = _full(small, values, layout), _full(small, keep, layout)
    return _tried(layout, values, keep, alive, trained)


def _full(small: Narrow, rows: Tensor, layout: Layout) -> Tensor:
    """Give full rows back, zero where nothing was taken along."""
    return rows.new_zeros(len(rows), layout.size).scatter_(1, small.index, rows)


def _tried(
    layout: Layout, values: Tensor, keep: Tensor, alive: Tensor, trained: Trained
) -> list[Tried]:
    """Take the lanes apart."""
    counts = (keep & layout.is_edge).sum(1).tolist()
    scores = trained.score.tolist()
    states = zip(values.unbind(), keep.unbind(), alive.unbind(), counts, strict=True)
    return [
        Tried(State(*state), score) for state, score in zip(states, scores, strict=True)
    ]


def _scores(program: Program, layout: Layout, lanes: Sequence[Lane]) -> Tensor:
    """Score the units of the lanes; lanes that start from one state share the work."""
    states = {id(lane.state): lane.state for lane in lanes}
    place = {name: number for number, name in enumerate(states)}
    rows = torch.stack([state.values for state in states.values()])
    scores = unit_scores(program, layout, rows)
    return scores[[place[id(lane.state)] for lane in lanes]]


def _parts(count: int, most: int) -> list[slice]:
    """Cut lanes into parts that fit the memory."""
    return [slice(start, start + most) for start in range(0, count, most)]


def _saved(program: Program, layout: Layout, row: Tensor, inputs: Tensor) -> int:
    """Count the numbers that one lane saves for the backward pass."""
    saved = 0

    def pack(x: Tensor) -> Tensor:
        nonlocal saved
        saved += x.numel()
        return x

    leaf = row.clone().requires_grad_()
    with torch.enable_grad(), saved_tensors_hooks(pack, lambda x: x):
        program.outputs(cut(leaf, layout.shapes), inputs)
    return saved
