import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.errors import GraphError

Wiring = tuple[list[int], list[tuple[int, int]]]


@st.composite
def wirings(draw: st.DrawFn) -> Wiring:
    """Sizes and edges of small graphs, whose edges may jump layers."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=2, max_size=5))
    layer = np.repeat(np.arange(len(sizes)), sizes)
    possible = np.argwhere(layer[:, None] < layer).tolist()
    edges = draw(st.lists(st.sampled_from(possible).map(tuple), max_size=25))
    return sizes, edges


def naive_live_units(graph: LayeredGraph) -> list[bool]:
    """Drop dead units until nothing changes, word for word."""
    table = graph.adjacency.toarray()
    is_input = graph.layer_of == 0
    is_output = graph.layer_of == graph.depth - 1
    live = np.ones(graph.unit_count, dtype=bool)
    while True:
        fed = is_input | (table & live[:, None]).any(axis=0)
        feeds = is_output | (table & live).any(axis=1)
        left = live & (fed & feeds | is_output)
        if (left == live).all():
            return live.tolist()
        live = left


@given(wirings())
def test_live_units_are_those_left_when_nothing_changes(wiring: Wiring) -> None:
    graph = LayeredGraph.from_edges(*wiring)
    assert graph.live_units().tolist() == naive_live_units(graph)


@given(wirings())
def test_live_graph_has_the_edges_between_live_units(wiring: Wiring) -> None:
    graph = LayeredGraph.from_edges(*wiring)
    live = graph.live_units()
    small = graph.live()
    expected = graph.adjacency.toarray()[np.ix_(live, live)]
    assert (small.adjacency.toarray() == expected).all()
    assert small.channel.tolist() == graph.channel[live].tolist()


@given(wirings())
def test_live_graph_has_no_dead_units(wiring: Wiring) -> None:
    graph = LayeredGraph.from_edges(*wiring)
    assert graph.live().live_units().all()


def test_unconnected_output_stays_alive() -> None:
    graph = LayeredGraph.from_edges((1, 2), [(0, 1)])
    assert graph.live().sizes == (1, 2)


def test_edge_that_jumps_a_dead_layer_keeps_its_ends_alive() -> None:
    graph = LayeredGraph.from_edges((2, 1, 1), [(0, 3), (1, 2)])
    assert graph.live().sizes == (1, 0, 1)


def test_channel_survives_dropping_units_twice() -> None:
    graph = LayeredGraph.from_edges((3, 1), [(1, 3), (2, 3)])
    twice = graph.live().keep(np.array([False, True, True]))
    assert twice.channel.tolist() == [2, 0]


def test_keeping_units_leaves_the_graph_as_it_was() -> None:
    graph = LayeredGraph.from_edges((2, 1), [(0, 2)])
    graph.live()
    assert graph.sizes == (2, 1) and graph.edge_count == 1


def test_repeated_edges_count_once() -> None:
    graph = LayeredGraph.from_edges((1, 1), [(0, 1), (0, 1)])
    assert graph.edge_count == 1


def test_weights_give_the_same_graph_as_their_edges() -> None:
    first, second = np.array([[0.0, 2.0], [1.0, 0.0]]), np.array([[0.0, -3.0]])
    graph = LayeredGraph.from_layers([first, second])
    expected = LayeredGraph.from_edges((2, 2, 1), [(1, 2), (0, 3), (3, 4)])
    assert (graph.adjacency != expected.adjacency).nnz == 0


def test_layers_have_their_place_in_the_flat_order() -> None:
    graph = LayeredGraph.from_edges((2, 3, 1), [(0, 2)])
    assert [graph.units(layer) for layer in range(3)] == [
        slice(0, 2),
        slice(2, 5),
        slice(5, 6),
    ]
    assert graph.layer_of.tolist() == [0, 0, 1, 1, 1, 2]


def test_default_names_call_the_first_layer_inputs() -> None:
    graph = LayeredGraph.from_edges((1, 1, 1), [])
    assert graph.names == ("inputs", "layer 1", "layer 2")
    assert graph.kinds == ("input", "linear", "linear")


def test_large_graph_is_swept_in_one_go() -> None:
    random = np.random.default_rng(0)
    source = random.integers(0, 50_000, 200_000)
    edges = np.stack([source, random.integers(50_000, 100_000, 200_000)], axis=1)
    graph = LayeredGraph.from_edges((50_000, 50_000), edges)
    assert graph.live().sizes == (len(np.unique(source)), 50_000)


@pytest.mark.parametrize(
    ("edge", "message"),
    [
        ((0, 1), r"later layer, but unit 0 \(layer 0\) feeds unit 1 \(layer 0\)"),
        ((3, 0), r"later layer, but unit 3 \(layer 2\) feeds unit 0 \(layer 0\)"),
        ((2, 2), r"later layer, but unit 2 \(layer 1\) feeds unit 2"),
        ((0, 4), r"must join units 0 to 3 .*, got \(0, 4\)"),
        ((-1, 3), r"must join units 0 to 3 .*, got \(-1, 3\)"),
    ],
)
def test_edge_that_cannot_be_is_refused(edge: tuple[int, int], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        LayeredGraph.from_edges((2, 1, 1), [edge])


@pytest.mark.parametrize("sizes", [(), (3,), (3, 0), (3, -1, 2)])
def test_sizes_without_inputs_and_outputs_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(GraphError, match="sizes must hold an input layer"):
        LayeredGraph.from_edges(sizes, [])


@pytest.mark.parametrize("what", ["names", "kinds"])
def test_missing_names_are_refused(what: str) -> None:
    with pytest.raises(GraphError, match=f"{what} must hold one entry for each of"):
        LayeredGraph.from_edges((1, 1), [], **{what: ("inputs",)})


def test_missing_layer_is_refused() -> None:
    with pytest.raises(GraphError, match=r"layer must be 0 to 1 .*, got 2"):
        LayeredGraph.from_edges((1, 1), []).units(2)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([], "sizes must hold an input layer"),
        ([np.ones(3)], r"layer 1 must be a table .* got shape \(3,\)"),
        ([np.ones((2, 3)), np.ones((1, 3))], "layer 2 must have one column for each"),
        ([np.array([[np.nan]])], "layer 1 must be finite"),
    ],
)
def test_weights_that_make_no_chain_are_refused(
    weights: list[np.ndarray], message: str
) -> None:
    with pytest.raises(GraphError, match=message):
        LayeredGraph.from_layers(weights)


def graph_of(adjacency: sparse.csr_array, channel: list[int]) -> LayeredGraph:
    return LayeredGraph((1, 1), ("inputs", "a"), ("input", "linear"),
                        np.array(channel), adjacency)  # fmt: skip


def test_channel_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(GraphError, match=r"channel must hold .* got shape \(1,\)"):
        graph_of(sparse.csr_array((2, 2), dtype=bool), [0])


def test_adjacency_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(GraphError, match=r"row and a column .* got shape \(3, 3\)"):
        graph_of(sparse.csr_array((3, 3), dtype=bool), [0, 0])


def test_adjacency_with_zero_entries_is_refused() -> None:
    entries = (np.array([False]), np.array([1]), np.array([0, 1, 1]))
    with pytest.raises(GraphError, match="each edge once and nothing else"):
        graph_of(sparse.csr_array(entries, shape=(2, 2)), [0, 0])


@pytest.mark.parametrize(
    "edges",
    [[(0.9, 2.9)], [(0, 2, 1, 3)], [(0, 2, 0.5)], [(0, 2), (1,)], [("0", "2")]],
    ids=str,
)
def test_edges_that_are_no_pairs_of_whole_numbers_are_refused(edges):
    with pytest.raises(GraphError, match=r"pairs \(from, to\) of whole numbers"):
        # An iterator, which the type checks of the tests leave alone.
        LayeredGraph.from_edges((2, 2), iter(edges))


def test_tensors_serve_as_well_as_arrays():
    layer = torch.nn.Linear(3, 2)
    tables = [layer.weight, layer.weight.new_ones(1, 2).bfloat16()]

    graph = LayeredGraph.from_layers(tables)

    assert graph.sizes == (3, 2, 1)
    assert graph.edge_count == 8


def test_weights_that_are_no_numbers_are_refused():
    with pytest.raises(GraphError, match="weights of layer 1 must be numbers, got <U1"):
        LayeredGraph.from_layers([np.array([["a"]])])
