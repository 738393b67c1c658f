"""Try a coupling on the model itself: shift some units and see what changes.

torch-pruning takes every operation it does not know for an elementwise one, so its
groups can be wrong without a word. This is the check that does not depend on it.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from sculpt_plugin.coupling.groups import ACROSS_UNITS, WEIGHTED, UnitGroup, layer_of
from sculpt_plugin.errors import ModelError, one_line
from sculpt_plugin.inputs import Inputs, call, evaluating, flat_tensors, with_fractions

Columns = dict[str, Bool[Tensor, "..."]]


def wrongly_read(
    model: nn.Module, inputs: Inputs, groups: Sequence[UnitGroup]
) -> dict[str, str]:
    """Find the groups whose units feed something else than the groups say.

    The outputs of all layers are held at what they were, and some units of a group are
    shifted. Then only what reads these units directly can change: the columns that the
    group lists, and nothing else.

    Args:
        model: The model, left as it was found.
        inputs: What it is called with.
        groups: The groups to try.

    Returns:
        Name of each wrong group to what is wrong with it.

    Raises:
        ModelError: The model takes another way for other inputs, or refuses them.

    Example:
        >>> from sculpt_plugin.coupling import couple
        >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> groups = couple(net, torch.zeros(1, 4)).prunable
        >>> wrongly_read(net, torch.zeros(1, 4), groups)
        {}
    """
    trial = _Trial(model, inputs)
    found: dict[str, str] = {}
    try:
        from_inputs, _ = trial.changed({}, shift_inputs=True)
    except Exception as error:
        advice = "Take what depends on values out of its forward."
        if isinstance(inputs, Tensor) and inputs.ndim < 2:
            advice = "Is there a batch axis? For one sample, pass example_inputs[None]."
        raise ModelError(
            "The model must run the same way whatever the values of its inputs, and on "
            f"1 - example_inputs fails with {type(error).__name__}: {one_line(error)}. "
            f"{advice}"
        ) from error
    for group in groups:
        reads = _columns(model, group, torch.ones(group.size, dtype=torch.bool))
        for layer, columns in reads.items():
            if (columns & from_inputs[layer]).any():
                found[group.name] = f"layer {layer!r} reads it and the inputs alike"
    # All groups at once first: the layers between them are held, so that what changes
    # is still direct. Only where that shows a fault is each group tried alone.
    for even in (True, False):
        half = {g.name: _half(g, even=even) for g in groups}
        if trial.fault(groups, half):
            for group in groups:
                fault = trial.fault([group], half)
                if fault:
                    found.setdefault(group.name, fault)
    return found


def _half(group: UnitGroup, *, even: bool) -> Bool[Tensor, " unit"]:
    """Choose every other unit, in an order that is no order of the layer's."""
    order = torch.randperm(group.size, generator=torch.Generator().manual_seed(0))
    return order % 2 == (0 if even else 1)


def _columns(
    model: nn.Module, group: UnitGroup, units: Bool[Tensor, " unit"]
) -> Columns:
    """Say which columns of which layers read some units of a group."""
    columns: Columns = {}
    for member in group.reads:
        name = layer_of(member.parameter)
        marks = torch.zeros(_width(model.get_submodule(name)), dtype=torch.bool)
        marks[member.index[units[member.unit]]] = True
        _add(columns, name, marks)
    return columns


def _add(columns: Columns, name: str, marks: Bool[Tensor, " column"]) -> None:
    """Mark more columns of a layer."""
    columns[name] = columns[name] | marks if name in columns else marks


def _passes(layer: Any) -> bool:
    """Tell whether a layer keeps its channels apart, so that its units pass it."""
    groups = getattr(layer, "groups", 1)
    return groups > 1 and groups == layer.in_channels == layer.out_channels


def _width(layer: nn.Module) -> int:
    """Count the units that a layer reads."""
    return getattr(layer, "in_features", 0) or getattr(layer, "in_channels", 0)


class _Trial:
    """A model whose layers' outputs are held at one forward's, but for some shifts."""

    def __init__(self, model: nn.Module, inputs: Inputs) -> None:
        self.model, self.inputs = model, inputs
        parts = dict(model.named_modules())
        self.layers = {n: m for n, m in parts.items() if isinstance(m, WEIGHTED)}
        # These mix units on purpose, and a masked unit is well defined behind them.
        self.norms = [m for m in parts.values() if isinstance(m, ACROSS_UNITS)]
        self.entered: dict[str, list[Tensor]] = {}
        self.left: dict[str, list[Tensor]] = {}
        self.output = self._forward({}, hold=False, shift_inputs=False)
        self.still = dict(self.entered)

    def fault(
        self,
        groups: Iterable[UnitGroup],
        chosen: dict[str, Bool[Tensor, " unit"]],
    ) -> str | None:
        """Shift the chosen units of some groups and say what changes unexpectedly."""
        shifted: Columns = {}
        expected: Columns = {}
        for group in groups:
            units = chosen[group.name]
            for name, marks in self._made(group, units).items():
                _add(shifted, name, marks)
                if _passes(self.layers[name]):
                    _add(expected, name, marks)
            for name, marks in _columns(self.model, group, units).items():
                _add(expected, name, marks)
        changed, output = self.changed(shifted, shift_inputs=False)
        if output:
            return "its units are the model's outputs"
        for layer, columns in changed.items():
            if (columns & ~expected.get(layer, torch.zeros_like(columns))).any():
                return f"layer {layer!r} reads its units in a way torch-pruning misses"
        return None

    def _made(self, group: UnitGroup, units: Bool[Tensor, " unit"]) -> Columns:
        """Say which outputs of which layers are some units of a group."""
        made: Columns = {}
        for member in group.makes:
            name, _, kind = member.parameter.rpartition(".")
            if kind == "weight" and name in self.layers:
                weight = self.layers[name].get_parameter("weight")
                marks = torch.zeros(weight.shape[member.axis], dtype=torch.bool)
                marks[member.index[units[member.unit]]] = True
                _add(made, name, marks)
        return made

    def changed(
        self, shifted: dict[str, Tensor], *, shift_inputs: bool
    ) -> tuple[Columns, bool]:
        """Shift units, and say which columns and whether the output changes."""
        output = self._forward(shifted, hold=True, shift_inputs=shift_inputs)
        columns: Columns = {}
        for name, layer in self.layers.items():
            marks = torch.zeros(_width(layer), dtype=torch.bool)
            calls = zip(
                self.still.get(name, []), self.entered.get(name, []), strict=True
            )
            for before, after in calls:
                axis = -1 if isinstance(layer, nn.Linear) else 1
                alike = (before == after) | (before.isnan() & after.isnan())
                moved = (~alike).movedim(axis, 0).flatten(1).any(1)
                marks |= moved.cpu()
            columns[name] = marks
        pairs = zip(self.output, output, strict=True)
        same = (torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in pairs)
        return columns, not all(same)

    def _forward(
        self, shifted: dict[str, Tensor], *, hold: bool, shift_inputs: bool
    ) -> list[Tensor]:
        """Run the model once, recording what enters and, at first, what leaves."""
        self.entered = {}
        calls: dict[str, int] = {}
        handles = []
        for name, layer in self.layers.items():
            enter = partial(self._enter, name)
            leave = partial(self._leave, name, calls, shifted, hold)
            handles.append(layer.register_forward_pre_hook(enter, with_kwargs=True))
            handles.append(layer.register_forward_hook(leave))
        handles += [
            norm.register_forward_hook(lambda _, args, output: args[0])
            for norm in self.norms
        ]
        try:
            with evaluating(self.model), torch.no_grad():
                inputs = self.inputs
                if shift_inputs:
                    # Other numbers, yet between 0 and 1 where they were.
                    inputs = with_fractions(inputs, lambda x: 1 - x)
                return flat_tensors(call(self.model, inputs))
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, name: str, layer: nn.Module, args: tuple, kwargs: dict) -> None:
        """Remember what enters a layer."""
        x = next(iter([*args, *kwargs.values()]))
        self.entered.setdefault(name, []).append(x.detach().clone())

    def _leave(
        self,
        name: str,
        calls: dict[str, int],
        shifted: dict[str, Tensor],
        hold: bool,
        layer: nn.Module,
        args: tuple,
        output: Tensor,
    ) -> Tensor:
        """Remember what leaves a layer, or put it back with some units shifted."""
        if not hold:
            self.left.setdefault(name, []).append(output.detach().clone())
            return output
        number = calls[name] = calls.get(name, -1) + 1
        held = self.left[name][number].clone()
        if name in shifted:
            axis = -1 if isinstance(layer, nn.Linear) else 1
            units = shifted[name].nonzero().flatten().to(held.device)
            # Upwards and far, so that no activation cuts it off.
            held.index_add_(
                axis, units, 1 + held.index_select(axis, units).abs() + held.abs().max()
            )
        return held
