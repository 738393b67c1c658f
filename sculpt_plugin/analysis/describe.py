"""What there is to say about each module: its level, inputs, outputs and density."""

from collections import Counter, defaultdict
from graphlib import TopologicalSorter

import numpy as np
from jaxtyping import Bool, Int
from scipy import sparse
from scipy.sparse import csgraph

from sculpt_plugin.analysis import ends
from sculpt_plugin.analysis.ends import listed, module_ends
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import TaskModule
from sculpt_plugin.analysis.spread import mark, spread, unmark

# Modules from which it is quicker to mark inputs than modules.
_MANY = 64


def describe(
    graph: LayeredGraph, module: Int[np.ndarray, " unit"]
) -> tuple[tuple[TaskModule, ...], dict[tuple[int, int], int]]:
    """Describe the modules of a network and count the edges between them.

    Args:
        graph: A network without dead units.
        module: The module of each unit, from 0, none left out.

    Returns:
        The modules in order of their number, and the number of edges from one module
        to another. A density is 0 where no edge is possible; an edge is possible
        between units of two layers that the network joins somewhere.

    Example:
        Two inputs, each with an output of its own.

        >>> import numpy as np
        >>> graph = LayeredGraph.from_edges((2, 2), [(0, 2), (1, 3)])
        >>> modules, edges = describe(graph, np.array([0, 1, 0, 1]))
        >>> modules[1].inputs, modules[1].outputs, modules[1].input_separable, edges
        ((1,), (1,), True, {})
    """
    sizes = _sizes(graph, module)
    edges = _edges_between(graph, module, len(sizes))
    level = _levels(len(sizes), edges)
    if len(sizes) > _MANY:
        rows = module_ends(graph, module, 0)
        inputs = listed(rows, graph.channel[graph.units(0)])
        separable = ends.separable(rows, level)
        rows = module_ends(graph, module, graph.depth - 1)
        outputs = listed(rows, graph.channel[graph.units(graph.depth - 1)])
    else:
        inputs, outputs = _inputs_and_outputs(graph, module, len(sizes))
        separable = _separable(inputs, level)
    density = _densities(graph, module, sizes)
    layers = _marked(sizes > 0)
    units = sizes.sum(axis=1).tolist()
    used_by = defaultdict(list)
    for source, target in edges:
        used_by[source].append(target)
    modules = tuple(
        TaskModule(
            id=number,
            level=level[number],
            layers=layers[number],
            units=units[number],
            inputs=inputs[number],
            outputs=outputs[number],
            used_by=tuple(used_by[number]),
            input_separable=separable[number],
            density=density[number],
        )
        for number in range(len(sizes))
    )
    return modules, edges


def _sizes(
    graph: LayeredGraph, module: Int[np.ndarray, " unit"]
) -> Int[np.ndarray, "module layer"]:
    """Count the units that each module has in each layer."""
    shape = (int(module.max()) + 1, graph.depth)
    places = module * graph.depth + graph.layer_of
    return np.bincount(places, minlength=shape[0] * shape[1]).reshape(shape)


def _edges_between(
    graph: LayeredGraph, module: Int[np.ndarray, " unit"], module_count: int
) -> dict[tuple[int, int], int]:
    """Count the edges from one module to another, in order."""
    source = module[graph.edge_sources]
    target = module[graph.adjacency.indices]
    between = (source * module_count + target)[source != target]
    pairs, counts = np.unique(between, return_counts=True)
    return {
        divmod(pair, module_count): count
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True)
    }


def _levels(module_count: int, edges: dict[tuple[int, int], int]) -> list[int]:
    """Longest path to each module; modules that feed each other share a level."""
    circle = list(range(module_count))
    # Modules are numbered from the inputs up, so a circle needs an edge back down.
    if any(source > target for source, target in edges):
        matrix = sparse.coo_array(
            (np.ones(len(edges)), tuple(np.array(list(edges)).T)),
            shape=(module_count, module_count),
        )
        circle = csgraph.connected_components(matrix, connection="strong")[1].tolist()
    feeders: dict[int, set[int]] = {number: set() for number in circle}
    for source, target in edges:
        if circle[source] != circle[target]:
            feeders[circle[target]].add(circle[source])
    level: dict[int, int] = {}
    for number in TopologicalSorter(feeders).static_order():
        level[number] = max((level[below] + 1 for below in feeders[number]), default=0)
    return [level[number] for number in circle]


def _inputs_and_outputs(
    graph: LayeredGraph, module: Int[np.ndarray, " unit"], module_count: int
) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """List the inputs that reach each module, and the outputs it reaches."""
    inputs, outputs = graph.units(0), graph.units(graph.depth - 1)
    output = np.full(graph.unit_count, -1)
    output[outputs] = np.arange(graph.sizes[-1])
    modules = mark(module, module_count)
    marks = spread(graph, np.concatenate([modules, mark(output, graph.sizes[-1])]))
    reached = unmark(marks[: len(modules), inputs], module_count)
    # All units of a module side by side, so that their outputs join in one go.
    together = np.argsort(module, kind="stable")
    starts = np.searchsorted(module[together], np.arange(module_count))
    reaching = np.bitwise_or.reduceat(
        marks[len(modules) :].take(together, axis=1), starts, axis=1
    )
    return (
        _marked(reached.T, graph.channel[inputs]),
        _marked(unmark(reaching, graph.sizes[-1]), graph.channel[outputs]),
    )


def _marked(
    table: Bool[np.ndarray, "module mark"],
    names: Int[np.ndarray, " mark"] | None = None,
) -> list[tuple[int, ...]]:
    """List the marked columns of each row, by name where they have one."""
    marked: list[list[int]] = [[] for _ in table]
    row, column = np.nonzero(table)
    named = column if names is None else names[column]
    for module, name in zip(row.tolist(), named.tolist(), strict=True):
        marked[module].append(name)
    return [tuple(found) for found in marked]


def _separable(inputs: list[tuple[int, ...]], level: list[int]) -> list[bool]:
    """Whether each module has inputs, and shares none with another of its level."""
    places = list(zip(inputs, level, strict=True))
    readers = Counter((depth, name) for names, depth in places for name in names)
    return [
        bool(names) and all(readers[depth, name] == 1 for name in names)
        for names, depth in places
    ]


def _densities(
    graph: LayeredGraph,
    module: Int[np.ndarray, " unit"],
    sizes: Int[np.ndarray, "module layer"],
) -> list[float]:
    """Share of each module's possible edges that are there."""
    source, target = graph.edge_sources, graph.adjacency.indices
    inside = module[source] == module[target]
    edges = np.bincount(module[source[inside]], minlength=len(sizes))
    joined = np.unique(graph.layer_of[source] * graph.depth + graph.layer_of[target])
    below, above = np.divmod(joined, graph.depth)
    possible = (sizes[:, below] * sizes[:, above]).sum(axis=1)
    return (edges / np.maximum(possible, 1)).tolist()
