"""Modules of networks with stray edges, and what a network costs to write down."""

import time
from dataclasses import replace
from itertools import pairwise, product
from math import comb, factorial, log2, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layered_graphs import random_graph

from sculpt_plugin.analysis import sides
from sculpt_plugin.analysis.bidirectional import join_both_ways
from sculpt_plugin.analysis.codelength import wiring_bits
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.sides import sides_and_purposes


def same(labels: np.ndarray) -> np.ndarray:
    return labels[:, None] == labels


def modules_of(graph: LayeredGraph) -> np.ndarray:
    """The modules of a network that is not too large."""
    label = sides_and_purposes(graph)
    assert label is not None
    return label


def counted(graph: LayeredGraph, label: list[int]) -> float:
    """The bits of `wiring_bits`, from how many networks there are to choose from."""
    ways = 1
    layers = [list(range(graph.unit_count))[graph.units(i)] for i in range(graph.depth)]
    modules = [sorted({label[unit] for unit in units}) for units in layers]
    parts = [
        [[unit for unit in units if label[unit] == module] for module in own]
        for units, own in zip(layers, modules, strict=True)
    ]
    for units, groups in zip(layers, parts, strict=True):
        # Named groups, divided by the names of those of equal size.
        sizes = [len(group) for group in groups]
        ways *= factorial(len(units)) // prod(factorial(size) for size in sizes)
        ways //= prod(factorial(sizes.count(size)) for size in set(sizes))
    table = graph.adjacency.toarray()
    for below, above in product(range(graph.depth), repeat=2):
        blocks = [
            (int(table[np.ix_(a, b)].sum()), len(a) * len(b))
            for a, b in product(parts[below], parts[above])
        ]
        total = sum(edges for edges, _ in blocks)
        if total:
            # So many ways to spread the edges over the blocks.
            ways *= comb(total + len(blocks) - 1, len(blocks) - 1)
            ways *= prod(comb(room, edges) for edges, room in blocks)
    return log2(ways)


def two_sides(
    stray: int = 0,
    *,
    seed: int = 0,
    sizes: tuple[int, int, int, int] = (120, 60, 30, 3),
    reads: int = 10,
) -> LayeredGraph:
    """Two sides that units of three outputs combine, each unit one's, and stray edges.

    Even inputs and even units of the first layer are on one side. Units of the second
    layer read up to three of the first, and feed one output.
    """
    numbers = np.random.default_rng(seed)
    offset = np.cumsum([0, *sizes]).tolist()
    edges = []
    for unit in range(sizes[1]):
        read = 2 * numbers.choice(sizes[0] // 2, reads, replace=False) + unit % 2
        edges += [(source, offset[1] + unit) for source in read.tolist()]
    well_read = np.flatnonzero(np.bincount([source for source, _ in edges]) > 5)
    for unit in range(sizes[2]):
        read = {unit, unit + sizes[2], int(numbers.integers(sizes[1]))}
        edges += [(offset[1] + source, offset[2] + unit) for source in read]
        edges.append((offset[2] + unit, offset[3] + unit % sizes[3]))
    for unit in numbers.choice(sizes[1], stray, replace=False).tolist():
        # Of an input that few units read, a stray edge takes the side away.
        others = well_read[well_read % 2 != unit % 2]
        edges.append((int(numbers.choice(others)), offset[1] + unit))
    return LayeredGraph.from_edges(sizes, edges).live()


def chance(sizes: tuple[int, ...], reads: int, seed: int) -> LayeredGraph:
    """Each unit reads so many units of the layer below, whichever."""
    numbers = np.random.default_rng(seed)
    tables = [np.zeros((above, below)) for below, above in pairwise(sizes)]
    for table in tables:
        for row in table:
            row[numbers.choice(len(row), min(reads, len(row)), replace=False)] = 1
    return LayeredGraph.from_layers(tables).live()


@pytest.mark.parametrize(
    ("label", "ways"),
    [
        # Two of four possible edges.
        ([0, 0, 0, 0], 6),
        # One way to divide two into single ones; two edges over four blocks of one.
        ([0, 1, 0, 1], 10),
        # Two edges over one block of four.
        ([0, 0, 1, 1], 6),
        # Two edges over two blocks of two, one in each: 3 * 2 * 2.
        ([0, 1, 2, 2], 12),
    ],
)
def test_bits_are_those_of_a_choice_worked_out_by_hand(label, ways):
    graph = LayeredGraph.from_edges((2, 2), [(0, 2), (1, 3)])
    assert 2 ** wiring_bits(graph, np.array(label)) == pytest.approx(ways)


@settings(max_examples=60)
@given(seed=st.integers(0, 200), kinds=st.integers(1, 5), skipping=st.booleans())
def test_bits_are_what_counting_gives(seed, kinds, skipping):
    graph = random_graph(seed, skipping=skipping)
    label = np.random.default_rng(seed).integers(0, kinds, graph.unit_count)
    found = wiring_bits(graph, label)
    assert found == pytest.approx(counted(graph, label.tolist()), rel=1e-9)


@settings(max_examples=20)
@given(seed=st.integers(0, 200), names=st.permutations(range(7)))
def test_what_modules_are_called_costs_nothing(seed, names):
    graph = random_graph(seed)
    label = np.random.default_rng(seed).integers(0, 4, graph.unit_count)
    renamed = np.array(names)[label]
    assert wiring_bits(graph, renamed) == pytest.approx(wiring_bits(graph, label))


@settings(max_examples=30)
@given(seed=st.integers(0, 200), skipping=st.booleans())
def test_purposes_count_from_the_layer_that_is_best_of_all(seed, skipping):
    graph = random_graph(seed, skipping=skipping)
    chosen = np.random.default_rng(seed)
    side = chosen.integers(sides.MIXED, 3, graph.unit_count)
    purpose = chosen.integers(sides.MIXED, 4, graph.unit_count)
    division = sides._Division(graph, side, purpose, 0)
    tops = range(graph.depth, -1, -1)
    bits = {top: replace(division, top=top).bits for top in tops}
    assert bits[division.from_best_layer().top] == pytest.approx(min(bits.values()))


def test_modules_of_layers_of_their_own_cost_no_less_for_being_numbered_later():
    graph = LayeredGraph.from_edges((2, 2), [(0, 2), (1, 3)])
    late = wiring_bits(graph, np.array([0, 0, 9, 9]))
    assert late == pytest.approx(wiring_bits(graph, np.array([0, 0, 1, 1])))


@pytest.mark.parametrize("stray", range(6))
@pytest.mark.parametrize("seed", range(3))
def test_two_sides_show_in_spite_of_stray_edges(stray, seed):
    graph = two_sides(stray, seed=seed)
    label = modules_of(graph)
    side = graph.channel % 2
    for layer in (0, 1):
        units = graph.units(layer)
        assert (same(label[units]) == same(side[units])).all()


@pytest.mark.parametrize("stray", [0, 5])
def test_outputs_with_units_of_their_own_are_apart_with_these_units(stray):
    graph = two_sides(stray)
    label = modules_of(graph)
    above = np.concatenate([label[graph.units(2)], label[graph.units(3)]])
    purpose = np.concatenate([graph.channel[graph.units(2)] % 3, [0, 1, 2]])
    assert (same(above) == same(purpose)).all()
    assert not set(above.tolist()) & set(label[graph.units(0)].tolist())


def test_a_stray_edge_does_not_join_two_functions_that_are_otherwise_apart():
    # Each output reads the units of one side, so each side is all of a module.
    numbers = np.random.default_rng(0)
    edges = [(0, 59), *((unit, 60 + unit // 50) for unit in range(40, 60))]
    for unit in range(40, 60):
        read = 20 * (unit // 50) + numbers.choice(20, 6, replace=False)
        edges += [(source, unit) for source in read.tolist()]
    graph = LayeredGraph.from_edges((40, 20, 2), sorted(set(edges))).live()
    label = modules_of(graph)[graph.unit_count - 22 :]
    assert label.tolist() == [0] * 10 + [1] * 10 + [0, 1]


def test_a_module_joins_what_its_highest_units_feed_and_nothing_else_does():
    graph = LayeredGraph.from_edges((2, 1, 1), [(0, 2), (1, 2), (2, 3)])
    assert sides._joined(graph, np.array([0, 0, 0, 1])).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("stray", [0, 3])
def test_modules_from_both_sides_take_them_over_in_a_large_network(stray):
    graph = two_sides(stray)
    label = join_both_ways(graph)[graph.units(0)]
    assert (same(label) == same(graph.channel[graph.units(0)] % 2)).all()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("reads", [4, 8])
def test_a_network_without_structure_is_one_module(seed, reads):
    graph = chance((80, 60, 60, 12), reads, seed)
    assert not modules_of(graph).any()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("stray", "sizes", "reads"),
    [
        (0, (120, 60, 30, 3), 10),
        (4, (120, 60, 30, 3), 10),
        # Of units that read so little, many are equally near to each other.
        (8, (80, 100, 50, 10), 4),
        (14, (120, 60, 30, 3), 5),
    ],
)
def test_relabelling_units_in_a_layer_changes_no_module(seed, stray, sizes, reads):
    numbers = np.random.default_rng(seed)
    graph = two_sides(stray, seed=seed, sizes=sizes, reads=reads)
    expected = same(modules_of(graph))
    edges = np.stack([graph.edge_sources, graph.adjacency.indices], axis=1)
    for _ in range(3):
        place = np.concatenate(
            [
                numbers.permutation(np.arange(graph.unit_count)[graph.units(layer)])
                for layer in range(graph.depth)
            ]
        )
        other = LayeredGraph.from_edges(graph.sizes, place[edges])
        assert (same(modules_of(other)[place]) == expected).all()


def test_modules_are_numbered_from_0_without_gaps():
    label = modules_of(two_sides(2))
    assert sorted(set(label.tolist())) == list(range(label.max() + 1))


def test_edges_may_jump_layers():
    graph = two_sides(1)
    edges = list(
        zip(graph.edge_sources.tolist(), graph.adjacency.indices.tolist(), strict=True)
    )
    # Inputs that units of the second layer read, and units that feed outputs, too.
    second, last = graph.units(2), graph.units(3)
    edges += [(source, second.start + source % 30) for source in range(0, 110, 11)]
    edges += [
        (unit, last.start + unit % 3) for unit in list(range(200))[graph.units(1)]
    ]
    label = modules_of(LayeredGraph.from_edges(graph.sizes, edges))
    for layer in (0, 1):
        units = graph.units(layer)
        assert (same(label[units]) == same(graph.channel[units] % 2)).all()


@pytest.mark.parametrize("mixed", [0, 5])
@pytest.mark.parametrize("side", [0, 1])
def test_a_unit_that_reads_alone_is_on_the_side_that_it_feeds(side, mixed):
    numbers = np.random.default_rng(0)
    # Even units are on one side, odd ones on the other; the last unit of the first
    # layer alone reads the last six inputs. It feeds two units of a side, and it may
    # feed units that read both.
    sizes = (126, 31, 20 + mixed, 2)
    first, second, outputs = np.cumsum(sizes)[:3].tolist()
    alone = first + 30
    edges = [(120 + source, alone) for source in range(6)]
    for unit in range(30):
        some = 2 * numbers.choice(60, 12, replace=False) + unit % 2
        read = {*some.tolist(), *range(unit, 120, 30)}
        edges += [(source, first + unit) for source in read]
    for unit in range(20):
        read = {unit, unit + 10, 2 * int(numbers.integers(15)) + unit % 2}
        edges += [(first + source, second + unit) for source in read]
        edges.append((second + unit, outputs + unit // 2 % 2))
    edges += [(alone, second + side), (alone, second + 2 + side)]
    for unit in range(20, 20 + mixed):
        read = [*range(0, 30, 4), *range(1, 30, 4), 30]
        edges += [(first + source, second + unit) for source in read]
        edges.append((second + unit, outputs))
    graph = LayeredGraph.from_edges(sizes, edges)
    assert graph.live_units().all()

    label = modules_of(graph)

    expected = np.arange(120) % 2
    assert (same(label[:120]) == same(expected)).all()
    assert (label[120:126] == label[side]).all()
    assert label[alone] == label[side] == label[first + side]


def test_a_layer_of_one_unit_is_passed():
    edges = [(source, 200) for source in range(200)] + [(200, 201), (200, 202)]
    graph = LayeredGraph.from_edges((200, 1, 2), edges)
    label = modules_of(graph)
    assert len(set(label[:201].tolist())) == 1


def test_a_layer_without_live_units_is_passed():
    # Two halves that all skip the first hidden layer.
    numbers = np.random.default_rng(0)
    halves = [
        (2 * int(source) + unit % 2, 110 + unit)
        for unit in range(20)
        for source in numbers.choice(50, 20, replace=False)
    ]
    outputs = [(110 + unit, 130 + unit % 2) for unit in range(20)]
    graph = LayeredGraph.from_edges((100, 10, 20, 2), halves + outputs).live()
    assert graph.sizes == (100, 0, 20, 2)
    label = modules_of(graph)
    assert (same(label) == same(graph.channel % 2)).all()
    assert (same(join_both_ways(graph)) == same(graph.channel % 2)).all()


def test_a_network_without_hidden_layers_is_divided():
    edges = [(source, 100 + source % 4) for source in range(100)]
    graph = LayeredGraph.from_edges((100, 4), edges)
    label = modules_of(graph)
    assert (same(label) == same(np.arange(104) % 4)).all()


def test_an_output_that_nothing_feeds_is_no_error():
    graph = two_sides(0)
    edges = np.stack([graph.edge_sources, graph.adjacency.indices], axis=1)
    sizes = (*graph.sizes[:-1], 3)
    label = modules_of(LayeredGraph.from_edges(sizes, edges))
    assert (
        same(label[graph.units(0)]) == same(graph.channel[graph.units(0)] % 2)
    ).all()


def many_sides(count: int) -> LayeredGraph:
    """So many sides of 12 inputs and 6 units that read 8 of them, and one output."""
    numbers = np.random.default_rng(0)
    edges = []
    for side, unit in product(range(count), range(6)):
        above = 12 * count + 6 * side + unit
        read = 12 * side + numbers.choice(12, 8, replace=False)
        edges += [(source, above) for source in read.tolist()]
        edges.append((above, 18 * count))
    return LayeredGraph.from_edges((12 * count, 6 * count, 1), edges).live()


@pytest.mark.parametrize("count", [3, 16])
def test_as_many_sides_as_there_are_are_found(count):
    graph = many_sides(count)
    label = modules_of(graph)[graph.units(1)]
    assert (same(label) == same(np.arange(6 * count) // 6)).all()


def test_of_more_sides_than_are_tried_some_are_together_and_none_is_torn():
    graph = many_sides(20)
    label = modules_of(graph)[graph.units(1)].reshape(20, 6)
    assert (label == label[:, :1]).all()
    assert len(set(label[:, 0].tolist())) <= 16


@pytest.mark.parametrize("sizes", [(30, 50, 20, 3), (30, 15, 50)])
def test_more_units_than_are_compared_give_none(monkeypatch, sizes):
    monkeypatch.setattr(sides, "_MOST_COMPARED", 15)
    assert sides_and_purposes(chance(sizes, 3, 0)) is None


def test_more_units_than_are_compared_leave_it_to_exact_agreement(monkeypatch):
    graph = many_sides(3)
    monkeypatch.setattr(sides, "_MOST_COMPARED", 10)
    label = join_both_ways(graph)[graph.units(1)]
    assert (same(label) == same(np.arange(18) // 6)).all()


def test_a_network_as_large_as_those_on_digits_is_judged(record_property):
    graph = two_sides(3, sizes=(1568, 100, 50, 3), reads=28)
    assert graph.edge_count > 2700
    began = time.perf_counter()
    label = modules_of(graph)
    record_property("seconds", time.perf_counter() - began)
    for layer in (0, 1):
        units = graph.units(layer)
        assert (same(label[units]) == same(graph.channel[units] % 2)).all()
