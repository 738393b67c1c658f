"""An oracle for traced graphs: noise on one unit of the real model, all else held.

It knows nothing of how a graph is read: it swaps the outputs of the weighted layers in
forward hooks and looks which outputs they would have computed.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor, nn

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.inputs import Inputs, call, flat_tensors, tensors

CHANNELS_FIRST = (
    nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d
)
WEIGHTED = CHANNELS_FIRST | nn.Linear | nn.Embedding
THRESHOLD = 1e-9
LOUD = 10.0


@dataclass(frozen=True, eq=False)
class Run:
    """What each weighted layer computed in one run, and what the model gave."""

    computed: dict[str, Tensor]
    axes: dict[str, int]
    given: list[Tensor]


def run(model: nn.Module, inputs: Inputs, held: dict[str, Tensor] | None = None) -> Run:
    """Run a model whose weighted layers hand on what is held instead of their own."""
    names = {module: name for name, module in model.named_modules()}
    turns: Counter[nn.Module] = Counter()
    computed: dict[str, Tensor] = {}
    axes: dict[str, int] = {}

    def swap(layer: nn.Module, _: object, output: Tensor) -> Tensor | None:
        turns[layer] += 1
        turn = f" #{turns[layer]}" if turns[layer] > 1 else ""
        name = names[layer] + turn
        computed[name] = output.clone()
        # The last axis is counted from the front: a model may be without batch.
        axes[name] = 1 if isinstance(layer, CHANNELS_FIRST) else output.ndim - 1
        return None if held is None else held[name].clone()

    layers = [layer for layer in names if isinstance(layer, WEIGHTED)]
    handles = [layer.register_forward_hook(swap) for layer in layers]
    try:
        with torch.no_grad():
            given = flat_tensors(call(model, inputs))
    finally:
        for handle in handles:
            handle.remove()
    return Run(computed, axes, [x.clone() for x in given])


def repeated(inputs: Inputs, copies: int) -> Inputs:
    """Give the same inputs several times over in one batch."""
    if isinstance(inputs, dict):
        return {name: repeat(value, copies) for name, value in inputs.items()}
    if isinstance(inputs, Tensor):
        return repeat(inputs, copies)
    return tuple(repeat(value, copies) for value in inputs)


def repeat(value: Tensor, copies: int) -> Tensor:
    return value.repeat(copies, *[1] * (value.ndim - 1))


def loud(
    value: Tensor, *, axis: int, units: np.ndarray, noise: torch.Generator
) -> Tensor:
    """Copy a batch once per unit, with noise on that unit alone.

    It is louder than the unit, so that gates and activations rarely stay shut.
    """
    copies = repeat(value, len(units)).unflatten(0, (len(units), -1))
    for copy, unit in enumerate(units.tolist()):
        one = copies[copy].select(axis, unit)
        amount = LOUD * (1 + one.abs().max())
        one.add_(amount * torch.randn(one.shape, generator=noise, dtype=one.dtype))
    return copies.flatten(0, 1)


def changed(before: Tensor, after: Tensor, *, axis: int, copies: int) -> np.ndarray:
    """Tell which units of a layer differ in which copy of the batch."""
    after = after.unflatten(0, (copies, -1)).movedim(axis + 1, 1).flatten(2)
    before = before.movedim(axis, 0).flatten(1)
    far = (after - before).abs() > THRESHOLD * (1 + before.abs())
    return far.any(2).numpy()


def changes(
    model: nn.Module, inputs: Inputs, graph: LayeredGraph, *, at_most: int = 1000
) -> tuple[np.ndarray, np.ndarray]:
    """Find which units change which, by noise on each unit in the real model.

    Args:
        model: A model in evaluation mode, in float64.
        inputs: Inputs whose units are their channels or features, or each of their
            numbers where the graph has that many inputs. Whole numbers are left alone.
        graph: Gives the order of the layers; its edges are not read.
        at_most: How many units of each layer are tried, spread over the layer.

    Returns:
        A square table over the graph's units, and which of its rows were tried.
        Junctions have an empty row and column: no layer of the model computes them.
    """
    noise = torch.Generator().manual_seed(0)
    before = run(model, inputs)
    layer_of = {name: number for number, name in enumerate(graph.names)}
    found = np.zeros((graph.unit_count, graph.unit_count), dtype=bool)
    tried = np.zeros(graph.unit_count, dtype=bool)

    def some(count: int) -> np.ndarray:
        return np.unique(np.linspace(0, count - 1, min(count, at_most)).astype(int))

    def compare(rows: np.ndarray, inputs: Inputs, held: dict[str, Tensor]) -> None:
        tried[rows] = True
        after = run(model, inputs, held)
        for name, axis in before.axes.items():
            found[rows, graph.units(layer_of[name])] = changed(
                before.computed[name], after.computed[name], axis=axis, copies=len(rows)
            )
        if graph.kinds[-1] == "output":
            parts = [
                changed(old, new, axis=1, copies=len(rows))
                for old, new in zip(before.given, after.given, strict=True)
            ]
            found[rows, graph.units(graph.depth - 1)] = np.concatenate(parts, axis=1)

    def held(copies: int) -> dict[str, Tensor]:
        return {name: repeat(x, copies) for name, x in before.computed.items()}

    start = 0
    every = tensors(inputs)
    whole = read_whole(every, graph.sizes[0]) if every[0].is_floating_point() else ()
    for number, value in enumerate(every[: len(whole)]):
        flat = value.flatten(1) if whole[number] else value
        units = some(flat.shape[1])
        swapped = [repeat(x, len(units)) for x in every]
        other = loud(flat, axis=1, units=units, noise=noise)
        swapped[number] = other.view(-1, *value.shape[1:])
        compare(start + units, like(inputs, swapped), held(len(units)))
        start += flat.shape[1]
    for name, axis in before.axes.items():
        value = before.computed[name]
        units = some(value.shape[axis])
        swapped = loud(value, axis=axis, units=units, noise=noise)
        compare(
            graph.units(layer_of[name]).start + units,
            repeated(inputs, len(units)),
            {**held(len(units)), name: swapped},
        )
    return found, tried


def read_whole(inputs: list[Tensor], units: int) -> tuple[bool, ...]:
    """Tell which inputs have a unit for each number, and which one for each channel."""
    for whole in product((False, True), repeat=len(inputs)):
        sizes = [
            x[0].numel() if every else x.shape[1]
            for x, every in zip(inputs, whole, strict=True)
        ]
        if sum(sizes) == units:
            return whole
    raise AssertionError(f"{units} input units fit no reading of the inputs")


def like(inputs: Inputs, values: list[Tensor]) -> Inputs:
    """Put tensors where the inputs have theirs."""
    if isinstance(inputs, dict):
        return dict(zip(inputs, values, strict=True))
    return values[0] if isinstance(inputs, Tensor) else tuple(values)


def through_junctions(graph: LayeredGraph) -> np.ndarray:
    """Give the edges between computed units, those through junctions followed.

    A junction only passes on, and no layer of the real model computes it.
    """
    is_junction = np.array([kind == "junction" for kind in graph.kinds])[graph.layer_of]
    edges = graph.adjacency.toarray().astype(float)
    onward = edges * is_junction[:, None]
    found = step = edges
    while step.any():
        step = ((step @ onward) > 0).astype(float)
        found = found + step
    table = found > 0
    table[is_junction] = False
    table[:, is_junction] = False
    return table


def names_of(graph: LayeredGraph, table: np.ndarray) -> list[str]:
    """Say the pairs of units of a table as a reader can look them up."""
    units = [
        f"{graph.names[layer]}[{channel}]"
        for layer, channel in zip(graph.layer_of, graph.channel, strict=True)
    ]
    return [f"{units[i]} -> {units[j]}" for i, j in np.argwhere(table)]
