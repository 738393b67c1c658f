from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.twins import set_twins_apart


def read_by(*readers: Sequence[int], inputs: int) -> LayeredGraph:
    """Hidden units that read these inputs, and one output that reads all of them."""
    edges = [(i, inputs + unit) for unit, read in enumerate(readers) for i in read]
    last = inputs + len(readers)
    edges += [(unit, last) for unit in range(inputs, last)]
    return LayeredGraph.from_edges((inputs, len(readers), 1), edges)


def together(graph: LayeredGraph) -> list[list[int]]:
    """The groups of units, if all are of one part to begin with."""
    label = set_twins_apart(graph, np.zeros(graph.unit_count, dtype=int))
    return sorted(np.flatnonzero(label == k).tolist() for k in np.unique(label))


def test_pairs_show_though_no_unit_is_their_own() -> None:
    graph = read_by((0, 1, 2, 3), (0, 1, 4, 5), (2, 3, 4, 5), inputs=6)
    assert together(graph) == [[0, 1], [2, 3], [4, 5], [6, 7, 8, 9]]


def test_units_that_read_only_one_pair_go_with_it() -> None:
    graph = read_by((0, 1), (0, 1), (2, 3), (0, 1, 2, 3), inputs=4)
    assert together(graph) == [[0, 1, 4, 5], [2, 3, 6], [7, 8]]


def test_units_that_read_one_pair_through_others_go_with_it() -> None:
    edges = [*product((0, 1), (4, 5)), *product((2, 3), (6,)), *product(range(4), (7,))]
    edges += [(4, 8), (5, 8), (6, 9), (7, 9), (8, 10), (9, 10)]
    graph = LayeredGraph.from_edges((4, 4, 2, 1), edges)
    assert together(graph) == [[0, 1, 4, 5, 8], [2, 3, 6], [7, 9, 10]]


@pytest.mark.parametrize(
    "readers",
    [
        # Two readers of a pair: 3.2 bits saved, 3.6 to write down the groups.
        pytest.param([(0, 1), (2, 3), (0, 1, 2, 3)], id="too few readers"),
        pytest.param([(0, 1)] * 6 + [(2,), (3,)], id="inputs without a twin"),
        pytest.param([(0, 1, 2, 3)] * 5, id="all are twins"),
    ],
)
def test_what_may_be_chance_stays_together(readers: list[tuple[int, ...]]) -> None:
    graph = read_by(*readers, inputs=4)
    assert together(graph) == [list(range(graph.unit_count))]


def test_other_parts_are_left_alone() -> None:
    graph = read_by((0, 1), (0, 1), (2, 3), (4, 5), inputs=6)
    part = np.array([3, 3, 3, 3, 1, 1, 3, 3, 3, 1, 0])
    label = set_twins_apart(graph, part)
    assert label.tolist() == [4, 4, 5, 5, 1, 1, 4, 4, 5, 1, 0]
    assert part[0] == 3
