"""What an operation between two layers does to the units that pass through it.

torch-pruning takes every operation it does not know for an elementwise one, and guesses
how wide a channel is after a flatten from the layer above (wrongly where two flattened
tensors are concatenated). Here each operation of the autograd graph has a rule of its
own, checked against the real shapes, and one without a rule is refused by name.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

INPUTS = 0
"""The source of units that are channels (or features) of the inputs."""
PIXELS = -1
"""The source of units that are single positions of flattened inputs."""


@dataclass(frozen=True, eq=False)
class Link:
    """Which units of one source the columns of a tensor carry.

    Attributes:
        source: `INPUTS`, `PIXELS`, or the number of a weighted layer, from 1.
        units: For each column (position along axis 1) the unit it carries, -1 if none.
        whole: Whether each position still holds what the source had at that position,
            so that a flatten can tell single positions apart.
    """

    source: int
    units: Int[np.ndarray, " column"]
    whole: bool = True


@dataclass(frozen=True, eq=False)
class Signal:
    """A tensor between two layers: its shape and the units its columns carry."""

    shape: tuple[int, ...]
    links: tuple[Link, ...]


class NotPassedOnError(Exception):
    """Why an operation is not understood; the caller knows where it stands."""


def block(signal: Signal, blocked: Bool[np.ndarray, " column"]) -> Signal:
    """Empty the columns that something multiplies by zero.

    Example:
        >>> signal = Signal((1, 3), (Link(1, np.arange(3)),))
        >>> block(signal, np.array([False, True, False])).links[0].units
        array([ 0, -1,  2])
    """
    links = (
        replace(link, units=np.where(blocked, -1, link.units)) for link in signal.links
    )
    return Signal(signal.shape, _merged(links))


def blur(signal: Signal) -> Signal:
    """Note that something mixed the positions within each unit.

    Example:
        >>> blur(Signal((1, 3, 4), (Link(1, np.arange(3)),))).links[0].whole
        False
    """
    links = (replace(link, whole=False) for link in signal.links)
    return Signal(signal.shape, _merged(links))


def pass_on(
    node: Any, shape: tuple[int, ...], operands: Sequence[Signal | None]
) -> Signal:
    """Give what a node of the autograd graph makes of the units it gets.

    Args:
        node: The node, as `tensor.grad_fn` gives it.
        shape: Shape of the tensor it makes.
        operands: What it gets; None stands for a constant.

    Raises:
        NotPassedOnError: The operation has no rule, or is used in another way.

    Example:
        >>> import torch
        >>> made = torch.zeros(1, 2, 1, 3, requires_grad=True).flatten(1)
        >>> channels = Signal((1, 2, 1, 3), (Link(1, np.arange(2)),))
        >>> pass_on(made.grad_fn, (1, 6), [channels]).links[0].units
        array([0, 0, 0, 1, 1, 1])
    """
    rule = _RULES.get(node.name())
    if rule is None:
        raise NotPassedOnError("what it does to the units is not known")
    return rule(node, shape, operands)


def operation(node: Any) -> str:
    """Name a node of the autograd graph as its user would.

    Example:
        >>> import torch
        >>> operation(torch.ones(2, requires_grad=True).sum().grad_fn)
        'sum'
    """
    name = re.sub(r"Backward\d*$", "", node.name())
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name).lower()


def _elementwise(_: Any, shape: tuple[int, ...], operands: Sequence[Signal | None]):
    """Change each number by itself."""
    signal = _only(operands)
    if signal.shape != shape:
        raise NotPassedOnError(_spread(signal.shape, shape))
    return signal


def _join(node: Any, shape: tuple[int, ...], operands: Sequence[Signal | None]):
    """Combine tensors position by position: a residual add, a gate, a constant."""
    signals = [signal for signal in operands if signal is not None]
    for signal in signals:
        if len(signal.shape) != len(shape) or signal.shape[:2] != shape[:2]:
            raise NotPassedOnError(_spread(signal.shape, shape))
    links = (
        replace(link, whole=link.whole and signal.shape == shape)
        for signal in signals
        for link in signal.links
    )
    joined = Signal(shape, _merged(links))
    if len(signals) < len(operands) and node.name() == "MulBackward0":
        return block(joined, _zero_columns(node, shape))
    return joined


def _zero_columns(node: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Tell which columns a constant factor makes zero."""
    factor = node._saved_self if node._saved_other is None else node._saved_other
    sizes = (1,) * (len(shape) - factor.ndim) + tuple(factor.shape)
    if any(size != 1 for axis, size in enumerate(sizes) if axis != 1):
        raise NotPassedOnError(
            f"its constant factor of shape {list(factor.shape)} differs within a unit"
        )
    zero = (factor.detach().flatten() == 0).cpu().numpy()
    return np.broadcast_to(zero, (shape[1],))


def _view(_: Any, shape: tuple[int, ...], operands: Sequence[Signal | None]):
    """Reshape the positions of each unit, or flatten them into columns."""
    signal = _only(operands)
    if signal.shape[:2] == shape[:2]:
        return Signal(shape, signal.links)
    if shape != (signal.shape[0], math.prod(signal.shape[1:])):
        raise NotPassedOnError(
            f"it turns shape {list(signal.shape)} into {list(shape)}, and only a "
            "flatten of all but the batch axis keeps units apart"
        )
    positions = math.prod(signal.shape[2:])
    return Signal(shape, tuple(_flattened(link, positions) for link in signal.links))


def _flattened(link: Link, positions: int) -> Link:
    """Give each position of a unit a column of its own."""
    units = np.repeat(link.units, positions)
    if link.source != INPUTS or not link.whole:
        return replace(link, units=units)
    pixels = units * positions + np.tile(np.arange(positions), len(link.units))
    return replace(link, source=PIXELS, units=np.where(units < 0, -1, pixels))


def _concatenate(node: Any, shape: tuple[int, ...], operands: Sequence[Signal | None]):
    """Put the columns of several tensors next to each other."""
    axis = _axes(node, len(shape))[0]
    signals = [signal for signal in operands if signal is not None]
    if len(signals) < len(operands):
        raise NotPassedOnError("one of its tensors does not depend on the inputs")
    if axis == 0:
        raise NotPassedOnError("it joins along the batch axis")
    links = []
    start = 0
    for signal in signals:
        for link in signal.links:
            units = link.units
            if axis == 1:
                units = np.full(shape[1], -1)
                units[start : start + signal.shape[1]] = link.units
            links.append(replace(link, units=units, whole=link.whole and axis == 1))
        start += signal.shape[1]
    return Signal(shape, _merged(links))


def _reduce(node: Any, shape: tuple[int, ...], operands: Sequence[Signal | None]):
    """Summarise each unit over its positions."""
    signal = _only(operands)
    axes = _axes(node, len(signal.shape))
    if not axes or min(axes) < 2:
        raise NotPassedOnError(
            f"it reduces axes {axes or 'all'}, and units are on axis 1"
        )
    return blur(Signal(shape, signal.links))


def _squeeze(node: Any, shape: tuple[int, ...], operands: Sequence[Signal | None]):
    """Drop or add an axis of size one behind the unit axis."""
    signal = _only(operands)
    axes = _axes(node, max(len(signal.shape), len(shape)))
    if min(axes) < 2:
        raise NotPassedOnError(f"it changes axis {min(axes)}, and units are on axis 1")
    return Signal(shape, signal.links)


def _pool(node: Any, shape: tuple[int, ...], operands: Sequence[Signal | None]):
    """Mix neighbouring positions of each unit."""
    signal = _only(operands)
    spatial = int(re.findall(r"(\d)D", node.name())[0])
    if len(shape) != spatial + 2 or signal.shape[:2] != shape[:2]:
        raise NotPassedOnError(
            f"it pools {spatial} axes of a tensor of shape {list(signal.shape)}, which "
            "leaves no batch axis and unit axis"
        )
    return blur(Signal(shape, signal.links))


def softmax_over_units(node: Any, shape: tuple[int, ...]) -> bool:
    """Tell whether a node is a softmax over the unit axis.

    Example:
        >>> import torch
        >>> made = torch.zeros(1, 2, requires_grad=True).softmax(-1)
        >>> softmax_over_units(made.grad_fn, (1, 2))
        True
    """
    names = ("SoftmaxBackward0", "LogSoftmaxBackward0")
    return node.name() in names and _axes(node, len(shape)) == [1]


def _only(operands: Sequence[Signal | None]) -> Signal:
    """Give the one tensor that an operation reads."""
    signal = operands[0]
    if len(operands) != 1 or signal is None:
        raise NotPassedOnError("it reads more than one tensor")
    return signal


def _merged(links: Any) -> tuple[Link, ...]:
    """Drop links that carry nothing, or say what another one says."""
    kept: list[Link] = []
    for link in links:
        if (link.units >= 0).any() and not any(
            link.source == other.source
            and link.whole == other.whole
            and np.array_equal(link.units, other.units)
            for other in kept
        ):
            kept.append(link)
    return tuple(kept)


def _axes(node: Any, dimensions: int) -> list[int]:
    """Read the axes of an operation, which autograd saves as unsigned numbers."""
    saved = node._saved_dim
    axes = (saved,) if isinstance(saved, int) else saved
    # -1 is saved as 2 ** 64 - 1.
    signed = (axis - 2**64 if axis >= 2**63 else axis for axis in axes)
    return sorted(axis % dimensions for axis in signed)


def _spread(found: tuple[int, ...], made: tuple[int, ...]) -> str:
    """Say that units are copied along an axis."""
    return f"it spreads shape {list(found)} over shape {list(made)}"


_Rule = Callable[[Any, tuple[int, ...], Sequence[Signal | None]], Signal]

_ELEMENTWISE = (
    "Abs Alias Celu Clamp ClampMax ClampMin Clone Cos Elu Erf Exp Gelu Hardshrink "
    "Hardsigmoid Hardswish Hardtanh LeakyRelu Log LogSigmoid Mish Neg Pow Reciprocal "
    "Relu RreluWithNoise Rsqrt Sigmoid Sign Silu Sin Softplus Softshrink Sqrt Tanh "
    "Threshold ToCopy"
)
_RULES: dict[str, _Rule] = {
    **{f"{name}Backward0": _elementwise for name in _ELEMENTWISE.split()},
    **{f"{name}Backward1": _elementwise for name in ("Clamp", "Rsub")},
    **{f"{name}Backward0": _join for name in ("Add", "Sub", "Mul", "Div")},
    **{f"{name}Backward0": _view for name in ("View", "UnsafeView", "ReshapeAlias")},
    "CatBackward0": _concatenate,
    **{f"{name}Backward0": _reduce for name in ("Amax", "Amin")},
    **{f"{name}Backward1": _reduce for name in ("Mean", "Sum")},
    "UnsqueezeBackward0": _squeeze,
    **{f"SqueezeBackward{number}": _squeeze for number in (1, 2)},
    **{
        f"{name}{spatial}D{ending}Backward0": _pool
        for spatial in (2, 3)
        for name, ending in (
            ("MaxPool", "WithIndices"),
            ("AvgPool", ""),
            ("AdaptiveAvgPool", ""),
            ("AdaptiveMaxPool", ""),
        )
    },
    "MkldnnMaxPool2DBackward0": _pool,
    "MkldnnMaxPool3DBackward0": _pool,
}
