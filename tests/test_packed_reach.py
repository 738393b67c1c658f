import numpy as np
import pytest
from layered_graphs import random_graph

from sculpt_plugin.analysis.features import reach_by_layer
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.packed_reach import later_parts, packed_reach


def rows_of(rows) -> np.ndarray:
    """All rows as a table, the columns turned round into the order of the units."""
    units = range(len(rows.packed))
    return np.array([rows.union(np.array([unit]))[::-1] for unit in units])


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("steps", [None, 1, 2, 3])
def test_bits_are_those_of_the_plain_tables(seed: int, steps: int | None) -> None:
    graph = random_graph(seed, skipping=True)
    found = packed_reach(graph, np.ones(graph.unit_count, dtype=bool), steps=steps)
    tables = reach_by_layer(graph, steps=steps)
    for rows, table in zip(found, tables, strict=True):
        assert (rows_of(rows) == table[:, : rows.columns]).all()
        assert not table[:, rows.columns :].any()


@pytest.mark.parametrize("seed", range(5))
def test_units_without_a_column_are_left_out(seed: int) -> None:
    graph = random_graph(seed, skipping=True)
    column = np.arange(graph.unit_count) % 3 > 0
    found = packed_reach(graph, column)
    for layer, table in enumerate(reach_by_layer(graph)):
        kept = column[graph.offsets[layer + 1] :]
        assert (rows_of(found[layer]) == table[:, kept]).all()


@pytest.mark.parametrize("seed", range(20))
def test_units_of_different_parts_reach_nothing_in_common(seed: int) -> None:
    graph = random_graph(seed, skipping=True)
    tables = map(np.ndarray.astype, reach_by_layer(graph), [int] * graph.depth)
    for part, table in zip(later_parts(graph), tables, strict=True):
        assert not ((table @ table.T > 0) & (part[:, None] != part)).any()


def test_bounded_steps_end_where_nothing_more_is_reached() -> None:
    graph = random_graph(0)
    first = packed_reach(graph, np.ones(graph.unit_count, dtype=bool), steps=1)[0]
    assert first.columns == graph.sizes[1]


def test_rows_have_room_for_the_part_of_the_network_they_are_in_only() -> None:
    pairs = np.arange(200)
    edges = np.stack([pairs, pairs + 200], axis=1)
    graph = LayeredGraph.from_edges((200, 200), edges)
    rows = packed_reach(graph, np.ones(400, dtype=bool))[0]
    assert rows.packed.tolist() == [[1]] * 200
    assert (rows_of(rows) == np.eye(200, dtype=bool)).all()
