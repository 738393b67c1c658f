import gzip
import json
from itertools import pairwise, product
from pathlib import Path
from random import Random
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import block_diag

from sculpt_plugin import tasks
from sculpt_plugin.analysis.bidirectional import join_both_ways
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.modules import Method, detect
from sculpt_plugin.analysis.readout import outputs_alike
from sculpt_plugin.errors import GraphError

REFERENCE = Path(__file__).parents[2] / "shared/reference/networks.jsonl.gz"
METHODS = get_args(Method)


def modules_of(sizes: tuple[int, ...], edges: list[tuple[int, int]]) -> list[int]:
    return join_both_ways(LayeredGraph.from_edges(sizes, edges)).tolist()


def chance(sizes: tuple[int, ...], reads: int, seed: int) -> LayeredGraph:
    """Each unit reads so many units of the layer below, whichever."""
    numbers = np.random.default_rng(seed)
    tables = [np.zeros((above, below)) for below, above in pairwise(sizes)]
    for table in tables:
        for row in table:
            row[numbers.choice(len(row), min(reads, len(row)), replace=False)] = 1
    return LayeredGraph.from_layers(tables)


def same(labels: np.ndarray) -> np.ndarray:
    return labels[:, None] == labels


def test_functions_with_inputs_of_their_own_are_modules() -> None:
    edges = [(0, 4), (1, 4), (2, 5), (3, 5), (4, 6), (4, 7), (5, 8), (5, 9)]
    assert modules_of((4, 2, 4), edges) == [0, 0, 1, 1, 0, 1, 0, 0, 1, 1]


def test_functions_of_the_same_inputs_are_modules_above_them() -> None:
    edges = [
        *product((0, 1, 2, 3), (4, 5)),
        *product((4, 5), (6, 7)),
        *product((6,), (8, 10)),
        *product((7,), (9, 11)),
    ]
    assert modules_of((4, 2, 2, 4), edges) == [0] * 6 + [1, 2, 1, 2, 1, 2]


def test_one_function_is_one_module() -> None:
    edges = [*product(range(4), (4, 5)), (4, 6), (5, 6), *product((6,), (7, 8))]
    assert modules_of((4, 2, 1, 2), edges) == [0] * 9


def test_reused_pairs_and_their_readers_make_six_modules() -> None:
    edges = [(0, 6), (1, 6), (2, 7), (3, 7), (4, 8), (5, 8)]
    edges += [(6, 9), (7, 9), (6, 10), (8, 10), (7, 11), (8, 11)]
    expected = [0, 0, 1, 1, 2, 2, 0, 1, 2, 3, 4, 5]
    assert modules_of((6, 3, 3), edges) == expected


def test_inputs_are_apart_by_the_functions_that_share_them() -> None:
    # Units 7 and 8 read inputs 0 to 3, units 9 and 10 inputs 3 to 6.
    edges = [*product(range(3), (7,)), *product(range(1, 4), (8,))]
    edges += [*product(range(3, 6), (9,)), *product(range(4, 7), (10,))]
    edges += [*product((7, 8), (11,)), *product((9, 10), (12,))]
    expected = [0, 0, 0, 1, 2, 2, 2, 3, 3, 4, 4, 3, 4]
    assert modules_of((7, 4, 2), edges) == expected


def test_inputs_shared_by_all_functions_are_together_though_nothing_joins_them() -> (
    None
):
    edges = [(0, 4), (1, 4), (0, 5), (1, 5), (2, 4), (3, 5), (4, 6), (5, 7)]
    assert modules_of((4, 2, 2), edges) == [0, 0, 1, 2, 3, 4, 3, 4]


def test_what_is_combined_higher_up_is_apart_below_if_chance_would_not_do_it() -> None:
    # Two units read inputs 0 to 3, two read 4 to 7; each output reads all four.
    edges = [*product(range(4), (8, 9)), *product(range(4, 8), (10, 11))]
    edges += [*product(range(8, 12), (12, 13))]
    expected = [*[0] * 4, *[1] * 4, 0, 0, 1, 1, 2, 2]
    assert modules_of((8, 4, 2), edges) == expected


PAIRS = [(0, 4), (1, 4), (2, 5), (3, 5)]


def test_pairs_are_apart_though_they_are_only_used_together() -> None:
    edges = [*PAIRS, (4, 6), (5, 6), (6, 7)]
    assert modules_of((4, 2, 1, 1), edges) == [0, 0, 1, 1, 0, 1, 2, 2]


def test_single_inputs_that_nothing_joins_below_are_together() -> None:
    assert modules_of((2, 2, 1), [(0, 2), (1, 3), (2, 4), (3, 4)]) == [0] * 5


def test_pairs_that_are_always_read_together_are_apart() -> None:
    readers = [(0, 1), (2, 3), (4, 5), (0, 1, 2, 3), (2, 3, 4, 5)]
    edges = [(i, 6 + unit) for unit, read in enumerate(readers) for i in read]
    edges += [(unit, 11) for unit in range(6, 11)]
    expected = [0, 0, 1, 1, 2, 2, 0, 1, 2, 3, 3, 3]
    assert modules_of((6, 5, 1), edges) == expected


def test_pairs_are_apart_if_one_is_used_without_the_other() -> None:
    edges = [*PAIRS, (4, 6), (5, 6), (5, 7), (6, 8), (7, 8)]
    assert modules_of((4, 2, 2, 1), edges) == [0, 0, 1, 1, 0, 1, 2, 2, 2]


def test_inputs_that_meet_the_others_first_are_apart_where_units_are_shared() -> None:
    # Output 8 reads the shared unit 5, so all inputs but 4 seem to serve both.
    edges = [*product(range(4), (5,)), *product(range(1, 5), (6,))]
    edges += [(5, 7), (5, 8), (6, 8)]
    assert modules_of((5, 2, 2), edges)[:5] == [0, 1, 1, 1, 2]


def test_edges_may_jump_layers() -> None:
    edges = [(0, 4), (1, 4), (2, 5), (3, 5), (4, 6), (5, 7), (0, 6), (3, 7)]
    assert modules_of((4, 2, 2), edges) == [0, 0, 1, 1, 0, 1, 0, 1]


def test_edges_may_pass_a_layer_without_live_units() -> None:
    graph = LayeredGraph.from_edges((2, 1, 2), [(0, 3), (1, 4)]).live()
    assert join_both_ways(graph).tolist() == [0, 1, 0, 1]


def test_outputs_that_nothing_feeds_are_apart() -> None:
    assert modules_of((1, 1, 3), [(0, 1), (1, 2)]) == [0, 0, 0, 1, 2]


@pytest.mark.parametrize("seed", range(20))
def test_outputs_that_nothing_feeds_change_nothing_else(seed: int) -> None:
    numbers = np.random.default_rng(seed)
    tables = [numbers.random((5, 3)) < 0.5, numbers.random((4, 5)) < 0.6]
    unfed = np.vstack([tables[1], np.zeros((2, 5), dtype=bool)])
    alone = LayeredGraph.from_layers(tables).live()
    more = LayeredGraph.from_layers([tables[0], unfed]).live()
    fed = slice(0, more.unit_count - 2)
    assert (same(join_both_ways(more)[fed]) == same(join_both_ways(alone))).all()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("reads", [3, 5])
@pytest.mark.parametrize("sizes", [(20, 30, 30, 10), (8, 16, 16, 8)])
def test_a_network_without_structure_is_one_module(
    sizes: tuple[int, ...], reads: int, seed: int
) -> None:
    graph = chance(sizes, reads, seed).live()
    assert not join_both_ways(graph).any()


@pytest.mark.parametrize("density", [0.3, 0.6, 0.9])
@pytest.mark.parametrize(
    "sizes", [(6, 24, 24, 3), (20, 50, 50, 2), (20, 50, 3), (50, 200, 200, 2)]
)
def test_few_outputs_are_no_structure(sizes: tuple[int, ...], density: float) -> None:
    """With two outputs each unit serves one, the other or both, by chance as well."""
    numbers = np.random.default_rng(0)
    several = 0
    for _ in range(8):
        shapes = [(above, below) for below, above in pairwise(sizes)]
        tables = [numbers.random(shape) < density for shape in shapes]
        graph = LayeredGraph.from_layers(tables).live()
        several += int(join_both_ways(graph).any())
    assert several <= 1


@pytest.mark.parametrize("shared", [2, 4, 8])
@pytest.mark.parametrize("density", [0.4, 0.7])
def test_two_functions_with_some_inputs_in_common_show_in_chance(
    density: float, shared: int
) -> None:
    numbers = np.random.default_rng(0)
    width, inputs, units = 15, 8 + shared, np.arange(30)
    half = units >= width
    reads = [np.arange(inputs) < 4 + shared, np.arange(inputs) >= 4]
    tables = [
        np.where(half[:, None], reads[1], reads[0]),
        half[:, None] == half,
        np.stack([~half, half]),
    ]
    tables = [table & (numbers.random(table.shape) < density) for table in tables]
    graph = LayeredGraph.from_layers(tables)
    live = graph.live()
    label = join_both_ways(live)[live.units(2)]
    assert (same(label) == same(half[live.channel[live.units(2)]])).all()


@pytest.mark.parametrize("count", [2, 6])
def test_modules_that_are_chance_inside_are_those_planted(count: int) -> None:
    planted = [chance((20, 30, 30, 10), 4, seed) for seed in range(count)]
    tables = [
        block_diag(
            *[x.adjacency[x.units(i), x.units(i + 1)].toarray().T for x in planted]
        )
        for i in range(3)
    ]
    graph = LayeredGraph.from_layers(tables)
    live = graph.live()
    true = [live.channel[live.units(i)] // n for i, n in enumerate((20, 30, 30, 10))]
    assert (same(join_both_ways(live)) == same(np.concatenate(true))).all()


def test_a_dense_network_is_one_module() -> None:
    tables = [np.ones((above, below)) for below, above in pairwise((9, 12, 7, 5))]
    assert not join_both_ways(LayeredGraph.from_layers(tables)).any()


@pytest.mark.parametrize("seed", range(3))
def test_halves_show_in_a_network_that_is_otherwise_chance(seed: int) -> None:
    # Two blocks of chance side by side that only the outputs, also by chance, combine.
    numbers = np.random.default_rng(seed)
    halves = [chance((20, 15, 15), 3, seed + offset) for offset in (0, 10)]
    tables = []
    for layer in (0, 1):
        below, above = halves[0].units(layer), halves[0].units(layer + 1)
        left, right = (half.adjacency[below, above].toarray().T for half in halves)
        tables.append(np.block([[left, 0 * left], [0 * right, right]]))
    tables.append(numbers.random((10, 30)) < 1 / 5)
    graph = LayeredGraph.from_layers(tables)
    live = graph.live()
    label = join_both_ways(live)[live.units(0)]
    half = live.channel[live.units(0)] // 20
    assert (same(label) == same(half)).all()


@settings(max_examples=40)
@given(st.randoms(use_true_random=False), st.integers(0, 20), st.integers(1, 4))
def test_relabelling_units_in_a_layer_changes_no_module(
    shuffling: Random, seed: int, reads: int
) -> None:
    graph = chance((5, 6, 5, 4), reads, seed).live()
    moved = []
    for layer in range(graph.depth):
        units = list(range(graph.unit_count))[graph.units(layer)]
        shuffling.shuffle(units)
        moved += units
    place = np.array(moved)
    edges = np.stack([graph.edge_sources, graph.adjacency.indices], axis=1)
    other = LayeredGraph.from_edges(graph.sizes, place[edges])
    assert (same(join_both_ways(other)[place]) == same(join_both_ways(graph))).all()


def test_modules_are_numbered_in_order_of_appearance() -> None:
    label = join_both_ways(chance((5, 6, 5, 4), 2, 0).live()).tolist()
    assert list(dict.fromkeys(label)) == list(range(max(label) + 1))


def test_published_networks_are_read_better_than_by_the_paper() -> None:
    if not REFERENCE.exists():
        pytest.skip("the reference networks are not beside this checkout")
    right: dict[str, np.ndarray] = {}
    with gzip.open(REFERENCE, "rt") as lines:
        networks = [json.loads(line) for line in list(lines)[::8]]
    for network in networks:
        truth = tasks.get(",".join(map(str, network["task"]))).truth
        sizes = network["arch"]
        tables = [np.zeros((above, below)) for below, above in pairwise(sizes)]
        for table, edges in zip(tables, network["edges"], strict=True):
            to, source, weight = np.array(edges).T
            table[to.astype(int), source.astype(int)] = weight
        graph = LayeredGraph.from_layers(tables)
        alike = outputs_alike(tables, list(map(np.array, network["biases"])))
        labels = {method: detect(graph, method=method).label for method in METHODS}
        found = detect(graph, method="bidirectional", alike=alike)
        for method, label in {**labels, "weights": found.label}.items():
            counts = right.setdefault(method, np.zeros(2))
            ends = label[graph.units(0)], label[graph.units(graph.depth - 1)]
            for end, true in enumerate((truth.input_label, truth.output_label)):
                counts[end] += (same(ends[end]) == same(np.array(true))).all()
    assert (right["bidirectional"] > right["agglomerative"]).all()
    assert right["bidirectional"][0] >= 0.9 * len(networks)
    # Weights tell outputs apart that no wiring does.
    assert right["weights"][1] > right["bidirectional"][1]
    assert right["weights"][1] >= 0.98 * len(networks)


def test_inputs_too_many_to_compare_at_every_scale_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Output 0 reads all inputs, output 1 some of them: scales must tell them apart.
    monkeypatch.setattr("sculpt_plugin.analysis.bidirectional._MOST_BYTES", 10)
    edges = [(0, 2), (1, 3), (2, 4), (3, 4), (3, 5)]
    graph = LayeredGraph.from_edges((2, 2, 2), edges)
    with pytest.raises(GraphError, match="2 live inputs and 6 live units in 3 layers"):
        detect(graph, method="bidirectional")
