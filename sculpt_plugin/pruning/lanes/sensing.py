"""Unit sensitivities of many networks at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import vmap

from sculpt_plugin.coupling import layer_of
from sculpt_plugin.errors import LaneError
from sculpt_plugin.pruning.lanes.layout import Layout, cut
from sculpt_plugin.pruning.lanes.program import Program


def unit_scores(
    program: Program, layout: Layout, rows: Float[Tensor, "lane entry"]
) -> Float[Tensor, "lane unit"]:
    """Score the units of every lane by the first-order change of the loss without them.

    A gate at 1 stands before all that reads a unit, one for each sample; its gradient
    is activation times gradient, summed over readers and positions. See
    `UnitSensitivity`, which gives the same scores for one network.

    Args:
        program: The model and its recipe.
        layout: Where the units lie.
        rows: The parameters of each lane.

    Returns:
        The mean over samples of the absolute effect of each unit.
    """
    recipe = program.recipe
    inputs, targets = recipe.checked_on
    program.shell.eval()

    def loss(gates: Tensor, row: Tensor) -> Tensor:
        with _gated(program.shell, layout, gates):
            return (
                recipe.loss(program.outputs(cut(row, layout.shapes), inputs), targets)
                * program.scale
            )

    # Not torch.func.grad, which imports torch's compiler, and that takes seconds.
    gates = rows.new_ones(len(rows), len(inputs), layout.unit_count)
    with torch.enable_grad():
        losses = vmap(loss)(gates.requires_grad_(), rows.detach())
        (effects,) = torch.autograd.grad(losses.sum(), gates)
    program.shell.train()
    return effects.to(torch.float64).abs().mean(1)


@contextmanager
def _gated(model: nn.Module, layout: Layout, gates: Tensor) -> Iterator[None]:
    """Multiply what the readers of units see by the units' gates."""
    handles = []
    try:
        for name, units in _readers(layout).items():
            layer = model.get_submodule(name)
            axis = -1 if isinstance(layer, nn.Linear) else 1
            enter = partial(_gate, gates, units, axis)
            handles.append(layer.register_forward_pre_hook(enter, with_kwargs=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _readers(layout: Layout) -> dict[str, Tensor]:
    """For each layer that reads units, the unit of each of its columns."""
    axis = {m.parameter: m.axis for group in layout.groups for m in group.reads}
    found = {}
    for piece in layout.pieces:
        units = piece.units[axis[piece.name]] if piece.name in axis else None
        if units is not None:
            found[layer_of(piece.name)] = units
    return found


def _gate(
    gates: Tensor,
    units: Tensor,
    axis: int,
    module: nn.Module,
    arguments: tuple,
    named: dict,
) -> tuple[tuple, dict]:
    """Multiply one layer's input by the gates of its columns."""
    (x,) = (*arguments, *named.values())
    if x.shape[0] != len(gates):
        raise LaneError(
            "A model that is trained in lanes must keep its samples along the first "
            f"axis, but {type(module).__name__} gets shape {list(x.shape)}: pass "
            "lanes=False."
        )
    # One more gate, for the columns that read no unit that may be pruned.
    gates = torch.cat([gates, torch.ones_like(gates[:, :1])], dim=1)[:, units]
    shape = [len(gates), *[1] * (x.ndim - 1)]
    shape[axis] = -1
    return (x * gates.reshape(shape),), {}
