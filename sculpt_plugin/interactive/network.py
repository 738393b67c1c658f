"""The layered network as data for the page: places, edges and outlines in pixels."""

from typing import Any

import numpy as np
from jaxtyping import Float

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy
from sculpt_plugin.drawing.layout import Outline, live_edges, place_units
from sculpt_plugin.drawing.naming import shortened
from sculpt_plugin.exporting.units import units_of
from sculpt_plugin.interactive.calling import called

INCH = 96
"""Pixels to the inch: the pictures' places are in inches, a page's in pixels."""

_RADIUS = 0.09 * INCH  # of an outline's corners, as in the pictures


def network_data(graph: LayeredGraph, hierarchy: Hierarchy) -> dict[str, Any]:
    """Give the live part of a network with its places, as plain data.

    Places are those of `plot.layered`, in pixels from the top left. Units are numbered
    anew without the dead ones, in the graph's order.

    Args:
        graph: The network.
        hierarchy: Its modules.

    Returns:
        `width` and `height`; `layers`, each with `name`, `short` name, `kind`, `units`,
        `live`, `y`, `radius` of its dots and `spacing`; per unit `layer`, `channel`,
        `module` and `x`; `targets`, for each unit those it feeds; `outlines`, each with
        its `module`, an SVG `path` and the place of its `name` (x, y, upright), or
        None.

    Example:
        >>> graph = LayeredGraph.from_edges((2, 1), [(0, 2)])
        >>> data = network_data(graph, Hierarchy((), np.array([0, -1, 0]), {}))
        >>> data["channel"], data["targets"], data["layers"][0]["live"]
        ([0, 0], [[1], []], 1)
    """
    places = place_units(graph, hierarchy)
    units = units_of(graph, hierarchy)
    live = np.flatnonzero(units.live)
    number = np.cumsum(units.live) - 1
    source, target = (number[end] for end in live_edges(graph, hierarchy))
    starts = np.searchsorted(source, np.arange(1, len(live)))
    alive = np.bincount(graph.layer_of[live], minlength=graph.depth).tolist()
    radius = np.clip(0.31 * places.spacing, 0.3 / 72, 0.05) * INCH
    height = places.height * INCH
    names = [called(name) for name in graph.names]
    return {
        "width": round(places.width * INCH, 2),
        "height": round(height, 2),
        "layers": [
            {
                "name": names[layer],
                "short": shortened(names[layer], room=20),
                "kind": units.kinds[layer],
                "units": graph.sizes[layer],
                "live": alive[layer],
                "y": round(height - layer * height / max(graph.depth - 1, 1), 2),
                "radius": round(float(radius[layer]), 2),
                "spacing": round(float(places.spacing[layer]) * INCH, 2),
            }
            for layer in range(graph.depth)
        ],
        "layer": units.layer[live].tolist(),
        "channel": units.channel[live].tolist(),
        "module": units.module[live].tolist(),
        "x": (places.x[live] * INCH).round(2).tolist(),
        "targets": [part.tolist() for part in np.split(target, starts)],
        "outlines": [_outline(outline, height) for outline in places.outlines],
    }


def _outline(outline: Outline, height: float) -> dict[str, Any]:
    """Give one outline in pixels, downwards."""
    name = None
    if outline.name_at is not None:
        x, y = outline.name_at
        name = [round(x * INCH, 2), round(height - y * INCH, 2), int(outline.upright)]
    corners = outline.corners * [INCH, -INCH] + [0, height]
    path = rounded(corners, radius=_RADIUS)
    return {"module": outline.module, "path": path, "name": name}


def rounded(corners: Float[np.ndarray, "corner 2"], *, radius: float) -> str:
    """Join corners to a closed SVG path that takes each in a curve.

    Args:
        corners: The corners, in order.
        radius: How far from a corner its curve begins, where the sides are that long.

    Returns:
        The path.

    Example:
        >>> rounded(np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]]), radius=1.0)[:20]
        'M0 1Q0 0 1 0L3 0Q4 0'
    """
    steps = []
    for before, corner, after in zip(
        np.roll(corners, 1, axis=0), corners, np.roll(corners, -1, axis=0), strict=True
    ):
        arms = []
        for other in (before, after):
            arm = other - corner
            length = max(float(np.hypot(*arm)), 1e-9)
            arms.append(corner + arm / length * min(radius, length / 2))
        steps.append(f"{_spot(arms[0])}Q{_spot(corner)} {_spot(arms[1])}")
    return f"M{'L'.join(steps)}Z"


def _spot(place: Float[np.ndarray, " 2"]) -> str:
    """Write a place in few letters."""
    return f"{place[0]:.4g} {place[1]:.4g}"
