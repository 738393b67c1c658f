from math import comb, log2, prod

import numpy as np
import pytest

from sculpt_plugin.analysis.codelength import (
    edge_bits_saved,
    liveness_bits,
    log2_choices,
    naming_bits,
)
from sculpt_plugin.analysis.graph import LayeredGraph


@pytest.mark.parametrize(("among", "chosen"), [(1, 0), (1, 1), (8, 3), (40, 20)])
def test_choices_are_binomials(among: int, chosen: int) -> None:
    found = log2_choices(np.array([among]), np.array([chosen]))
    assert found == pytest.approx(log2(comb(among, chosen)))


def test_naming_costs_nothing_where_all_are_one() -> None:
    assert naming_bits(np.array([7])) == pytest.approx(0)


@pytest.mark.parametrize(
    ("sizes", "ways"), [((2, 2, 2), 15), ((3, 2), 10), ((1, 1), 1), ((2, 1, 1), 6)]
)
def test_naming_does_not_pay_for_what_the_parts_are_called(
    sizes: tuple[int, ...], ways: int
) -> None:
    assert 2 ** naming_bits(np.array(sizes)) == pytest.approx(ways)


def test_one_part_saves_nothing() -> None:
    source, target = np.array([0, 1, 1]), np.array([2, 2, 3])
    layer, part = np.array([0, 0, 1, 1]), np.zeros(4, dtype=int)
    assert edge_bits_saved(source, target, layer, part) == pytest.approx(0)


def test_readers_choose_among_the_parts_that_their_own_part_reads() -> None:
    # Unit 4 reads input 0 of part 0, unit 5 reads input 1 of part 0 and 2 of part 1;
    # both are in part 2, so both choose among inputs 0 to 2 and not among all four.
    source, target = np.array([0, 1, 2]), np.array([4, 5, 5])
    layer, part = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 1, 3, 2, 2])
    expected = log2(comb(4, 1) * comb(4, 2)) - log2(comb(3, 1) * comb(3, 2))
    assert edge_bits_saved(source, target, layer, part) == pytest.approx(expected)


def test_edges_that_jump_layers_are_chosen_in_their_own_layer() -> None:
    # Unit 3 reads input 0 among two inputs, and unit 2, the only one of its layer.
    source, target = np.array([0, 2, 1]), np.array([3, 3, 2])
    layer, part = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])
    # Part 1 reads only itself: unit 2 chooses among input 1 alone.
    assert edge_bits_saved(source, target, layer, part) == pytest.approx(1)


def graph_of(among: int, reads: list[int]) -> LayeredGraph:
    """Outputs that read so many units each, one after the other and round again."""
    edges, place = [], 0
    for output, count in enumerate(reads):
        edges += [((place + k) % among, among + output) for k in range(count)]
        place += count
    return LayeredGraph.from_edges((among, len(reads)), edges)


@pytest.mark.parametrize(
    ("among", "reads"),
    [(20, [8, 8, 8]), (50, [20, 30, 20]), (30, [3] * 12), (100, [62, 63])],
)
def test_live_wirings_are_counted_by_inclusion_and_exclusion(
    among: int, reads: list[int]
) -> None:
    live = sum(
        (-1) ** left * comb(among, left) * prod(comb(among - left, k) for k in reads)
        for left in range(among)
    )
    expected = log2(prod(comb(among, k) for k in reads)) - log2(live)
    # Parts of one unit each say all there is to know.
    found = liveness_bits(graph_of(among, reads), np.arange(among + len(reads)))
    assert found == pytest.approx(expected, rel=0.06)


def test_liveness_is_certain_where_one_reads_all() -> None:
    assert liveness_bits(graph_of(5, [5, 2]), np.zeros(7, int)) == 0


def test_liveness_says_as_much_with_one_part_as_without() -> None:
    graph, whole = graph_of(100, [62, 63]), np.zeros(102, int)
    assert 0 <= liveness_bits(graph, whole) < liveness_bits(graph, np.arange(102)) / 2
