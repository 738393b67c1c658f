"""Arrows run from top to bottom of nodes, round those in their way."""

import numpy as np

from sculpt_plugin.analysis.hierarchy import Hierarchy
from sculpt_plugin.drawing.layout import ModulePlaces
from sculpt_plugin.drawing.routes import along, route_arrows


def _route(
    x: list[float], y: list[float], edges: dict[tuple[int, int], int]
) -> np.ndarray:
    places = ModulePlaces(np.array(x), np.array(y), (1.0, 0.5), 9.0, 9.0)
    return route_arrows(Hierarchy((), np.zeros(0, dtype=int), edges), places)


def test_arrow_with_nothing_in_its_way_is_straight() -> None:
    (route,) = _route([0.0, 0.0, 3.0], [0.0, 2.0, 1.0], {(0, 1): 1})
    assert route[:, 0].tolist() == [0.0, 0.0, 0.0]


def test_arrow_bends_round_a_node_in_its_way() -> None:
    (route,) = _route([0.0, 0.0, 0.0], [0.0, 2.0, 4.0], {(0, 2): 1})
    walk = along(route, np.linspace(0.0, 1.0, 200))
    inside = (np.abs(walk[:, 0]) < 0.5) & (np.abs(walk[:, 1] - 2.0) < 0.25)
    assert not inside.any()


def test_ends_of_arrows_are_spread_in_the_order_they_come_from() -> None:
    routes = _route([0.0, 4.0, 2.0], [0.0, 0.0, 2.0], {(1, 2): 1, (0, 2): 1})
    assert routes[1, 2, 0] < 2.0 < routes[0, 2, 0]


def test_arrow_to_a_node_of_the_same_level_goes_over_the_top() -> None:
    (route,) = _route([0.0, 2.0], [0.0, 0.0], {(0, 1): 1})
    assert route[0, 1] == route[2, 1] == 0.25
    assert route[1, 1] > 0.25


def test_no_edges_need_no_arrows() -> None:
    assert _route([0.0], [0.0], {}).shape == (0, 3, 2)
