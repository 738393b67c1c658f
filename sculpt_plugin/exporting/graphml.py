"""A graph as GraphML, which networkx, igraph, yEd and Cytoscape read."""

from collections.abc import Iterator
from xml.sax.saxutils import escape

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.exporting.units import ATTRIBUTES, Units, described

_TYPES = {"integer": "int", "string": "string", "boolean": "boolean"}
_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns \
http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">
"""


def graphml(graph: LayeredGraph, units: Units) -> Iterator[str]:
    """Write a graph as GraphML, in pieces.

    The writer of networkx builds the whole file as a tree first, and puts characters
    into it that no XML reader takes.

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
        >>> print("".join(list(graphml(graph, units))[-2:]), end="")
        <edge source="0" target="1"/>
        </graph>
        </graphml>
    """
    yield _HEAD
    for name, kind in {"label": "string", **ATTRIBUTES}.items():
        yield (
            f'<key id="{name}" for="node" attr.name="{name}" '
            f'attr.type="{_TYPES[kind]}"/>\n'
        )
    yield '<graph edgedefault="directed">\n'
    for unit, (label, said) in enumerate(described(units)):
        data = [
            f'<data key="{name}">{xml_text(value)}</data>'
            for name, value in {"label": label, **said}.items()
        ]
        yield f'<node id="{unit}">{"".join(data)}</node>\n'
    ends = (graph.edge_sources.tolist(), graph.adjacency.indices.tolist())
    for source, target in zip(*ends, strict=True):
        yield f'<edge source="{source}" target="{target}"/>\n'
    yield "</graph>\n</graphml>\n"


def xml_text(value: int | str | bool) -> str:
    """Write a value as XML has it, between tags or between double quotes.

    Example:
        >>> xml_text(True), xml_text('a "b" <c> & d')
        ('true', 'a &quot;b&quot; &lt;c&gt; &amp; d')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(str(value), {'"': "&quot;"})
