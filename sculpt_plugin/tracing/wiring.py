"""Which units every weighted layer of a model reads, found by running it once.

Hooks remember which tensors enter and leave each layer, and the autograd graph of that
one run says what happens in between.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool
from torch import Tensor, nn
from torch.nn.modules.instancenorm import _InstanceNorm

from sculpt_plugin.errors import ModelError, TraceError
from sculpt_plugin.inputs import undisturbed
from sculpt_plugin.tracing.passing import (
    INPUTS,
    Link,
    NotPassedOnError,
    Signal,
    block,
    blur,
    operation,
    pass_on,
    softmax_over_units,
)
from sculpt_plugin.tracing.recording import Call, Run, record
from sculpt_plugin.tracing.traceable import (
    AXES,
    KINDS,
    SUPPORTED,
    WEIGHTED,
    checked,
    class_name,
    parts,
)


@dataclass(frozen=True, eq=False)
class WiredLayer:
    """A weighted layer, what is left of its weights, and what its columns carry.

    Attributes:
        name: Dotted path of the layer in the model.
        kind: `linear`, `conv1d`, `conv2d` or `conv3d`.
        kept: Whether unit `i` has a weight other than zero on input column `j`, at any
            position of its kernel.
        reads: Which units of which sources the columns carry.
    """

    name: str
    kind: str
    kept: Bool[np.ndarray, "unit column"]
    reads: tuple[Link, ...]


@dataclass(frozen=True, eq=False)
class Wiring:
    """All weighted layers in the order in which they run, the output layer last.

    Attributes:
        input_shape: Shape of one input, without the batch axis.
        layers: The layers; a link's source `n` is `layers[n - 1]`.
    """

    input_shape: tuple[int, ...]
    layers: tuple[WiredLayer, ...]


def wire(model: nn.Module, example_inputs: Tensor | Sequence[Tensor]) -> Wiring:
    """Find which units every weighted layer of a model reads.

    Args:
        model: The model, left as it was found.
        example_inputs: A batch of inputs, of any values.

    Returns:
        The layers with their links, as numpy arrays.

    Raises:
        ModelError: The model cannot run on the inputs.
        TraceError: The model holds something whose units are not understood.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Conv1d(2, 3, 1), nn.Flatten(), nn.Linear(6, 1))
        >>> convolution, linear = wire(net, torch.zeros(1, 2, 2)).layers
        >>> linear.reads[0].source, linear.reads[0].units
        (1, array([0, 0, 1, 1, 2, 2]))
    """
    inputs = checked(model, example_inputs)
    with undisturbed(model):
        run = record(model, inputs)
        signals = _follow(model, run)
        _check_output(run, signals[run.root])
        layers = [call for call in run.calls if isinstance(call.module, WEIGHTED)]
        return Wiring(
            input_shape=tuple(inputs.shape[1:]),
            layers=tuple(
                WiredLayer(
                    name=call.name,
                    kind=next(
                        k for t, k in KINDS.items() if isinstance(call.module, t)
                    ),
                    kept=_kept(call.name, call.module),
                    reads=signals[call.source].links,
                )
                for call in layers
            ),
        )


def _follow(model: nn.Module, run: Run) -> dict[Any, Signal]:
    """Carry units from the inputs to the output, node by node."""
    _check_cuts(run)
    numbers = _numbers(run)
    signals: dict[Any, Signal] = {}
    stack = [run.root]
    while stack:
        node = stack[-1]
        parents = _parents(run, node)
        waiting = [p for p in parents if p is not None and p not in signals]
        if node not in signals and waiting:
            stack.extend(waiting)
            continue
        stack.pop()
        if node not in signals:
            operands = [None if p is None else signals[p] for p in parents]
            signals[node] = _signal(model, run, node, operands, numbers)
    reached = {call.module for node, call in run.made_by.items() if node in signals}
    for name, module in parts(model):
        if isinstance(module, SUPPORTED) and module not in reached:
            raise TraceError(
                f"The output must depend on every layer, and does not depend on "
                f"{name!r}: take that layer out of the model."
            )
    return signals


def _numbers(run: Run) -> dict[nn.Module, int]:
    """Number the weighted layers in the order in which they ran, from 1."""
    numbers: dict[nn.Module, int] = {}
    for call in run.calls:
        if isinstance(call.module, WEIGHTED):
            if call.module in numbers:
                raise TraceError(
                    f"Layer {call.name!r} must run once, and runs several times with "
                    "the same weights: give each use a layer of its own."
                )
            numbers[call.module] = len(numbers) + 1
    return numbers


def _parents(run: Run, node: Any) -> list[Any]:
    """Give the nodes that a node reads; a layer reads what entered it."""
    if node in run.made_by:
        return [run.made_by[node].source]
    return [parent for parent, _ in node.next_functions]


def _signal(
    model: nn.Module,
    run: Run,
    node: Any,
    operands: list[Signal | None],
    numbers: dict[nn.Module, int],
) -> Signal:
    """Say which units the tensor carries that a node makes."""
    if node in run.made_by:
        return _leave(run.made_by[node], operands[0], numbers)
    variable = getattr(node, "variable", None)
    if variable is run.leaf:
        shape = tuple(run.leaf.shape)
        return Signal(shape, (Link(INPUTS, np.arange(shape[1])),))
    if variable is not None:
        name = next((n for n, p in model.named_parameters() if p is variable), "?")
        raise TraceError(
            f"Parameter {name!r} must be used by its own layer, and is used outside of "
            "it: call the layer as a module."
        )
    try:
        made = tuple(node._input_metadata[0].shape)
        if len(node._input_metadata) > 1:
            raise NotPassedOnError("it makes several tensors")
        if node is run.root and softmax_over_units(node, made) and operands[0]:
            return operands[0]
        return pass_on(node, made, operands)
    except NotPassedOnError as reason:
        near = _near(run, operands)
        raise TraceError(
            "Every operation between layers must keep units apart, and "
            f"{operation(node)!r} {near} is not known to: {reason}. Trace the model "
            "without it."
        ) from None


def _leave(call: Call, operand: Signal | None, numbers: dict[nn.Module, int]) -> Signal:
    """Say which units leave a layer, a norm or a PReLU."""
    label = f"{call.name!r} ({class_name(call.module)})"
    if operand is None:
        raise TraceError(
            f"Layer {label} must read the inputs, and reads only constants or a "
            "detached tensor: take it out of the model."
        )
    axes = next((n for t, n in AXES.items() if isinstance(call.module, t)), None)
    if axes not in (None, len(call.entered)):
        raise TraceError(
            f"Layer {label} must get a tensor with {axes} axes, batch and units first, "
            f"and gets shape {list(call.entered)}: reshape it, or trace the model "
            "without it."
        )
    if call.module in numbers:
        return Signal(call.left, (Link(numbers[call.module], np.arange(call.left[1])),))
    weight = call.module.weight
    if isinstance(call.module, _InstanceNorm):
        operand = blur(operand)
    if isinstance(call.module, nn.PReLU) or weight is None:
        return operand
    _check_finite(call.name, call.module)
    return block(operand, (weight.detach() == 0).cpu().numpy())


def _near(run: Run, operands: list[Signal | None]) -> str:
    """Say after which layers an operation stands."""
    links = [link for signal in operands if signal is not None for link in signal.links]
    return f"after {_sources(run, links)}" if links else "on a constant"


def _sources(run: Run, links: Iterable[Link]) -> str:
    """Name the sources of some links."""
    layers = [call.name for call in run.calls if isinstance(call.module, WEIGHTED)]
    numbers = sorted({max(link.source, INPUTS) for link in links})
    return " and ".join(
        repr(layers[number - 1]) if number > INPUTS else "the inputs"
        for number in numbers
    )


def _check_cuts(run: Run) -> None:
    """Refuse operations that pass information on without autograd seeing it."""
    for name, node in run.cuts:
        seen, stack = {node}, [node]
        while stack:
            node = stack.pop()
            if getattr(node, "variable", None) is run.leaf:
                raise TraceError(
                    f"Every path from the inputs to the output must be differentiable, "
                    f"and {name!r} is not: take it out of the model's forward."
                )
            parents = {parent for parent, _ in node.next_functions} - seen - {None}
            seen |= parents
            stack.extend(parents)


def _check_output(run: Run, signal: Signal) -> None:
    """Refuse an output that is not made of the units of one layer."""
    sources = sorted({max(link.source, INPUTS) for link in signal.links})
    if len(sources) == 1 and sources[0] != INPUTS:
        return
    raise TraceError(
        "The output must be the units of one layer, and is made of "
        f"{_sources(run, signal.links) or 'nothing'}: put a Linear or convolution "
        "layer last."
    )


def _kept(name: str, layer: Any) -> np.ndarray:
    """Tell which weights are left, with a column for each real input channel."""
    _check_finite(name, layer)
    # A Linear has a kernel of one position.
    kept = (layer.weight.detach()[:, :, None] != 0).flatten(2).any(2).cpu().numpy()
    groups = getattr(layer, "groups", 1)
    if groups == 1:
        return kept
    rows, columns = kept.shape
    # Group g makes the g-th share of the units from the g-th share of the columns.
    wide = np.zeros((groups, rows // groups, groups, columns), dtype=bool)
    each = np.arange(groups)
    wide[each, :, each, :] = kept.reshape(groups, rows // groups, columns)
    return wide.reshape(rows, groups * columns)


def _check_finite(name: str, layer: Any) -> None:
    """Refuse weights that are no numbers."""
    for kind in ("weight", "bias"):
        values = getattr(layer, kind)
        if values is None:
            continue
        if values.is_meta:
            raise ModelError(
                f"Layer {name!r} is on the meta device and has no {kind} values: load "
                "the model's weights first."
            )
        if not bool(values.isfinite().all()):
            raise TraceError(
                f"Layer {name!r} must have finite numbers only, and its {kind} holds "
                "NaN or infinity: train it again, or load another checkpoint."
            )
