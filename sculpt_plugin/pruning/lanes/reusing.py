"""Operations that are done again and again in as little memory as they need."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sculpt_plugin.pruning.lanes.operations import PLAIN, Call, Operation, memory_of


def reusing(
    done: Sequence[Operation], made: Sequence[Tensor]
) -> tuple[list[Call], list[Tensor]]:
    """Let operations fill memory again that nobody reads any more.

    When they were noted each filled memory of its own. By the time all of that has been
    through the processor, the first of it has left the cache. What is filled again a
    moment later is still there.

    Args:
        done: The operations, in order.
        made: What of theirs is read after the last.

    Returns:
        The same calls and results with other memory, in which nothing is yet.

    Example:
        >>> from sculpt_plugin.pruning.lanes.tape import _record
        >>> x = torch.ones(2)
        >>> made, done = _record(lambda: (x.exp().neg().sin(),))
        >>> calls, _ = reusing(done, made)
        >>> len({memory_of(call.made[0]) for call in calls})
        1
    """
    last: dict[int, float] = {}
    for place, operation in enumerate(done):
        last |= dict.fromkeys([*operation.fills, *operation.reads], place)
    last |= dict.fromkeys(map(memory_of, made), math.inf)
    homes = _Homes()
    calls = []
    with torch.no_grad():
        for place, operation in enumerate(done):
            memories = operation.reads.union(operation.fills)
            dying = {memory for memory in memories if last[memory] == place}
            calls.append(homes.moved_call(operation, dying))
            homes.free(dying)
        return calls, homes.moved(list(made))


class _Homes:
    """For each memory that was filled the one that is filled instead."""

    def __init__(self) -> None:
        self._homes: dict[int, Tensor] = {}
        self._free: list[Tensor] = []

    def moved_call(self, operation: Operation, dying: set[int]) -> Call:
        """Give a call with its new memory; where it makes some, find a home for it."""
        func, args, kwargs, made = operation.call
        args, kwargs = self.moved(args), self.moved(kwargs)
        if not operation.changes:
            for x, memory in zip(made, operation.fills, strict=True):
                over = self._overwritten(operation, x, dying)
                self._homes[memory] = (
                    self._take(x) if over is None else self._homes.pop(over)
                )
        return Call(func, args, kwargs, self.moved(made))

    def moved(self, tree: Any) -> Any:
        """Give arguments or results, those that have a new home in their new place."""
        if type(tree) in PLAIN:
            return tree
        if isinstance(tree, Tensor):
            home = self._homes.get(memory_of(tree))
            return tree if home is None else _in_place_of(tree, home)
        if isinstance(tree, dict):
            return {name: self.moved(x) for name, x in tree.items()}
        if isinstance(tree, list | tuple):
            return [self.moved(x) for x in tree]
        return tree

    def free(self, memories: set[int]) -> None:
        """Let memory be filled with something else."""
        self._free += [self._homes.pop(x) for x in memories if x in self._homes]

    def _overwritten(
        self, operation: Operation, x: Tensor, dying: set[int]
    ) -> int | None:
        """Find memory that may be overwritten number by number as it is read."""
        call = operation.call
        if torch.Tag.pointwise not in call.func.tags or len(call.made) > 1:
            return None
        read = [(memory_of(y), y) for y in call.given]
        for memory, _ in read:
            if (
                memory in dying
                and memory in self._homes
                and all(_lie_alike(x, y) for other, y in read if other == memory)
            ):
                return memory
        return None

    def _take(self, x: Tensor) -> Tensor:
        """Take the smallest memory that is free and long enough, the latest of such."""
        need = _length(x)
        fits = [
            (len(home), -place)
            for place, home in enumerate(self._free)
            if need <= len(home) <= 2 * need
            and (home.dtype, home.device) == (x.dtype, x.device)
        ]
        return self._free.pop(-min(fits)[1]) if fits else x.new_empty(need)


def _in_place_of(x: Tensor, home: Tensor) -> Tensor:
    """Give a tensor that lies in other memory as one does in its own."""
    if home.dtype != x.dtype:
        home = home.view(x.dtype)
    found = home.as_strided(x.shape, x.stride(), x.storage_offset())
    # Numbers that are negated, or conjugated, when they are read.
    if x.is_neg():
        found = torch.ops.aten._neg_view(found)
    return found.conj() if x.is_conj() else found


def _lie_alike(x: Tensor, y: Tensor) -> bool:
    """Tell whether two tensors lie in their memory in the same way."""
    return (
        x.dtype == y.dtype
        and x.shape == y.shape
        and x.stride() == y.stride()
        and x.storage_offset() == y.storage_offset()
        and _length(x) == _length(y)
    )


def _length(x: Tensor) -> int:
    """Count the numbers in a tensor's memory."""
    return x.untyped_storage().nbytes() // x.element_size()
