"""A step that is done again and again: its operations are noted once, then repeated."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from sculpt_plugin.pruning.lanes.operations import (
    Call,
    Operation,
    memory_of,
    operation,
    tensors,
)
from sculpt_plugin.pruning.lanes.refilling import refill
from sculpt_plugin.pruning.lanes.reusing import reusing

Step = Callable[[], tuple[Tensor, ...]]
"""Reads tensors that stay in the same memory, and makes others."""

_MUCH = 2**27
"""Steps whose operations fill more bytes are not repeated: all of it would stay filled,
and what calls cost is little beside what is computed."""


def repeats(step: Callable[[], Any]) -> bool:
    """Tell whether a step does the same each time, and nothing but operations.

    Random numbers, a count of the calls or a look at a number would be lost on one who
    repeats the operations of the first time.

    Example:
        >>> from itertools import count
        >>> x, calls = torch.ones(2), count()
        >>> repeats(lambda: x + 1), repeats(lambda: x + next(calls))
        (True, False)
    """
    (_, some), (_, others) = _record(step), _record(step)
    if some is None or others is None or len(some) != len(others):
        return False
    return all(
        one.call.func is two.call.func and _same(one.call[1:3], two.call[1:3])
        for one, two in zip(some, others, strict=True)
    )


def repeated(step: Step, *, fixed: Sequence[Tensor] = ()) -> Step:
    """Give a step that costs less from its second time on.

    Then only the operations that compute are done, by the same kernels and in the
    memory they filled the first time. No model is called, nothing is noted for a
    gradient, and views are there already. On small networks that is half of the time.
    On a processor products of narrow matrices are turned, if what follows allows it.

    Args:
        step: A step that `repeats`.
        fixed: What of it that the step reads never changes; what follows from it alone
            is done once.

    Returns:
        A step that makes the same as the first time, to the last bit, each time in the
        same memory. Turned products are rounded otherwise than `step` alone rounds.

    Example:
        >>> x = torch.ones(2)
        >>> step = repeated(lambda: (x * 2,))
        >>> step()
        (tensor([2., 2.]),)
        >>> _ = x.add_(1)
        >>> step()
        (tensor([4., 4.]),)
    """
    again: Step | None = None

    def run() -> tuple[Tensor, ...]:
        nonlocal again
        if again is not None:
            return again()
        made, done = _first_time(step)
        if done is None:
            again = step
        else:
            done = _needed(_changing(done, fixed, made), made)
            done, filled = reusing(done, [x.detach() for x in made])
            again = partial(_play, [refill(x) for x in done], tuple(filled))
        return made

    return run


def _first_time(step: Step) -> tuple[tuple[Tensor, ...], list[Operation] | None]:
    """Do a step and note its operations, with products turned if that is no harm."""
    try:
        return _record(step, turning=True)
    except RuntimeError:
        # What a product made is viewed in a way that only its usual order allows.
        return _record(step)


def _play(
    calls: Sequence[Callable[[], Any]], made: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """Fill what was made anew."""
    with torch.no_grad():
        for call in calls:
            call()
    return made


def _record(
    step: Callable[[], Any], *, turning: bool = False
) -> tuple[Any, list[Operation] | None]:
    """Do a step; give what it gives, and its operations if they can be repeated."""
    recorder = _Recorder(turning=turning)
    with recorder:
        made = step()
    return made, recorder.done


class _Recorder(TorchDispatchMode):
    """Notes every operation, those of the backward pass too.

    Attributes:
        done: The operations; None where they cannot or shall not be repeated.
    """

    def __init__(self, *, turning: bool) -> None:
        super().__init__()
        self.done: list[Operation] | None = []
        self._turning = turning
        self._filled = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep torch from importing its compiler, which takes seconds."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if self._turning and func is _aten.as_strided.default:
            raise RuntimeError("it reads memory as it lies, whatever was turned")
        turns = self._turning and func is _aten.bmm.default and _is_upright(*args)
        if turns:
            args = [x.transpose(1, 2) for x in reversed(args)]
        result = func(*args, **(kwargs or {}))
        if self.done is not None and not func.is_view:
            self._note(Call(func, args, kwargs or {}, tensors(result)))
        return result.transpose(1, 2) if turns else result

    def _note(self, call: Call) -> None:
        """Note a call, or give up."""
        found = operation(call)
        old = sum(memory in found.reads for memory in found.fills)
        if call.made and old == len(call.made) and not found.changes:
            return  # A view, whatever it is called.
        self._filled += sum(x.nbytes for x in call.made)
        mixed = old and not found.changes
        if self._filled > _MUCH or mixed or not _UNSTEADY.isdisjoint(call.func.tags):
            self.done = None
        elif self.done is not None:
            self.done.append(found)


def _is_upright(one: Tensor, other: Tensor) -> bool:
    """Tell whether products of matrices have more rows than columns.

    A processor goes along a row, as many numbers at once as there are. In a layer of
    few units that is few; a column of samples is longer. Turned, such a product takes
    a third of the time.
    """
    return one.device.type == "cpu" and one.shape[1] > other.shape[2]


def _changing(
    done: Sequence[Operation], fixed: Sequence[Tensor], made: Sequence[Tensor]
) -> list[Operation]:
    """Leave out the operations that make the same each time."""
    # Who is given what is made may change it.
    changed = {memory_of(x) for x in made}
    changed.update(memory for x in done if x.changes for memory in x.reads)
    same = {memory_of(x) for x in fixed} - changed
    found = []
    for one in done:
        if one.reads <= same and changed.isdisjoint(one.fills):
            same.update(one.fills)
        else:
            found.append(one)
    return found


def _needed(done: Sequence[Operation], made: Sequence[Tensor]) -> list[Operation]:
    """Leave out the operations that make nothing that is used."""
    used = {memory_of(x) for x in made}
    found = []
    for one in reversed(done):
        if one.changes or not used.isdisjoint(one.fills):
            used.update(one.reads)
            found.append(one)
    return found[::-1]


def _same(some: Any, others: Any) -> bool:
    """Tell whether arguments are the same, tensors by what they hold."""
    if isinstance(some, Tensor) and isinstance(others, Tensor):
        if (some.dtype, some.shape) != (others.dtype, others.shape):
            return False
        # What is not a number may be so each time: the mean of nothing.
        return bool(((some == others) | some.isnan() & others.isnan()).all())
    if isinstance(some, list | tuple) and isinstance(others, list | tuple):
        return len(some) == len(others) and all(map(_same, some, others))
    if isinstance(some, dict) and isinstance(others, dict):
        return some.keys() == others.keys() and all(
            _same(some[name], others[name]) for name in some
        )
    return type(some) is type(others) and some == others


_aten = torch.ops.aten

_UNSTEADY = {
    torch.Tag.nondeterministic_seeded,
    torch.Tag.data_dependent_output,
    torch.Tag.dynamic_output_shape,
}
"""Marks of operations that differ from one time to the next."""
