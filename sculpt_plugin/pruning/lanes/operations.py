"""What an operation was called with, what it made, and in which memory."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Call(NamedTuple):
    """One call of an operation.

    Attributes:
        func: What was called.
        args: What it was called with.
        kwargs: What it was called with by name.
        made: The tensors that came of it.
    """

    func: Any
    args: Sequence[Any]
    kwargs: dict[str, Any]
    made: list[Tensor]

    @property
    def changes(self) -> bool:
        """Whether it changes what it is called with."""
        return self.func._schema.is_mutable

    @property
    def given(self) -> list[Tensor]:
        """The tensors it was called with."""
        return tensors(self.args) + tensors(self.kwargs)


class Operation(NamedTuple):
    """One operation that was done, other than a view.

    Attributes:
        call: The call.
        reads: The memory whose numbers it reads.
        fills: The memory that came of it, for each tensor in turn.
    """

    call: Call
    reads: set[int]
    fills: list[int]

    @property
    def changes(self) -> bool:
        """Whether it changes what it is called with."""
        return self.call.changes


def operation(call: Call) -> Operation:
    """Note which memory a call reads and fills."""
    read = () if call.func in _WANT_SHAPES else call.given
    return Operation(
        call, {memory_of(x) for x in read}, [memory_of(x) for x in call.made]
    )


def tensors(tree: Any) -> list[Tensor]:
    """Give the tensors among arguments or results.

    Example:
        >>> tensors([torch.ones(1), 2, {"more": [torch.zeros(1)]}])
        [tensor([1.]), tensor([0.])]
    """
    if isinstance(tree, Tensor):
        return [tree]
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, list | tuple):
        return []
    found = []
    for item in tree:
        if type(item) is Tensor:
            found.append(item)
        elif type(item) not in PLAIN:
            found += tensors(item)
    return found


def memory_of(x: Tensor) -> int:
    """Name the memory of a tensor, for as long as the tensor is there."""
    return x.untyped_storage()._cdata


_aten = torch.ops.aten

_WANT_SHAPES = {
    _aten.empty_like.default,
    _aten.full_like.default,
    _aten.new_empty.default,
    _aten.new_full.default,
    _aten.new_ones.default,
    _aten.new_zeros.default,
    _aten.ones_like.default,
    _aten.zeros_like.default,
}
"""What only looks at the shape of what it is called with. Each backward pass begins so,
and would else need the loss, at which nobody looks."""

PLAIN = {int, float, bool, str, type(None), torch.dtype, torch.device}
"""What most arguments are; to find out that they are no tensors takes long."""
