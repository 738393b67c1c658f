"""Which way the arrows of a hierarchy's picture go, round the nodes between."""

import numpy as np
from jaxtyping import Float

from sculpt_plugin.analysis.hierarchy import Hierarchy
from sculpt_plugin.drawing.layout import ModulePlaces
from sculpt_plugin.drawing.rows import rank_in_row

_BENDS = (0.0, 0.12, -0.12, 0.24, -0.24, 0.36, -0.36)
_CLEAR = 0.04  # inches to keep from nodes


def route_arrows(
    hierarchy: Hierarchy, places: ModulePlaces
) -> Float[np.ndarray, "arrow 3 2"]:
    """Route one arrow for each entry of the hierarchy's edges.

    An arrow leaves a node at its top and enters the next at its bottom, where the
    ends of several are spread in the order they come from. It runs straight if no
    node stands in the way, else with the least bend that passes all of them.

    Args:
        hierarchy: The modules and which feeds which.
        places: Where their nodes stand.

    Returns:
        Start, control point and tip of a quadratic curve per arrow, in inches.

    Example:
        >>> y = np.array([0.0, 2.0])
        >>> places = ModulePlaces(np.zeros(2), y, (1.0, 0.5), width=1.0, height=2.5)
        >>> route_arrows(Hierarchy((), np.zeros(0, int), {(0, 1): 3}), places)
        array([[[0. , 0.25], [0. , 1. ], [0. , 1.75]]])
    """
    pairs = np.array(list(hierarchy.edges), dtype=int).reshape(-1, 2)
    middle = np.stack([places.x, places.y], axis=1)
    half = np.array(places.node) / 2
    rises = places.y[pairs[:, 1]] > places.y[pairs[:, 0]]
    starts = middle[pairs[:, 0]] + _spread(pairs, places, end=0) + [0, half[1]]
    tips = middle[pairs[:, 1]] + _spread(pairs, places, end=1)
    # An arrow that does not rise would have to enter from within its node.
    tips[:, 1] += np.where(rises, -half[1], half[1])
    routes = np.empty((len(pairs), 3, 2))
    for arrow, pair in enumerate(pairs):
        others = np.delete(middle, pair, axis=0)
        routes[arrow] = _way(starts[arrow], tips[arrow], others, half, rises[arrow])
    return routes


def room_for(
    places: ModulePlaces, routes: Float[np.ndarray, "arrow 3 2"]
) -> tuple[float, float, float, float]:
    """Measure the page that nodes and arrows need, with a margin.

    Args:
        places: Where the nodes stand.
        routes: Which way the arrows go.

    Returns:
        Left and right end, bottom and top, in inches.

    Example:
        >>> places = ModulePlaces(
        ...     np.zeros(1), np.zeros(1), (1.0, 0.5), width=1.0, height=0.5
        ... )
        >>> room_for(places, np.zeros((0, 3, 2)))
        (-0.15, 1.15, -0.4, 0.4)
    """
    bottom = -places.node[1] / 2
    # Farthest from its ends an arrow is about half way.
    middle = routes[:, 0] / 4 + routes[:, 1] / 2 + routes[:, 2] / 4
    corners = np.array([[0.0, bottom], [places.width, bottom + places.height]])
    points = np.concatenate([corners, middle])
    (left, low), (right, high) = points.min(axis=0), points.max(axis=0)
    return (
        float(left) - 0.15,
        float(right) + 0.15,
        float(low) - 0.15,
        float(high) + 0.15,
    )


def along(
    route: Float[np.ndarray, "3 2"], share: Float[np.ndarray, " point"]
) -> Float[np.ndarray, "point 2"]:
    """Walk along a route.

    Args:
        route: Start, control point and tip.
        share: How far to go, 0 for the start to 1 for the tip.

    Returns:
        Where that is.

    Example:
        >>> along(np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 2.0]]), np.array([0.5]))
        array([[0.5, 1. ]])
    """
    on = share[:, None]
    return (1 - on) ** 2 * route[0] + 2 * on * (1 - on) * route[1] + on**2 * route[2]


def _way(
    start: Float[np.ndarray, " 2"],
    tip: Float[np.ndarray, " 2"],
    others: Float[np.ndarray, "node 2"],
    half: Float[np.ndarray, " 2"],
    rises: bool | np.bool_,
) -> Float[np.ndarray, "3 2"]:
    """Find the least bend that passes the other nodes, or go straight."""
    aside = np.array([tip[1] - start[1], start[0] - tip[0]])
    if not rises:
        over = np.array([0.0, 0.5 * abs(tip[0] - start[0]) + 0.3])
        return np.stack([start, (start + tip) / 2 + over, tip])
    inside = np.linspace(0.0, 1.0, 41)
    ways = [
        np.stack([start, (start + tip) / 2 + 2 * bend * aside, tip]) for bend in _BENDS
    ]
    for way in ways:
        away = np.abs(along(way, inside)[:, None] - others)
        if not (away < half + _CLEAR).all(axis=-1).any():
            return way
    return ways[0]


def _spread(
    pairs: np.ndarray, places: ModulePlaces, *, end: int
) -> Float[np.ndarray, "arrow 2"]:
    """Spread the ends of arrows along a node's side, in the order they come from."""
    own, other = pairs[:, end], pairs[:, 1 - end]
    crowd = np.bincount(own, minlength=1)[own]
    step = np.minimum(0.3, 0.7 * places.node[0] / crowd)
    aside = (rank_in_row(own, places.x[other]) - (crowd - 1) / 2) * step
    return np.stack([aside, np.zeros(len(pairs))], axis=1)
