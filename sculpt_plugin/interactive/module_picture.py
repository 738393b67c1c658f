"""The hierarchy of modules as data for the page: nodes, arrows and what each says."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy, TaskModule
from sculpt_plugin.drawing.layout import place_modules
from sculpt_plugin.drawing.palette import module_colour
from sculpt_plugin.drawing.routes import route_arrows
from sculpt_plugin.interactive.calling import called
from sculpt_plugin.interactive.listing import numbered
from sculpt_plugin.interactive.network import INCH
from sculpt_plugin.interactive.room import among

MOST_ARROWS = 1_000
"""How many arrows a page draws; where there are more, those with most edges."""

_SHORT, _LONG = 20, 240  # letters of a list, in a node and beside the picture


def module_data(
    graph: LayeredGraph, hierarchy: Hierarchy, chosen: Sequence[TaskModule]
) -> list[dict[str, Any]]:
    """Say of each module all that the page says, as plain data.

    Args:
        graph: The network.
        hierarchy: All its modules.
        chosen: The modules to speak of.

    Returns:
        For each module its `id`, `colour`, `level`, `units`, `layers` with the number
        of its units in each, `inputs` and `outputs` as short and long lists, which
        modules it is `used_by` and which it `reads`, `separable` and `density`.

    Example:
        >>> graph = LayeredGraph.from_edges((1, 1), [(0, 1)])
        >>> module = TaskModule(0, 0, (0, 1), 2, (0,), (0,), (), True, 1.0)
        >>> found = Hierarchy((module,), np.array([0, 0]), {})
        >>> said = module_data(graph, found, found.modules)[0]
        >>> said["layers"], said["inputs"]
        ([['inputs', 1], ['layer 1', 1]], ['x0', 'x0'])
    """
    sizes = _sizes(graph, hierarchy)
    fed: dict[int, list[int]] = defaultdict(list)
    for source, target in hierarchy.edges:
        fed[target].append(source)
    shown = {module.id for module in chosen}
    return [
        {
            "id": module.id,
            "colour": module_colour(module.id),
            "level": module.level,
            "units": module.units,
            "layers": [
                [called(graph.names[layer]), sizes.get((module.id, layer), 0)]
                for layer in module.layers
            ],
            "inputs": _lists("x", module.inputs),
            "outputs": _lists("y", module.outputs),
            "used_by": [number for number in module.used_by if number in shown],
            "reads": [number for number in fed[module.id] if number in shown],
            "separable": module.input_separable,
            "density": round(module.density, 4),
        }
        for module in chosen
    ]


def hierarchy_data(
    hierarchy: Hierarchy, chosen: tuple[TaskModule, ...]
) -> dict[str, Any]:
    """Give the places of modules and arrows, as plain data.

    Places are those of `plot.hierarchy`, in pixels from the top left.

    Args:
        hierarchy: All modules.
        chosen: The modules to show.

    Returns:
        `width`, `height` and the size of a `node`; `x` and `y`, the middle of each
        module's node; `levels`, the number and height of each level; `arrows`, each
        with `from`, `to`, the `count` of its edges and its `route` (start, control
        point and tip of a curve); `left_out`, how many arrows are missing.

    Example:
        >>> module = TaskModule(0, 0, (0,), 2, (0,), (0,), (), True, 1.0)
        >>> found = Hierarchy((module,), np.array([0, 0]), {})
        >>> data = hierarchy_data(found, found.modules)
        >>> data["x"], data["arrows"], data["levels"]
        ([86.4], [], [[0, 27.84]])
    """
    part = among(hierarchy, chosen, arrows=MOST_ARROWS)
    places = place_modules(part)
    top = places.height - places.node[1] / 2
    routes = route_arrows(part, places)
    routes[..., 1] = top - routes[..., 1]
    y = ((top - places.y) * INCH).round(2)
    level = np.array([module.level for module in chosen], dtype=int)
    pairs = zip(part.edges.items(), (routes * INCH).round(1).tolist(), strict=True)
    ids = {module.id for module in chosen}
    wanted = sum(source in ids and to in ids for source, to in hierarchy.edges)
    return {
        "width": round(places.width * INCH, 2),
        "height": round(places.height * INCH, 2),
        "node": [round(side * INCH, 2) for side in places.node],
        "x": (places.x * INCH).round(2).tolist(),
        "y": y.tolist(),
        "levels": [
            [number, round(float(y[level == number].mean()), 2)]
            for number in np.unique(level).tolist()
        ],
        "arrows": [
            {"from": chosen[start].id, "to": chosen[to].id, "count": n, "route": route}
            for ((start, to), n), route in pairs
        ],
        "left_out": wanted - len(part.edges),
    }


def _sizes(graph: LayeredGraph, hierarchy: Hierarchy) -> dict[tuple[int, int], int]:
    """Count the units that each module has in each layer."""
    live: Int[np.ndarray, " live"] = np.flatnonzero(hierarchy.label >= 0)
    places = hierarchy.label[live] * graph.depth + graph.layer_of[live]
    keys, counts = np.unique(places, return_counts=True)
    return {
        divmod(key, graph.depth): count
        for key, count in zip(keys.tolist(), counts.tolist(), strict=True)
    }


def _lists(letter: str, numbers: Sequence[int]) -> list[str]:
    """List inputs or outputs twice: for a node, and for the place beside it."""
    return [numbered(letter, numbers, room=room) for room in (_SHORT, _LONG)]
