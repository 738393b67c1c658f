"""The Boolean tasks of the paper, by name."""

import reprlib
from difflib import get_close_matches
from functools import cache

from sculpt_plugin.errors import TaskError
from sculpt_plugin.tasks.function_graph import FunctionGraph
from sculpt_plugin.tasks.gates import Gate, and_, minterms, not_, or_, xor
from sculpt_plugin.tasks.task import Family, Task

_OUTPUT_COUNTS = (2, 4, 8, 12, 16)
_OVERLAPS = {8: "8,2", 7: "7,3,2", 6: "6,3,2", 5: "5,3,2", 4: "4,1,2,2"}


def names(family: Family | None = None) -> tuple[str, ...]:
    """List the paper's Boolean tasks.

    A name is the paper's own without the brackets, such as `4,2,4`: inputs first,
    outputs last. No two tasks share one: the paper uses `4,1,2,16` as an exemplar
    and in the reuse family, and both times it is the same task.

    Args:
        family: Only the tasks of this family; all by default.

    Returns:
        The names, in the paper's order.

    Example:
        >>> names("exemplar")
        ('4,2,4', '4,1,2,16', '6,3,3,3', '4,1,4')
        >>> len(names()), len(names("overlap"))
        (38, 25)
    """
    return tuple(
        name
        for name, task in _tasks().items()
        if family is None or family in task.families
    )


def get(name: str) -> Task:
    """Find one of the paper's tasks by its name.

    Args:
        name: The paper's name, with or without brackets and spaces: `4,2,4` or
            `[4, 2, 4]`.

    Returns:
        The task with its table and its true modules.

    Raises:
        TaskError: There is no such task; the nearest names are suggested.

    Example:
        >>> task = get("[4, 2, 4]")
        >>> task.name, task.truth.input_label
        ('4,2,4', (0, 0, 1, 1))
    """
    plain = "".join(name.split()).removeprefix("[").removesuffix("]")
    if plain.startswith("digits"):
        raise TaskError(
            f"A task must be a Boolean one here, and {plain[:40]} is on images: sculpt "
            f"run {plain[:40]} --data DIR, or sculpt_plugin.tasks.digits."
        )
    if plain not in _tasks():
        near = get_close_matches(plain, names(), n=3)
        advice = (
            f"did you mean {' or '.join(near)}?"
            if near
            else "`sculpt tasks` lists them."
        )
        raise TaskError(
            f"A task must be one of the paper's, got {reprlib.repr(name)}: {advice}"
        )
    return _tasks()[plain]


@cache
def _tasks() -> dict[str, Task]:
    """All tasks, by name."""
    return {
        "4,2,4": Task("4,2,4", _separable(), ("exemplar",)),
        "4,1,2,16": Task("4,1,2,16", _reused(16), ("exemplar", "reuse")),
        "6,3,3,3": Task("6,3,3,3", _separable_and_reused(), ("exemplar",)),
        "4,1,4": Task("4,1,4", _neither(), ("exemplar",)),
        **{
            f"4,1,2,{count}": Task(f"4,1,2,{count}", _reused(count), ("reuse",))
            for count in _OUTPUT_COUNTS[:-1]
        },
        **{
            f"{prefix},{count}": Task(
                f"{prefix},{count}", _overlapping(input_count, count), ("overlap",)
            )
            for input_count, prefix in _OVERLAPS.items()
            for count in _OUTPUT_COUNTS
        },
        **{
            f"8,2,1,2,{count}": Task(
                f"8,2,1,2,{count}", _two_levels(count), ("hierarchy",)
            )
            for count in _OUTPUT_COUNTS
        },
    }


def _inputs(count: int) -> tuple[str, ...]:
    """The names x0, x1, ..."""
    return tuple(f"x{place}" for place in range(count))


def _first(reads: tuple[str, ...]) -> Gate:
    """The function A of four inputs."""
    return minterms(("1100", "1010", "0011"), reads=reads)


def _second(reads: tuple[str, ...]) -> Gate:
    """The function B of four inputs."""
    return minterms(("1111", "1001", "0101"), reads=reads)


def _separable() -> FunctionGraph:
    """Two sub-functions with inputs of their own, each also turned over."""
    return FunctionGraph(
        inputs=_inputs(4),
        functions={"p": xor("x0", "x1"), "q": xor("x2", "x3")},
        outputs=("p", not_("p"), "q", not_("q")),
    )


def _reused(output_count: int) -> FunctionGraph:
    """Two sub-functions of the same inputs, each used many times."""
    inputs = _inputs(4)
    return FunctionGraph(
        inputs=inputs,
        functions={
            "f": minterms(("1100", "1010"), reads=inputs),
            "g": minterms(("1010", "0011"), reads=inputs),
        },
        outputs=("f", "g") * (output_count // 2),
    )


def _separable_and_reused() -> FunctionGraph:
    """Three sub-functions with inputs of their own, each used twice."""
    return FunctionGraph(
        inputs=_inputs(6),
        functions={
            "p": and_("x0", "x1"),
            "q": and_("x2", "x3"),
            "r": and_("x4", "x5"),
            "p or q": or_("p", "q"),
            "p or r": or_("p", "r"),
            "q or r": or_("q", "r"),
        },
        outputs=("p or q", "p or r", "q or r"),
    )


def _neither() -> FunctionGraph:
    """One function, four times."""
    inputs = _inputs(4)
    return FunctionGraph(
        inputs=inputs, functions={"A": _first(inputs)}, outputs=("A",) * 4
    )


def _overlapping(input_count: int, output_count: int) -> FunctionGraph:
    """A of the first four inputs and B of the last four, which may be shared."""
    inputs = _inputs(input_count)
    return FunctionGraph(
        inputs=inputs,
        functions={"A": _first(inputs[:4]), "B": _second(inputs[-4:])},
        outputs=("A", "B") * (output_count // 2),
    )


def _two_levels(output_count: int) -> FunctionGraph:
    """Two functions of two sub-functions with inputs of their own."""
    inputs = _inputs(8)
    return FunctionGraph(
        inputs=inputs,
        functions={
            "a": _first(inputs[:4]),
            "b": _second(inputs[4:]),
            "a and not b": and_("a", not_("b")),
            "b and not a": and_("b", not_("a")),
        },
        outputs=("a and not b", "b and not a") * (output_count // 2),
    )
