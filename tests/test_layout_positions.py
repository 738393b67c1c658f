"""Places of units and modules: side by side, apart, the same each time."""

import numpy as np
import pytest
from drawn import network, random_network, two_halves

from sculpt_plugin.analysis.hierarchy import Hierarchy
from sculpt_plugin.drawing.layout import live_edges, place_modules, place_units
from sculpt_plugin.errors import GraphError

SHAPES = [(4, 1), (4, 2), (40, 6), (40, 30), (800, 2), (800, 30), (120, 100)]
shapes = pytest.mark.parametrize(("width", "module_count"), SHAPES)


@shapes
def test_no_two_units_of_a_layer_overlap(width: int, module_count: int) -> None:
    graph, found = random_network(width=width, module_count=module_count)
    places = place_units(graph, found)
    for layer in range(graph.depth):
        x = np.sort(places.x[graph.units(layer)][found.label[graph.units(layer)] >= 0])
        assert (np.diff(x) >= places.spacing[layer] - 1e-9).all()
        assert places.spacing[layer] > 0.001


@shapes
def test_units_of_a_module_stand_side_by_side_in_a_layer(
    width: int, module_count: int
) -> None:
    graph, found = random_network(width=width, module_count=module_count)
    places = place_units(graph, found)
    for layer in range(graph.depth):
        units = graph.units(layer)
        label = found.label[units][np.argsort(places.x[units])]
        label = label[label >= 0]
        changes = 1 + (np.diff(label) != 0).sum()
        assert changes == len(np.unique(label))


@shapes
def test_picture_keeps_within_its_width(width: int, module_count: int) -> None:
    graph, found = random_network(width=width, module_count=module_count)
    places = place_units(graph, found)
    corners = np.concatenate([outline.corners for outline in places.outlines])
    assert places.width <= 14
    assert corners[:, 0].min() >= -1e-9
    assert corners[:, 0].max() <= places.width + 1e-9


def test_inputs_stand_at_zero_and_layers_above_each_other() -> None:
    graph, found = two_halves()
    y = place_units(graph, found).y
    assert (y[:4] == 0).all()
    assert y[0] < y[4] == y[5] < y[7] == y[8]


def test_dead_units_have_no_place_across() -> None:
    graph, found = two_halves()
    missing = np.isnan(place_units(graph, found).x)
    assert missing.tolist() == (found.label < 0).tolist()


def test_equal_input_gives_equal_places() -> None:
    graph, found = random_network(width=40, module_count=6)
    first, second = place_units(graph, found), place_units(graph, found)
    np.testing.assert_array_equal(first.x, second.x)


def test_inputs_of_a_module_keep_their_order() -> None:
    graph, found = random_network(width=40, module_count=6)
    x, label = place_units(graph, found).x, found.label[:40]
    for module in range(6):
        assert (np.diff(x[:40][label == module]) > 0).all()


def test_crossed_modules_are_uncrossed() -> None:
    # Module 3 reads 0, module 2 reads 1: in order of appearance both edges cross.
    graph, found = network((2, 2), [(0, 3), (1, 2)], [0, 1, 2, 3])
    x = place_units(graph, found).x
    assert (x[0] < x[1]) == (x[3] < x[2])


def test_given_order_stays_where_another_gains_nothing() -> None:
    graph, found = network((3, 3), [(0, 3), (1, 4), (2, 5)], [0, 1, 2, 0, 1, 2])
    assert (np.diff(place_units(graph, found).x[:3]) > 0).all()


def test_module_straight_above_itself_is_not_bent() -> None:
    graph, found = network((3, 3), [(0, 3), (1, 4), (2, 5)], [0, 1, 2, 0, 1, 2])
    x = place_units(graph, found).x
    np.testing.assert_allclose(x[:3], x[3:], atol=1e-9)


def test_outline_holds_exactly_the_units_of_its_module_in_a_layer() -> None:
    graph, found = random_network(width=40, module_count=6)
    places = place_units(graph, found)
    for outline in places.outlines:
        low = outline.corners[:, 1].min()
        row = np.argmin(np.abs(np.unique(places.y) - low))
        bottom = outline.corners[outline.corners[:, 1] == low][:, 0]
        units = graph.units(int(row))
        x = places.x[units]
        inside = (x > bottom.min()) & (x < bottom.max())
        np.testing.assert_array_equal(inside, found.label[units] == outline.module)


def test_module_that_leaves_out_a_layer_has_two_outlines() -> None:
    graph, found = network((1, 1, 1), [(0, 1), (1, 2), (0, 2)], [0, 1, 0])
    modules = [outline.module for outline in place_units(graph, found).outlines]
    assert modules == [0, 0, 1]


def test_names_stand_upright_where_there_are_many_modules() -> None:
    few = place_units(*network((3, 3), [(0, 3)], [0, 1, 2, 0, 1, 2]))
    many = place_units(*network((30, 1), [(0, 30)], [*range(30), 0]))
    assert [outline.upright for outline in few.outlines] == [False] * 3
    assert all(outline.upright and outline.name_at for outline in many.outlines)


def test_smallest_modules_go_without_a_name_where_there_is_no_room() -> None:
    label = [0, 0, *range(1, 100), 0]
    places = place_units(*network((101, 1), [(0, 101)], label))
    named = [outline.module for outline in places.outlines if outline.name_at]
    assert named == [0]


def test_labels_of_another_graph_are_refused() -> None:
    graph, _ = two_halves()
    other = Hierarchy((), np.zeros(5, dtype=int), {})
    with pytest.raises(
        GraphError, match="label each of the graph's 9 units, it labels 5"
    ):
        place_units(graph, other)


def test_layer_without_live_units_is_an_empty_row() -> None:
    graph, found = network((1, 2, 1), [(0, 3)], [0, -1, -1, 0])
    places = place_units(graph, found)
    assert places.height == places.y[3] > 0
    assert len(places.outlines) == 2


def test_network_without_live_units_has_no_outlines() -> None:
    graph, _ = network((1, 1), [(0, 1)], [0, 0])
    places = place_units(graph, Hierarchy((), np.array([-1, -1]), {}))
    assert places.outlines == ()


def test_hundred_thousand_edges_are_no_burden() -> None:
    chance = np.random.default_rng(0)
    source = chance.integers(0, 1000, 100_000)
    target = chance.integers(1000, 2000, 100_000)
    label = np.sort(chance.integers(0, 40, 1000))
    edges = np.stack([source, target], axis=1)
    graph, found = network((1000, 1000), edges, np.concatenate([label, label]))
    assert np.isfinite(place_units(graph, found).x).all()


def test_live_edges_leave_out_those_of_dead_units() -> None:
    graph, found = two_halves()
    source, target = live_edges(graph, found)
    assert (1, 6) not in set(zip(source.tolist(), target.tolist(), strict=True))
    assert len(source) == 7


@pytest.mark.parametrize("module_count", [1, 6, 40])
def test_nodes_of_a_hierarchy_do_not_overlap(module_count: int) -> None:
    _, found = random_network(width=60, module_count=module_count)
    places = place_modules(found)
    apart = np.stack(
        [
            np.abs(places.x[:, None] - places.x) / places.node[0],
            np.abs(places.y[:, None] - places.y) / places.node[1],
        ]
    ).max(axis=0)
    assert (apart[~np.eye(module_count, dtype=bool)] > 1).all()
    assert (places.x >= places.node[0] / 2 - 1e-9).all()
    assert (places.x <= places.width - places.node[0] / 2 + 1e-9).all()


def test_higher_levels_stand_higher() -> None:
    edges = [(number, 20) for number in range(20)] + [(20, 21)]
    _, found = network((20, 1, 1), edges, range(22))
    y = place_modules(found).y
    assert y[:20].max() < y[20] < y[21]


def test_hierarchy_without_modules_has_no_places() -> None:
    assert len(place_modules(Hierarchy((), np.zeros(0, dtype=int), {})).x) == 0
