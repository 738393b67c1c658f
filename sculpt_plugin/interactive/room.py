"""What a page has room for: which modules, and whether units at all."""

from dataclasses import replace

import numpy as np

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy, TaskModule

MOST_MODULES = 300
"""How many modules a page shows; those of a network in pieces would drown it."""

MOST_UNITS, MOST_EDGES = 20_000, 60_000
"""What a page holds unit by unit; beyond, it has the modules only.

Measured in headless Chromium on two busy cores without a graphics card: drawing so
many takes 1.4 s, and the file has 0.8 MB.
"""

MOST_OPEN_UNITS, MOST_OPEN_EDGES = 4_000, 20_000
"""What a page opens with unit by unit; beyond, it opens with the modules.

Measured likewise: it is drawn in 0.2 s, and the paths of a unit in 0.1 s.
"""

COLLAPSED = (
    "This is a large network, so the page opens with its modules. Press Units for all "
    "of it, or choose a module first."
)
"""Why a page opens with the modules, where it holds the units as well."""


def largest(hierarchy: Hierarchy) -> tuple[TaskModule, ...]:
    """Choose the modules to show: all, or the largest.

    Args:
        hierarchy: The modules.

    Returns:
        At most `MOST_MODULES`, in the order of their numbers.

    Example:
        >>> largest(Hierarchy((), np.zeros(0, int), {}))
        ()
    """
    by_size = sorted(hierarchy.modules, key=lambda module: (-module.units, module.id))
    return tuple(sorted(by_size[:MOST_MODULES], key=lambda module: module.id))


def among(
    hierarchy: Hierarchy, chosen: tuple[TaskModule, ...], *, arrows: int
) -> Hierarchy:
    """Give the hierarchy of some modules, numbered anew from 0.

    Args:
        hierarchy: All modules.
        chosen: Some of them, in the order of their numbers.
        arrows: How many pairs of modules may stay; those with most edges do.

    Returns:
        The hierarchy; module `i` is `chosen[i]`. It labels no units.

    Example:
        >>> module = TaskModule(7, 0, (0,), 1, (), (), (), True, 0.0)
        >>> everything = Hierarchy((), np.zeros(0, int), {})
        >>> among(everything, (module,), arrows=9).modules[0].id
        0
    """
    number = {module.id: place for place, module in enumerate(chosen)}
    pairs = [
        (count, number[source], number[target])
        for (source, target), count in hierarchy.edges.items()
        if source in number and target in number
    ]
    strongest = sorted(pairs, key=lambda pair: -pair[0])[:arrows]
    return Hierarchy(
        tuple(replace(module, id=place) for place, module in enumerate(chosen)),
        np.zeros(0, dtype=int),
        {(source, target): count for count, source, target in sorted(strongest)},
    )


def too_large(graph: LayeredGraph, hierarchy: Hierarchy) -> str:
    """Say why a page holds modules only, or nothing where it holds units.

    Args:
        graph: The network.
        hierarchy: Its modules.

    Returns:
        A sentence, or an empty text.

    Example:
        >>> graph = LayeredGraph.from_edges((1, 1), [(0, 1)])
        >>> too_large(graph, Hierarchy((), np.array([0, 0]), {}))
        ''
    """
    live = int((hierarchy.label >= 0).sum())
    if live <= MOST_UNITS and graph.edge_count <= MOST_EDGES:
        return ""
    return (
        f"This network has {live:,} live units and {graph.edge_count:,} edges, more "
        f"than a page can show one by one ({MOST_UNITS:,} and {MOST_EDGES:,}): here "
        "are its modules only."
    )


def opens_with_units(graph: LayeredGraph, hierarchy: Hierarchy) -> bool:
    """Tell whether a page opens with the units, or with the modules only.

    Args:
        graph: The network.
        hierarchy: Its modules.

    Returns:
        Whether it opens with the units.

    Example:
        >>> graph = LayeredGraph.from_edges((1, 1), [(0, 1)])
        >>> opens_with_units(graph, Hierarchy((), np.array([0, 0]), {}))
        True
    """
    live = int((hierarchy.label >= 0).sum())
    return live <= MOST_OPEN_UNITS and graph.edge_count <= MOST_OPEN_EDGES
