import numpy as np
import pytest
from exported import halves, random_report

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy
from sculpt_plugin.errors import GraphError
from sculpt_plugin.exporting.units import described, places_of, units_of


def test_each_unit_is_called_and_described_by_hand_worked_values():
    report = halves()
    said = list(described(units_of(report.graph, report.hierarchy)))
    assert [label for label, _ in said[5:]] == [
        "x5", "hidden 0", "hidden 1", "hidden 2", "y0", "y1",
    ]  # fmt: skip
    assert said[7][1] == {
        "layer": 1,
        "layer_name": "hidden",
        "kind": "a<b",
        "channel": 1,
        "live": True,
        "module": 1,
        "level": 0,
    }
    assert said[8][1]["live"] is False
    assert "module" not in said[8][1] and "level" not in said[8][1]


def test_units_keep_the_numbers_they_had_in_the_dense_network():
    graph = halves().graph.live()
    units = units_of(graph, Hierarchy((), np.zeros(graph.unit_count, int), {}))
    labels = [label for label, _ in described(units)]
    assert labels == ["x0", "x1", "x2", "x3", "hidden 0", "hidden 1", "y0", "y1"]


@pytest.mark.parametrize("seed", range(3))
def test_no_two_units_stand_in_one_place_and_layers_rise(seed):
    report = random_report(seed)
    places = places_of(units_of(report.graph, report.hierarchy))
    assert len(np.unique(places, axis=0)) == report.graph.unit_count
    heights = [places[report.graph.units(n), 1] for n in range(report.graph.depth)]
    assert all(len(set(row.tolist())) == 1 for row in heights)
    assert np.all(np.diff([row[0] for row in heights]) > 0)


@pytest.mark.parametrize("seed", range(3))
def test_the_units_of_a_module_stand_side_by_side(seed):
    report = random_report(seed)
    places = places_of(units_of(report.graph, report.hierarchy))
    for layer in range(report.graph.depth):
        span = report.graph.units(layer)
        modules = report.hierarchy.label[span][np.argsort(places[span, 0])]
        starts = np.flatnonzero(np.diff(modules, prepend=-2))
        assert len(starts) == len(set(modules.tolist()))


def test_a_hierarchy_of_another_graph_is_refused():
    graph = LayeredGraph.from_edges((1, 1), [(0, 1)])
    with pytest.raises(GraphError, match="about the 2 units of the graph"):
        units_of(graph, Hierarchy((), np.zeros(3, int), {}))
