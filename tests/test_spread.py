import networkx as nx
import numpy as np
import pytest

from sculpt_plugin.analysis import spread as module
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.spread import mark, spread, unmark
from sculpt_plugin.errors import GraphError


def deep_graph() -> LayeredGraph:
    """A random graph of 200 units, so that marks need four words."""
    random = np.random.default_rng(0)
    table = np.triu(random.random((200, 200)) < 0.02, k=1)
    layer = np.repeat(np.arange(5), 40)
    source, target = np.nonzero(table & (layer[:, None] < layer))
    return LayeredGraph.from_edges((40,) * 5, np.stack([source, target], axis=1))


def reached(graph: LayeredGraph, steps: int | None) -> np.ndarray:
    own = mark(np.arange(graph.unit_count), graph.unit_count)
    return unmark(spread(graph, own, steps=steps), graph.unit_count)


def reached_by_networkx(graph: LayeredGraph, steps: int | None) -> np.ndarray:
    view = nx.from_scipy_sparse_array(graph.adjacency, create_using=nx.DiGraph)
    table = np.zeros((graph.unit_count, graph.unit_count), dtype=bool)
    for unit in view:
        near = nx.single_source_shortest_path_length(view, unit, cutoff=steps)
        table[unit, list(near)] = True
    return table


def test_unmark_gives_back_what_was_marked() -> None:
    marks = np.array([130, -1, 0, 64, 63])
    expected = marks[:, None] == np.arange(131)
    assert (unmark(mark(marks, 131), 131) == expected).all()


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 9, None])
def test_marks_travel_as_far_as_networkx_finds_paths(steps: int | None) -> None:
    graph = deep_graph()
    assert (reached(graph, steps) == reached_by_networkx(graph, steps)).all()


@pytest.mark.parametrize("steps", [2, None])
def test_working_in_blocks_changes_nothing(
    steps: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = deep_graph()
    whole = reached(graph, steps)
    monkeypatch.setattr(module, "_BLOCK", 1)
    assert (reached(graph, steps) == whole).all()


def test_spread_leaves_its_marks_as_they_were() -> None:
    graph = LayeredGraph.from_edges((1, 1), [(0, 1)])
    own = mark(np.array([-1, 0]), 1)
    spread(graph, own)
    assert own.tolist() == [[0, 1]]


def test_marks_stay_where_there_are_no_edges() -> None:
    graph = LayeredGraph.from_edges((1, 1), [])
    assert spread(graph, mark(np.array([-1, 0]), 1)).tolist() == [[0, 1]]


def test_no_steps_are_refused() -> None:
    graph = LayeredGraph.from_edges((1, 1), [(0, 1)])
    with pytest.raises(GraphError, match=r"steps must be None .* or at least 1, got 0"):
        spread(graph, mark(np.array([-1, 0]), 1), steps=0)
