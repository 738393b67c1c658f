"""Which units every layer of a model reads, found by running it once."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from torch import Tensor, nn

from sculpt_plugin.errors import ModelError, TraceError
from sculpt_plugin.inputs import Inputs, flat_tensors, undisturbed
from sculpt_plugin.tracing.following import Follower, WiredLayer, follow
from sculpt_plugin.tracing.input_units import (
    Axis,
    InputUnits,
    ReadDifferentlyError,
    axes_at_first,
)
from sculpt_plugin.tracing.labels import spread_out
from sculpt_plugin.tracing.naming import check_placed
from sculpt_plugin.tracing.operation import tensors_in
from sculpt_plugin.tracing.sets import EMPTY


@dataclass(frozen=True, eq=False)
class Wiring:
    """All units of a model, and which of them each layer reads.

    Attributes:
        follower: The run: its layers, its sets of units, its notes.
        outputs: The labels of the output units, and which layer they are where they
            are just the units of one layer.
        axes: How each input was read.
    """

    follower: Follower
    outputs: "Outputs"
    axes: tuple[Axis, ...]

    @property
    def inputs(self) -> list[InputUnits]:
        """The units of each input tensor."""
        return self.follower.inputs

    @property
    def layers(self) -> list[WiredLayer]:
        """The layers with weights, in the order in which they ran."""
        return self.follower.layers


@dataclass(frozen=True, eq=False)
class Outputs:
    """What the outputs are made of.

    Attributes:
        columns: The label of each output unit.
        layer: The number of the layer whose units they are; None for a mixture.
        numbers: Which of the output tensors depend on the inputs.
        axes: For each of these the axes that tell units apart.
    """

    columns: Int[np.ndarray, " column"]
    layer: int | None
    numbers: tuple[int, ...]
    axes: tuple[tuple[int, ...], ...]


def wire(model: Any, example_inputs: Inputs) -> Wiring:
    """Find which units every layer of a model reads.

    Args:
        model: The model, left as it was found.
        example_inputs: A batch of inputs, of any values.

    Raises:
        ModelError: The model cannot run on the inputs.
        TraceError: Nothing in the model can be followed.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Conv1d(2, 3, 1), nn.Flatten(), nn.Linear(6, 1))
        >>> wiring = wire(net, torch.zeros(1, 2, 2))
        >>> [layer.name for layer in wiring.layers], wiring.outputs.layer
        (['0', '2'], 1)
    """
    check(model, example_inputs)
    axes = axes_at_first(list(tensors_in(example_inputs)))
    with undisturbed(model):
        while True:
            try:
                follower, output = follow(model, example_inputs, axes)
            except ReadDifferentlyError as found:
                axes[found.number] = found.axis
                continue
            return Wiring(follower, outputs_of(follower, output), tuple(axes))


def check(model: Any, example_inputs: Any) -> None:
    """Refuse what a trace cannot begin with.

    Raises:
        ModelError: The model is no `nn.Module`, or the inputs do not fit it.

    Example:
        >>> import torch
        >>> check(nn.Linear(2, 1), torch.zeros(2))
        Traceback (most recent call last):
            ...
        sculpt_plugin.errors.ModelError: example_inputs must have a batch axis and ...
    """
    if not isinstance(model, nn.Module):
        raise ModelError(
            f"model must be a torch.nn.Module, got {type(model).__name__}: pass the "
            "model itself, not its weights."
        )
    tensors = list(tensors_in(example_inputs))
    if not tensors:
        raise ModelError(
            "example_inputs must be a tensor, or a tuple or dict with tensors, got "
            f"{type(example_inputs).__name__}."
        )
    check_placed(model)
    parameter = next(model.parameters(), None)
    if parameter is None:
        raise TraceError(
            f"model must have weights, and {type(model).__name__} has none: there is "
            "nothing to trace."
        )
    for tensor in tensors:
        shape = list(tensor.shape)
        if 0 in shape:
            raise ModelError(f"example_inputs must not be empty, got shape {shape}.")
        if tensor.device != parameter.device:
            raise ModelError(
                "example_inputs must be on the model's device "
                f"{str(parameter.device)!r}, got {str(tensor.device)!r}: move one of "
                "them with .to(...)."
            )
    if isinstance(example_inputs, Tensor) and example_inputs.ndim < 2:
        raise ModelError(
            "example_inputs must have a batch axis and a unit axis, got shape "
            f"{list(example_inputs.shape)}: for one sample, pass example_inputs[None]."
        )


def outputs_of(follower: Follower, output: Any) -> Outputs:
    """Find the units of the outputs.

    Raises:
        TraceError: Nothing leads from the inputs to the outputs.
    """
    for tensor in flat_tensors(output):
        follower.allow_softmax(tensor)
    found = [follower.labels.of(x) for x in flat_tensors(output)]
    numbers = tuple(i for i, labels in enumerate(found) if labels is not None)
    labelled = [labels for labels in found if labels is not None]
    different = [np.unique(spread_out(labels)) for labels in labelled]
    if not any((labels != EMPTY).any() for labels in different):
        lost = "; ".join(x for found in follower.missed.values() for x in found)
        raise TraceError(
            "The output must depend on example_inputs, and nothing leads from one to "
            f"the other: the model gives {type(output).__name__}"
            f"{f', and {lost}' if lost else ''}."
        )
    every = np.unique(np.concatenate(different))
    members = follower.labels.sets.table(every)
    read = _read_units(follower)
    for number, layer in enumerate(follower.layers):
        own = np.arange(layer.first, layer.first + len(layer.kept))
        alone = np.array_equal(members[:, 0], own) and (members[:, 1:] < 0).all()
        if len(labelled) == 1 and alone and not read[own].any():
            return Outputs(every, number, numbers, ())
    axes = tuple(_unit_axes(labels) for labels in labelled)
    columns = []
    for labels, own in zip(labelled, axes, strict=True):
        others = [axis for axis in range(labels.ndim) if axis not in own]
        columns.append(follower.unite(labels, others).reshape(-1))
    return Outputs(np.concatenate(columns), None, numbers, axes)


def _read_units(follower: Follower) -> Bool[np.ndarray, " unit"]:
    """Tell which units feed others."""
    sets = follower.labels.sets
    read = np.zeros(sets.unit_count + 1, dtype=bool)
    for layer in follower.layers:
        read[sets.table(layer.columns)] = True
    for junction in sets.junctions:
        read[np.concatenate(junction.members)] = True
    return read[:-1]


def _unit_axes(labels: Tensor) -> tuple[int, ...]:
    """Find the axes of an output that tell units apart."""
    found = spread_out(labels)
    differing = [axis for axis in range(found.ndim) if found.shape[axis] > 1]
    if not differing:
        return (1,) if labels.ndim > 1 else ()
    if len(differing) == 1:
        return (differing[0],)
    first = min(differing[0], 1)  # the batch too, where it is none
    if math.prod(labels.shape[first:]) <= _POSITIONS:
        return tuple(range(first, labels.ndim))
    return (min(differing, key=lambda axis: _mixture(found, axis)),)


def _mixture(labels: Int[np.ndarray, "..."], axis: int) -> float:
    """Tell how many different sets of units there are at one place of an axis."""
    slices = np.moveaxis(labels, axis, 0)
    return float(np.mean([len(np.unique(part)) for part in slices]))


_POSITIONS = 4096
"""Outputs with more positions than this have a unit for each place of one axis."""
