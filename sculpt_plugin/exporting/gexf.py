"""A graph as GEXF 1.2, which opens in Gephi as layers from the bottom up, in colour."""

from collections.abc import Iterator

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.drawing.palette import module_colour
from sculpt_plugin.exporting.graphml import xml_text
from sculpt_plugin.exporting.units import ATTRIBUTES, Units, described, places_of

# The version that every Gephi since 0.8 reads, and networkx without being asked.
_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<gexf xmlns="http://www.gexf.net/1.2draft" \
xmlns:viz="http://www.gexf.net/1.2draft/viz" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://www.gexf.net/1.2draft \
http://www.gexf.net/1.2draft/gexf.xsd" version="1.2">
<meta><creator>Sculpt</creator></meta>
<graph mode="static" defaultedgetype="directed">
"""
_LIVE, _DEAD = (10, 4)  # sizes; Gephi's own is 10
_DEAD_COLOUR = "#c8c8c8"


def gexf(graph: LayeredGraph, units: Units) -> Iterator[str]:
    """Write a graph as GEXF, in pieces.

    Each module has the colour it has in the pictures of `plot`, dead units are small
    and grey.

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
        >>> print("".join(list(gexf(graph, units))[-2:]), end="")
        <edge id="0" source="0" target="1"/>
        </edges>
        </graph>
        </gexf>
    """
    yield _HEAD
    yield '<attributes class="node">\n'
    for name, kind in ATTRIBUTES.items():
        yield f'<attribute id="{name}" title="{name}" type="{kind}"/>\n'
    yield "</attributes>\n<nodes>\n"
    yield from _nodes(units)
    yield "</nodes>\n<edges>\n"
    ends = (graph.edge_sources.tolist(), graph.adjacency.indices.tolist())
    for edge, (source, target) in enumerate(zip(*ends, strict=True)):
        yield f'<edge id="{edge}" source="{source}" target="{target}"/>\n'
    yield "</edges>\n</graph>\n</gexf>\n"


def _nodes(units: Units) -> Iterator[str]:
    """Write the units with their looks."""
    live, dead = {}, _looks(_DEAD_COLOUR, _DEAD)
    for module in set(units.module.tolist()) - {-1}:
        live[module] = _looks(module_colour(module), _LIVE)
    places = places_of(units).tolist()
    for unit, (label, said) in enumerate(described(units)):
        values = [
            f'<attvalue for="{name}" value="{xml_text(value)}"/>'
            for name, value in said.items()
        ]
        x, y = places[unit]
        yield (
            f'<node id="{unit}" label="{xml_text(label)}"><attvalues>'
            f"{''.join(values)}</attvalues>{live.get(said.get('module'), dead)}"
            f'<viz:position x="{x}" y="{y}" z="0.0"/></node>\n'
        )


def _looks(colour: str, size: int) -> str:
    """Write the colour and the size of a unit."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f'<viz:color r="{red}" g="{green}" b="{blue}"/><viz:size value="{size}"/>'
