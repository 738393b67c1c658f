"""A graph as node-link JSON, which networkx and D3 read."""

import json
from collections.abc import Iterator

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.exporting.units import Units, described

SCHEMA = "sculpt-graph/1"


def node_link(graph: LayeredGraph, units: Units) -> Iterator[str]:
    """Write a graph as JSON, in pieces, a unit or an edge on a line.

    `networkx.node_link_graph(json.load(file), edges="edges")` reads it; for D3 pass
    `nodes` and `edges` to the simulation.

    Args:
        graph: The edges.
        units: What is said about the units.

    Yields:
        The text, piece by piece.

    Example:
        >>> import numpy as np
        >>> from sculpt_plugin.analysis.hierarchy import Hierarchy
        >>> from sculpt_plugin.exporting.units import units_of
        >>> graph = LayeredGraph.from_edges((1, 1), [(0, 1)])
        >>> units = units_of(graph, Hierarchy((), np.array([0, 0]), {}))
        >>> json.loads("".join(node_link(graph, units)))["edges"]
        [{'source': 0, 'target': 1}]
    """
    head = {"directed": True, "multigraph": False, "graph": {"schema": SCHEMA}}
    yield f'{json.dumps(head)[:-1]},\n"nodes": ['
    between = "\n"
    for unit, (label, said) in enumerate(described(units)):
        yield between + json.dumps({"id": unit, "label": label, **said})
        between = ",\n"
    yield '\n],\n"edges": ['
    between = "\n"
    ends = (graph.edge_sources.tolist(), graph.adjacency.indices.tolist())
    for source, target in zip(*ends, strict=True):
        yield f'{between}{{"source": {source}, "target": {target}}}'
        between = ",\n"
    yield "\n]}\n"
