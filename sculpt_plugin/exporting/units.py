"""What a file for another tool says about each unit, and where it stands."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy
from sculpt_plugin.drawing.naming import shortened
from sculpt_plugin.errors import GraphError
from sculpt_plugin.exporting.spelling import spelled

ATTRIBUTES = {
    "layer": "integer",
    "layer_name": "string",
    "kind": "string",
    "channel": "integer",
    "live": "boolean",
    "module": "integer",
    "level": "integer",
}
"""What is said of each unit, and as what; a dead one has neither module nor level."""

_SPACING = 20.0  # from unit to unit; Gephi draws a unit of size 10
_LEAST_RISE = 200.0  # from layer to layer


@dataclass(frozen=True, eq=False)
class Units:
    """All units of a graph, as columns; texts are per layer.

    Attributes:
        names: Per layer, how it is spelled.
        kinds: Per layer, its kind, spelled.
        captions: Per layer, what goes before the number of a unit in its label.
        layer: Per unit, the number of its layer.
        channel: Per unit, its original number within the layer.
        module: Per unit, its module, -1 for a dead one.
        level: Per module, its level.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    captions: tuple[str, ...]
    layer: Int[np.ndarray, " unit"]
    channel: Int[np.ndarray, " unit"]
    module: Int[np.ndarray, " unit"]
    level: tuple[int, ...]

    @property
    def live(self) -> Bool[np.ndarray, " unit"]:
        """Tell which units are live."""
        return self.module >= 0


def units_of(graph: LayeredGraph, hierarchy: Hierarchy) -> Units:
    r"""Collect what is to be said about each unit.

    Args:
        graph: The network.
        hierarchy: Its modules.

    Returns:
        The units, in the graph's order.

    Raises:
        GraphError: `hierarchy` is not about the units of `graph`.

    Example:
        >>> graph = LayeredGraph.from_edges((1, 2), [(0, 1)], names=("inputs", "a\n"))
        >>> units = units_of(graph, Hierarchy((), np.array([0, 0, -1]), {}))
        >>> units.names, units.captions
        (('inputs', 'a\\n'), ('x', 'y'))
    """
    if len(hierarchy.label) != graph.unit_count:
        raise GraphError(
            f"hierarchy must be about the {graph.unit_count} units of the graph, but "
            f"is about {len(hierarchy.label)}: pass what detect found in this graph."
        )
    names = tuple(map(spelled, graph.names))
    captions = [f"{shortened(name, room=40)} ".lstrip() for name in graph.names]
    # As in the report. A graph that is all inputs cannot be.
    captions[0], captions[-1] = "x", "y"
    return Units(
        names=names,
        kinds=tuple(map(spelled, graph.kinds)),
        captions=tuple(captions),
        layer=graph.layer_of,
        channel=graph.channel,
        module=hierarchy.label,
        level=tuple(module.level for module in hierarchy.modules),
    )


def described(units: Units) -> Iterator[tuple[str, dict[str, int | str | bool]]]:
    """Say of each unit what it is called and what `ATTRIBUTES` lists.

    Args:
        units: The units.

    Yields:
        A label to show, and each attribute that the unit has.

    Example:
        >>> graph = LayeredGraph.from_edges((1, 2), [(0, 1)])
        >>> units = units_of(graph, Hierarchy((), np.array([0, 0, -1]), {}))
        >>> label, said = list(described(units))[2]
        >>> label, said["channel"], said["live"], "module" in said
        ('y1', 1, False, False)
    """
    columns = (units.layer.tolist(), units.channel.tolist(), units.module.tolist())
    for layer, channel, module in zip(*columns, strict=True):
        said: dict[str, int | str | bool] = {
            "layer": layer,
            "layer_name": units.names[layer],
            "kind": units.kinds[layer],
            "channel": channel,
            "live": module >= 0,
        }
        if module >= 0:
            said["module"] = module
        if 0 <= module < len(units.level):
            said["level"] = units.level[module]
        yield f"{units.captions[layer]}{channel}", said


def places_of(units: Units) -> Float[np.ndarray, "unit 2"]:
    """Place units in rows, the inputs lowest, each module side by side.

    The pictures of `plot` are arranged with more care, which takes long in large
    graphs; a program that draws graphs has arrangements of its own.

    Args:
        units: The units.

    Returns:
        Across and upwards, in points; each row is centred at 0, dead units last.

    Example:
        >>> graph = LayeredGraph.from_edges((3, 1), [(0, 3), (2, 3)])
        >>> units = units_of(graph, Hierarchy((), np.array([0, -1, 0, 0]), {}))
        >>> places_of(units).tolist()
        [[-20.0, 0.0], [20.0, 0.0], [0.0, 0.0], [0.0, 200.0]]
    """
    sizes = np.bincount(units.layer, minlength=len(units.names))
    starts = np.cumsum(sizes) - sizes
    order = np.lexsort((units.module, ~units.live, units.layer))
    rank = np.empty(len(order))
    rank[order] = np.arange(len(order)) - starts[units.layer[order]]
    across = (rank - (sizes[units.layer] - 1) / 2) * _SPACING
    # About twice as wide as high, however wide the layers are.
    rise = max(_LEAST_RISE, sizes.max() * _SPACING / (2 * (len(sizes) - 1)))
    return np.stack([across, units.layer * rise], axis=1)
