"""One operation that was done, and how it is done again in the memory it filled."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Operation(NamedTuple):
    """One operation that was done, other than a view.

    Attributes:
        func: What was called.
        args: What it was called with.
        kwargs: What it was called with by name.
        made: The tensors that came of it.
        reads: The memory it was called with.
        fills: The memory that came of it.
    """

    func: Any
    args: Sequence[Any]
    kwargs: dict[str, Any]
    made: list[Tensor]
    reads: list[int]
    fills: list[int]

    @property
    def changes(self) -> bool:
        """Whether it changes what it is called with."""
        return self.func._schema.is_mutable


def refill(done: Operation) -> Callable[[], Any]:
    """Give a call that does an operation again, in the memory it filled.

    Args:
        done: The operation, and the tensors it was called with and made.

    Returns:
        A call of the same kernel; it wants no gradients to be noted.

    Example:
        >>> x = torch.ones(2)
        >>> made = x * 2
        >>> done = Operation(_aten.mul.Tensor, (x, 2), {}, [made], [], [])
        >>> _ = x.add_(1), refill(done)()
        >>> made
        tensor([4., 4.])
    """
    func, args, kwargs, made = done[:4]
    if done.changes:
        return partial(func, *args, **kwargs)
    # What vmap makes of a bias is multiplied by one.
    if func in _COPIES or (func is _aten.mul.Scalar and args[1] == 1):
        return partial(made[0].copy_, args[0])
    if func is _aten.add.Tensor and _adds_a_row(args, kwargs, made[0]):
        return _add_a_row(*args, out=made[0])
    if func in _OWN and not isinstance(args[0], int | float):
        own, *more = _OWN[func]
        return partial(own, *args, *more, **kwargs, out=made[0])
    filling, places = _filling(func)
    if filling is None or len(places) != len(made):
        return partial(_compute_and_copy, done)
    known = {argument.name for argument in filling._schema.arguments}
    kwargs = {name: value for name, value in kwargs.items() if name in known}
    return partial(filling, *args, **kwargs, **dict(zip(places, made, strict=True)))


def _adds_a_row(args: Sequence[Any], kwargs: dict[str, Any], made: Tensor) -> bool:
    """Tell whether one short row is added to all rows of each matrix, as biases are."""
    row, rows = args
    return (
        isinstance(row, Tensor)
        and isinstance(rows, Tensor)
        and not kwargs
        and rows.shape == made.shape
        and row.dtype == rows.dtype == made.dtype
        and made.ndim == 3
        and made.shape[1] % _TOGETHER == 0
        and made.shape[2] <= _SHORT
        and row.shape == (len(made), 1, made.shape[2])
        and rows.is_contiguous()
        and made.is_contiguous()
    )


def _add_a_row(row: Tensor, rows: Tensor, *, out: Tensor) -> Callable[[], Any]:
    """Give a call that adds one row to several rows at a time.

    To begin a row costs more than to add a short one. The one row is written down a
    few times, and these are added as one, in half the time.
    """
    count, high, wide = out.shape
    copies = row.new_empty(count, _TOGETHER, wide)
    shape = (count, high // _TOGETHER, _TOGETHER * wide)
    add = partial(
        torch.add, copies.view(count, 1, -1), rows.view(shape), out=out.view(shape)
    )

    def again() -> None:
        copies.copy_(row)
        add()

    return again


def _compute_and_copy(done: Operation) -> None:
    """Do an operation again where it has no way to fill memory that is given."""
    new = tensors(done.func(*done.args, **done.kwargs))
    for x, value in zip(done.made, new, strict=True):
        x.copy_(value)


@cache
def _filling(func: Any) -> tuple[Any, list[str]]:
    """Find the overload that fills given memory, and its names for that memory."""
    for name in func.overloadpacket.overloads():
        other = getattr(func.overloadpacket, name)
        places = [x.name for x in other._schema.arguments if x.kwarg_only and x.is_out]
        same = _arguments(func) == [x for x in _arguments(other) if x[0] not in places]
        if same and len(places) == len(func._schema.returns):
            return other, places
    return None, []


def _arguments(func: Any) -> list[tuple[str, str]]:
    """Name an operation's arguments, but those that given memory decides."""
    decided = ("dtype", "layout", "device", "pin_memory")
    arguments = [(x.name, str(x.type)) for x in func._schema.arguments]
    return [argument for argument in arguments if argument[0] not in decided]


def tensors(tree: Any) -> list[Tensor]:
    """Give the tensors among arguments or results."""
    if isinstance(tree, Tensor):
        return [tree]
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, list | tuple):
        return []
    return [found for item in tree for found in tensors(item)]


_aten = torch.ops.aten

_TOGETHER, _SHORT = 8, 64
"""So many rows are added to at a time, and so long may they be."""

_COPIES = {_aten.clone.default, _aten._to_copy.default}
"""Operations that copy, for which torch's own ways to fill memory copy twice."""

_OWN: dict[Any, tuple[Any, ...]] = {
    _aten.add.Tensor: (torch.add,),
    _aten.bmm.default: (torch.bmm,),
    _aten.cat.default: (torch.cat,),
    _aten.div.Scalar: (torch.div,),
    _aten.div.Tensor: (torch.div,),
    _aten.eq.Tensor: (torch.eq,),
    _aten.gt.Scalar: (torch.gt,),
    _aten.mean.dim: (torch.mean,),
    _aten.mul.Scalar: (torch.mul,),
    _aten.mul.Tensor: (torch.mul,),
    _aten.neg.default: (torch.neg,),
    _aten.relu.default: (torch.clamp_min, 0),
    _aten.sub.Tensor: (torch.sub,),
    _aten.sum.dim_IntList: (torch.sum,),
}
"""What an operation calls, for those that most networks train with: the way through
torch's own functions is half as long."""
