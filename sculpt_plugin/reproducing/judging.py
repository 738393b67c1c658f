"""Whether modules that were found are those of the task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy
from sculpt_plugin.reproducing.experiments import Criterion
from sculpt_plugin.tasks import Family, Task


@dataclass(frozen=True)
class Verdict:
    """What is right about the modules found, without regard to what a row asks.

    Attributes:
        inputs: The inputs are grouped as the task groups them.
        outputs: Outputs of equal functions are together, of different ones apart.
        outputs_together: All outputs are in one module.
        outputs_separate: No module holds both an input and an output.
        module_count: How many modules there are, None where only the groups of inputs
            and of outputs are known.
        apart: The hidden units that serve different outputs lie in different modules,
            None where that is not known.
        edge_count: How many edges the network has, None for what several say together.
    """

    inputs: bool
    outputs: bool
    outputs_together: bool
    outputs_separate: bool
    module_count: int | None = None
    apart: bool | None = None
    edge_count: int | None = None


def judge(task: Task, graph: LayeredGraph, found: Hierarchy) -> Verdict:
    """Compare the modules of one network with the task's own.

    Args:
        task: What the network computes; its true modules are known.
        graph: The network, dead units included.
        found: Its modules.

    Returns:
        The verdict.

    Example:
        Two halves, each with a hidden unit and an output of its own.

        >>> from sculpt_plugin.analysis.modules import detect
        >>> from sculpt_plugin.tasks import FunctionGraph, Task, and_, xor
        >>> halves = {"p": and_("a", "b"), "q": xor("c", "d")}
        >>> truth = FunctionGraph(("a", "b", "c", "d"), halves, ("p", "q"))
        >>> edges = [(0, 4), (1, 4), (2, 5), (3, 5), (4, 6), (5, 7)]
        >>> graph = LayeredGraph.from_edges((4, 2, 2), edges)
        >>> verdict = judge(Task("halves", truth), graph, detect(graph))
        >>> verdict.inputs, verdict.outputs, verdict.apart, verdict.module_count
        (True, True, True, 2)
    """
    inputs = found.label[graph.units(0)]
    outputs = found.label[graph.units(graph.depth - 1)]
    groups = judge_groups(task, inputs.tolist(), outputs.tolist())
    return Verdict(
        inputs=groups.inputs,
        outputs=groups.outputs,
        outputs_together=groups.outputs_together,
        outputs_separate=groups.outputs_separate,
        module_count=len(found.modules),
        apart=hidden_units_apart(graph, found.label, task.truth.output_label),
        edge_count=graph.edge_count,
    )


def judge_groups(task: Task, inputs: Sequence[int], outputs: Sequence[int]) -> Verdict:
    """Compare groups of inputs and of outputs with the task's own.

    Args:
        task: What is computed.
        inputs: The module of each input, -1 for none.
        outputs: The module of each output, -1 for none. A module that holds inputs and
            outputs has the same number in both.

    Returns:
        The verdict, as far as inputs and outputs go.

    Example:
        >>> from sculpt_plugin import tasks
        >>> judge_groups(tasks.get("4,2,4"), [7, 7, 3, 3], [7, 7, 3, 0]).outputs
        False
    """
    truth = task.truth
    return Verdict(
        inputs=same_partition(inputs, truth.input_label),
        outputs=same_partition(outputs, truth.output_label),
        outputs_together=len(set(outputs)) == 1,
        outputs_separate=not set(inputs) & set(outputs),
    )


def same_partition(found: Sequence[int], true: Sequence[int]) -> bool:
    """Tell whether two labellings group the same things; -1 belongs to no group.

    Example:
        >>> same_partition([5, 5, 2], [0, 0, 1]), same_partition([0, -1], [0, 1])
        (True, False)
    """
    pairs = set(zip(found, true, strict=True))
    one_to_one = len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    return one_to_one and all((a == -1) == (b == -1) for a, b in pairs)


def hidden_units_apart(
    graph: LayeredGraph,
    label: Int[np.ndarray, " unit"],
    functions: Sequence[int],
) -> bool:
    """Tell whether each module with hidden units serves one output function only.

    A hidden unit serves the functions of the outputs that a path leads to. Units that
    serve different functions must lie in different modules, so a unit that serves two
    is a fault already. Judged like this the networks that the paper's authors published
    have the rates that the paper reports.

    Args:
        graph: The network.
        label: The module of each unit, -1 for a dead one.
        functions: For each output the number of its function.

    Example:
        Two outputs, each with a hidden unit of its own, and one that both share.

        >>> edges = [(0, 1), (0, 2), (1, 3), (2, 4)]
        >>> graph = LayeredGraph.from_edges((1, 2, 2), edges)
        >>> hidden_units_apart(graph, np.array([0, 1, 2, 1, 2]), (0, 1))
        True
        >>> hidden_units_apart(graph, np.array([0, 1, 1, 1, 1]), (0, 1))
        False
    """
    serves = _functions_served(graph, functions)
    hidden = np.arange(graph.units(0).stop, graph.units(graph.depth - 1).start)
    hidden = hidden[label[hidden] >= 0]
    served = np.zeros((label.max(initial=0) + 1, serves.shape[1]), dtype=bool)
    np.logical_or.at(served, label[hidden], serves[hidden])
    return bool((served.sum(axis=1) <= 1).all())


def _functions_served(
    graph: LayeredGraph, functions: Sequence[int]
) -> Bool[np.ndarray, "unit function"]:
    """For each unit the functions of the outputs it reaches."""
    _, column = np.unique(np.asarray(functions), return_inverse=True)
    serves = np.zeros((graph.unit_count, column.max() + 1), dtype=bool)
    last = graph.units(graph.depth - 1)
    serves[np.arange(last.start, last.stop), column] = True
    # Every edge runs to a later layer, so from the outputs down one sweep is enough.
    for layer in reversed(range(graph.depth - 1)):
        units = graph.units(layer)
        reached = graph.adjacency[units].astype(np.int64) @ serves.astype(np.int64)
        serves[units] |= reached > 0
    return serves


def is_right(
    verdict: Verdict, task: Task, *, family: Family, depth: int
) -> Mapping[Criterion, bool | None]:
    """Tell what a row of the paper's tables asks, and whether it is so.

    - `inputs` and `outputs`: grouped as the task groups them.
    - `apart` (overlap family): no module with hidden units serves both functions.
    - `modules`, by family:
        - exemplars: inputs and outputs are right, and so is the number of modules.
        - reuse: inputs and outputs are right.
        - hierarchy: all modules that the depth has room for. The inputs are right, no
          module holds both inputs and outputs, and the outputs are right. With one or
          two hidden layers the outputs may be one module instead: there the sparsest
          wiring computes the two lower functions once and lets every output read both,
          so that nothing is left that could tell the outputs apart. From three layers
          on the upper functions can have units of their own, and must be apart.

    Modules in between (the units that combine the two lower functions) are allowed, as
    the paper allows them.

    Args:
        verdict: What was found.
        task: The task.
        family: The row's family: a task can be in two.
        depth: How many hidden layers.

    Returns:
        Criterion to answer; None where it cannot be told.

    Example:
        >>> from sculpt_plugin import tasks
        >>> task = tasks.get("8,2,1,2,4")
        >>> inputs = [0, 0, 0, 0, 1, 1, 1, 1]
        >>> flat = judge_groups(task, inputs, [2, 2, 2, 2])
        >>> is_right(flat, task, family="hierarchy", depth=2)["modules"]
        True
        >>> is_right(flat, task, family="hierarchy", depth=3)["modules"]
        False
    """
    both = verdict.inputs and verdict.outputs
    modules: bool | None = both
    if family == "exemplar":
        counted = verdict.module_count
        modules = (
            None
            if both and counted is None
            else both and counted == len(task.truth.modules)
        )
    elif family == "hierarchy":
        together = verdict.outputs_together and depth <= 2
        modules = (
            verdict.inputs
            and verdict.outputs_separate
            and (verdict.outputs or together)
        )
    return {
        "inputs": verdict.inputs,
        "outputs": verdict.outputs,
        "apart": verdict.apart,
        "modules": modules,
    }
