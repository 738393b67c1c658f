from functools import partial
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.modules import detect
from sculpt_plugin.errors import GraphError

paper = partial(detect, method="agglomerative")

HALVES = [
    *product((0, 1), (4, 5)),
    *product((2, 3), (6, 7)),
    *product((4, 5), (8, 9)),
    *product((6, 7), (10, 11)),
]


def three_pairs_and_their_readers() -> LayeredGraph:
    """Pairs p, q, r of inputs with two hidden units each; outputs pq, pr, qr."""
    edges = [
        *product((0, 1), (6, 7)),
        *product((2, 3), (8, 9)),
        *product((4, 5), (10, 11)),
        *product((6, 7, 8, 9), (12,)),
        *product((6, 7, 10, 11), (13,)),
        *product((8, 9, 10, 11), (14,)),
    ]
    return LayeredGraph.from_edges((6, 6, 3), edges)


def test_reused_pairs_and_their_readers_make_six_modules() -> None:
    found = paper(three_pairs_and_their_readers())
    assert found.label.tolist() == [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2, 3, 4, 5]


def test_reused_pairs_feed_two_readers_each() -> None:
    found = paper(three_pairs_and_their_readers())
    assert [module.used_by for module in found.modules[:3]] == [(3, 4), (3, 5), (4, 5)]
    assert set(found.edges.values()) == {2}


def test_reused_pairs_lie_below_their_readers() -> None:
    found = paper(three_pairs_and_their_readers())
    assert [module.level for module in found.modules] == [0, 0, 0, 1, 1, 1]
    separable = [module.input_separable for module in found.modules]
    assert separable == [True, True, True, False, False, False]


@given(st.tuples(*(st.permutations(range(4)) for _ in range(3))))
def test_relabelling_units_in_a_layer_changes_no_module(
    order: tuple[list[int], ...],
) -> None:
    moved = [4 * layer + place for layer in range(3) for place in order[layer]]
    edges = [(moved[source], moved[target]) for source, target in HALVES]
    label = paper(LayeredGraph.from_edges((4, 4, 4), edges)).label[moved]
    expected = np.tile([0, 0, 1, 1], 3)
    same = label[:, None] == label
    assert (same == (expected[:, None] == expected)).all()


def test_module_numbers_name_the_modules_in_order() -> None:
    found = paper(three_pairs_and_their_readers())
    assert [module.id for module in found.modules] == list(range(6))


def test_dead_units_have_no_module_and_no_cluster() -> None:
    # Input 1 feeds only unit 4, which feeds nothing; unit 5 reads nothing.
    edges = [(0, 3), (1, 4), (2, 3), (3, 6), (5, 6)]
    found = paper(LayeredGraph.from_edges((3, 3, 1), edges))
    assert found.label.tolist() == [0, -1, 0, 0, -1, -1, 0]
    labels = [layer.labels.tolist() for layer in found.clusters]
    assert labels == [[0, -1, 0], [0, -1, -1], [0]]
    assert found.modules[0].inputs == (0, 2)


def test_graph_without_a_hidden_layer_is_analysed() -> None:
    found = paper(LayeredGraph.from_edges((4, 2), [(0, 4), (1, 4), (2, 5), (3, 5)]))
    assert found.label.tolist() == [0, 0, 1, 1, 0, 1]


def test_layers_of_one_unit_make_one_module() -> None:
    found = paper(LayeredGraph.from_edges((1, 1, 1), [(0, 1), (1, 2)]))
    assert found.label.tolist() == [0, 0, 0]
    assert [layer.rule for layer in found.clusters] == ["single", "single", "outputs"]


def test_output_that_nothing_feeds_is_a_module_of_its_own() -> None:
    found = paper(LayeredGraph.from_edges((1, 1, 2), [(0, 1), (1, 2)]))
    assert found.label.tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(("edge_count", "joined"), [(9, False), (10, True)])
def test_share_of_edges_must_exceed_the_threshold(
    edge_count: int, joined: bool
) -> None:
    # Output 0 reads so many units of one module and a single one of another.
    hidden = edge_count + 1
    inputs = [(0, 2 + unit) for unit in range(edge_count)] + [(1, 1 + hidden)]
    outputs = [(2 + unit, 2 + hidden) for unit in range(hidden)]
    own = [(1 + hidden, 3 + hidden)]
    graph = LayeredGraph.from_edges((2, hidden, 2), [*inputs, *outputs, *own])
    label = paper(graph, hops=1, merge_threshold=0.9).label
    assert (label[-2] == label[0]) == joined


def test_first_of_several_modules_wins_under_a_low_threshold() -> None:
    # Units 2 and 3 are apart and feed output 5 alike; unit 3 also feeds 6, unit 2, 4.
    edges = [(0, 2), (1, 3), (2, 4), (2, 5), (3, 5), (3, 6)]
    graph = LayeredGraph.from_edges((2, 2, 3), edges)
    label = paper(graph, hops=1, merge_threshold=0.4).label.tolist()
    assert label == [0, 1, 0, 1, 0, 0, 1]


def test_residual_edges_do_not_split_a_module() -> None:
    # Two halves of three layers, each also feeding past its middle layer.
    past = [*product((0, 1), (8, 9)), *product((2, 3), (10, 11))]
    graph = LayeredGraph.from_edges((4, 4, 4), [*HALVES, *past])
    assert paper(graph).label.tolist() == [0, 0, 1, 1] * 3


@pytest.mark.parametrize("hops", [1, 2, None])
def test_edge_past_a_dead_layer_is_followed(hops: int | None) -> None:
    graph = LayeredGraph.from_edges((2, 1, 2), [(0, 3), (1, 4)])
    assert paper(graph, hops=hops).label.tolist() == [0, 1, -1, 0, 1]


@pytest.mark.parametrize(
    ("hops", "labels"), [(1, [0, 1, 2, 3]), (2, [0, 0, 1, 1]), (None, [0, 0, 1, 1])]
)
def test_inputs_that_meet_later_are_joined_by_enough_hops(
    hops: int | None, labels: list[int]
) -> None:
    own = list(zip(range(4), range(4, 8), strict=True))
    meeting = [(4, 8), (5, 8), (6, 9), (7, 9), (8, 10), (9, 11)]
    graph = LayeredGraph.from_edges((4, 4, 2, 2), own + meeting)
    assert paper(graph, hops=hops).clusters[0].labels.tolist() == labels


def test_chance_counts_only_the_layers_in_sight() -> None:
    # Inputs share one hidden unit of four, less than chance; of all eight units, more.
    edges = [(0, 2), (0, 3), (0, 4), (1, 2), (1, 5), (2, 6), (3, 7), (4, 8), (5, 9)]
    found = paper(LayeredGraph.from_edges((2, 4, 4), edges), hops=1)
    assert found.clusters[0].rule == "all apart"


def test_graph_is_left_as_it_was() -> None:
    graph = three_pairs_and_their_readers()
    before = graph.adjacency.toarray()
    detect(graph)
    assert (graph.adjacency.toarray() == before).all()


@pytest.mark.parametrize("edges", [[], [(0, 2)], [(2, 3)]])
def test_network_of_dead_units_is_refused(edges: list[tuple[int, int]]) -> None:
    graph = LayeredGraph.from_edges((2, 1, 1), edges)
    with pytest.raises(GraphError, match=f"none of the {len(edges)} edges lies on one"):
        detect(graph)


@pytest.mark.parametrize("hops", [0, -1])
def test_hops_below_one_are_refused(hops: int) -> None:
    with pytest.raises(GraphError, match=f"hops must be None .* from 1, got {hops}"):
        detect(three_pairs_and_their_readers(), hops=hops)


def test_both_methods_find_the_six_modules() -> None:
    graph = three_pairs_and_their_readers()
    theirs, own = paper(graph), detect(graph)
    assert own.label.tolist() == theirs.label.tolist()
    assert own.edges == theirs.edges
    assert own.clusters == ()


def test_a_setting_of_the_papers_method_chooses_it() -> None:
    graph = three_pairs_and_their_readers()
    for settings in (
        {"hops": 1},
        {"merge_threshold": 0.9},
        {"modularity_threshold": 0},
    ):
        assert detect(graph, **settings).clusters
    assert not detect(graph).clusters


@pytest.mark.parametrize("method", ["bidirectional", "louvain"])
def test_a_threshold_is_refused_where_there_is_none(method) -> None:
    with pytest.raises(GraphError, match=f"merge_threshold .* {method!r}, .* got 0.6"):
        detect(three_pairs_and_their_readers(), merge_threshold=0.6, method=method)


def test_weights_say_nothing_where_nothing_is_pruned() -> None:
    dense = LayeredGraph.from_layers([np.ones((3, 2)), np.ones((2, 3))])
    sparse = LayeredGraph.from_layers([np.ones((3, 2)), np.ones((2, 3)) - np.eye(2, 3)])
    assert not detect(dense, alike=np.array([0, 1])).label.any()
    assert detect(sparse, alike=np.array([0, 1])).label.any()


def test_weights_that_group_all_outputs_say_something_where_nothing_is_missing() -> (
    None
):
    # Outputs 0 and 2 weigh the two hidden units in one way, 1 and 3 in another.
    whole = LayeredGraph.from_layers([np.ones((2, 2)), np.ones((4, 2))])
    found = detect(whole, alike=np.array([7, -1, 7, -1]))
    assert found.label.tolist() == [0, 0, 0, 0, 1, 2, 1, 2]
    assert not detect(whole, alike=np.array([7, -1, 7, 0])).label.any()


def test_dead_units_have_no_module_by_our_own_method_either() -> None:
    edges = [(0, 3), (1, 4), (2, 3), (3, 6), (5, 6)]
    graph = LayeredGraph.from_edges((3, 3, 1), edges)
    label = detect(graph, method="bidirectional").label
    assert label.tolist() == [0, -1, 0, 0, -1, -1, 0]


def test_hops_are_refused_where_every_scale_is_looked_at() -> None:
    with pytest.raises(GraphError, match=r"hops must be None .* got 2"):
        detect(three_pairs_and_their_readers(), hops=2, method="bidirectional")


@pytest.mark.parametrize("threshold", [-0.1, 1.0, 90.0, float("nan")])
def test_merge_threshold_that_is_no_share_is_refused(threshold: float) -> None:
    with pytest.raises(GraphError, match="merge_threshold must be from 0 to below 1"):
        detect(three_pairs_and_their_readers(), merge_threshold=threshold)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_modularity_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(GraphError, match="modularity_threshold must be from 0 to 1"):
        detect(three_pairs_and_their_readers(), modularity_threshold=threshold)


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        ([None], {}, "graph must be a LayeredGraph, got NoneType: trace a model first"),
        ([], {"merge_threshold": "0.9"}, "from 0 to below 1, got '0.9'"),
        ([], {"modularity_threshold": "0.2"}, "from 0 to 1, got '0.2'"),
    ],
)
def test_arguments_of_a_wrong_kind_are_named(arguments, settings, said) -> None:
    graph = LayeredGraph.from_edges((1, 1), [(0, 1)])
    # As users call it, without the type checks of the tests.
    with pytest.raises(GraphError, match=said):
        detect.__wrapped__(*(arguments or [graph]), **settings)
