"""A task: a function graph with a name, and the truth an analysis should find."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sculpt_plugin.tasks.function_graph import FunctionGraph
from sculpt_plugin.tasks.true_hierarchy import TrueHierarchy, true_hierarchy

Family = Literal["exemplar", "reuse", "overlap", "hierarchy"]


@dataclass(frozen=True, eq=False)
class Task:
    """A Boolean task with a name.

    Attributes:
        name: What reports and plots call it.
        graph: The sub-functions it is made of.
        families: The paper's families that it belongs to, none for a task of one's
            own.

    Example:
        >>> from sculpt_plugin.tasks import FunctionGraph, Task, xor
        >>> graph = FunctionGraph(
        ...     inputs=("a", "b"), functions={"sum": xor("a", "b")}, outputs=("sum",)
        ... )
        >>> task = Task(name="half a half adder", graph=graph)
        >>> len(task.truth.modules)
        1
    """

    name: str
    graph: FunctionGraph
    families: tuple[Family, ...] = ()

    @property
    def input_count(self) -> int:
        """How many inputs a network for it has."""
        return len(self.graph.inputs)

    @property
    def output_count(self) -> int:
        """How many outputs a network for it has."""
        return len(self.graph.outputs)

    @cached_property
    def truth(self) -> TrueHierarchy:
        """The true modules and their hierarchy."""
        return true_hierarchy(self.graph)
