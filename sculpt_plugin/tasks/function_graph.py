"""A function graph: named inputs, named sub-functions of them, and the outputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

import numpy as np
from jaxtyping import Bool

from sculpt_plugin.errors import TaskError
from sculpt_plugin.tasks.gates import Gate, all_rows


@dataclass(frozen=True, eq=False)
class FunctionGraph:
    """A Boolean task, written down as the sub-functions it is made of.

    A network learns the whole table; its author knows the parts. Each *named*
    function is one sub-function, and the task's true modules follow from the names
    (see `true_hierarchy`); gates nested inside a function stay inside it. The names
    must therefore stand for different things: two functions that are equal in every
    row, or opposite, are refused, as no network could tell them apart.

    Attributes:
        inputs: Names of the inputs, the first is the most significant bit of the
            number of a row.
        functions: Name of a sub-function -> the gate that computes it from inputs
            and other functions.
        outputs: The network's outputs in order: a function's name, or `not_(name)`
            for its opposite, which belongs to the same sub-function. A function may
            be given out many times.

    Raises:
        TaskError: A name is unknown, used twice or reads itself in a circle; a
            function ignores something that it reads, equals another one or reaches
            no output; there are no outputs, or more than 16 inputs.

    Example:
        A sum of two bits and what it is not, with a carry.

        >>> from sculpt_plugin.tasks import FunctionGraph, and_, not_, xor
        >>> graph = FunctionGraph(
        ...     inputs=("a", "b"),
        ...     functions={"sum": xor("a", "b"), "carry": and_("a", "b")},
        ...     outputs=("sum", not_("sum"), "carry"),
        ... )
        >>> graph.table.astype(int)
        array([[0, 1, 0],
               [1, 0, 0],
               [1, 0, 0],
               [0, 1, 1]])
    """

    inputs: tuple[str, ...]
    functions: Mapping[str, Gate]
    outputs: tuple[str | Gate, ...]

    def __post_init__(self) -> None:
        """Refuse a graph whose parts do not make one task."""
        for name in ("inputs", "outputs"):
            if isinstance(getattr(self, name), str):
                raise TaskError(
                    f"{name} must be a list of names, got the text "
                    f"{getattr(self, name)!r}: put it in brackets."
                )
        for name, gate in dict(self.functions).items():
            if not isinstance(gate, Gate):
                raise TaskError(
                    f"Function {name!r} must be a gate, such as and_('a', 'b'), got "
                    f"{type(gate).__name__}."
                )
        object.__setattr__(self, "functions", dict(self.functions))
        _check_names(self)
        _check_functions(self)
        _check_outputs(self)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The functions, each after those it reads."""
        readers = {name: gate.names for name, gate in self.functions.items()}
        try:
            sorted_names = tuple(TopologicalSorter(readers).static_order())
        except CycleError as error:
            circle = " -> ".join(error.args[1])
            raise TaskError(
                f"A function must not read itself, got the circle {circle}."
            ) from None
        return tuple(name for name in sorted_names if name in self.functions)

    @cached_property
    def values(self) -> dict[str, Bool[np.ndarray, " row"]]:
        """The value of every input and function in every row."""
        known = all_rows(self.inputs)
        for name in self.order:
            known[name] = self.functions[name].values(known)
        return known

    @cached_property
    def rows(self) -> Bool[np.ndarray, "row input"]:
        """All rows of input values, in order of their number."""
        return np.stack([self.values[name] for name in self.inputs], axis=1)

    @cached_property
    def table(self) -> Bool[np.ndarray, "row output"]:
        """The outputs' values in every row."""
        return np.stack(
            [
                self.values[output]
                if isinstance(output, str)
                else output.values(self.values)
                for output in self.outputs
            ],
            axis=1,
        )

    @cached_property
    def output_functions(self) -> tuple[str, ...]:
        """The function that each output belongs to."""
        return tuple(
            output if isinstance(output, str) else output.names[0]
            for output in self.outputs
        )


def _check_names(graph: FunctionGraph) -> None:
    """Every name is given once, and everything that is read has been given."""
    if not graph.inputs:
        raise TaskError("A function graph needs at least one input, got none.")
    seen: set[str] = set()
    for name in (*graph.inputs, *graph.functions):
        if name in seen:
            raise TaskError(
                f"Every input and function needs a name of its own, got {name!r} twice."
            )
        seen.add(name)
    for reader, gate in graph.functions.items():
        for name in gate.names:
            _check_known(name, seen, place=f"Function {reader!r} reads")


def _check_known(name: str, known: set[str], *, place: str) -> None:
    """`name` is in the graph; else say which one may have been meant."""
    if name not in known:
        near = get_close_matches(name, sorted(known), n=1)
        advice = f"did you mean {near[0]!r}?" if near else "add it to the functions."
        raise TaskError(
            f"{place} {name!r}, which is no input and no function: {advice}"
        )


def _check_functions(graph: FunctionGraph) -> None:
    """Each function needs all that it reads, and differs from all others."""
    for name, gate in graph.functions.items():
        alone = all_rows(gate.names)
        whole = gate.values(alone)
        for place, read in enumerate(gate.names):
            halves = whole.reshape(2**place, 2, -1)
            if np.array_equal(halves[:, 0], halves[:, 1]):
                raise TaskError(
                    f"Function {name!r} must depend on all that it reads, but "
                    f"{read!r} never changes it: leave {read!r} out."
                )
    first: dict[bytes, str] = {}
    for name in (*graph.inputs, *graph.order):
        values = graph.values[name]
        if values.all() or not values.any():
            raise TaskError(
                f"Function {name!r} must change between rows, but is always "
                f"{int(values[0])}."
            )
        key = (values ^ values[0]).tobytes()
        twin = first.setdefault(key, name)
        if twin != name:
            raise TaskError(
                f"Functions must differ, but {name!r} equals {twin!r} or its opposite "
                f"in every row: leave it out and write {twin!r} or not_({twin!r})."
            )


def _check_outputs(graph: FunctionGraph) -> None:
    """Each output is a function or its opposite, and each function is of use."""
    if not graph.outputs:
        raise TaskError("A function graph needs at least one output, got none.")
    for place, output in enumerate(graph.outputs):
        name, *others = (output,) if isinstance(output, str) else output.names
        if others:
            raise TaskError(
                f"An output must be one function or its opposite, but output {place} "
                f"combines {', '.join([name, *others])}: give that combination a name "
                "in functions."
            )
        _check_known(
            name, {*graph.inputs, *graph.functions}, place=f"Output {place} is"
        )
        if name in graph.inputs:
            raise TaskError(
                f"An output must be a function, but output {place} is the input "
                f"{name!r}."
            )
        if isinstance(output, Gate) and len(set(output.values(all_rows([name])))) < 2:
            raise TaskError(
                f"An output must change between rows, but output {place} never does: "
                f"write {name!r} or not_({name!r})."
            )
    used = set(graph.output_functions)
    for name in reversed(graph.order):
        if name not in used:
            raise TaskError(
                f"Every function must reach an output, but nothing reads {name!r}: "
                "leave it out, or give it out."
            )
        used.update(graph.functions[name].names)
