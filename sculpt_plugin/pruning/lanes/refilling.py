"""How an operation that was done is done again in the memory it filled."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from sculpt_plugin.pruning.lanes.operations import Call, tensors


def refill(call: Call) -> Callable[[], Any]:
    """Give a call that does an operation again, in the memory it filled.

    Args:
        call: What the operation was called with, and what it made.

    Returns:
        A call of the same kernel; it wants no gradients to be noted.

    Example:
        >>> x = torch.ones(2)
        >>> made = x * 2
        >>> again = refill(Call(_aten.mul.Tensor, (x, 2), {}, [made]))
        >>> _ = x.add_(1), again()
        >>> made
        tensor([4., 4.])
    """
    func, args, kwargs, made = call
    if call.changes:
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
        return partial(_compute_and_copy, call)
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


def _compute_and_copy(call: Call) -> None:
    """Do an operation again where it has no way to fill memory that is given."""
    new = tensors(call.func(*call.args, **call.kwargs))
    for x, value in zip(call.made, new, strict=True):
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
