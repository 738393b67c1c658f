import pytest

from sculpt_plugin.analysis.features import reach, reach_by_layer
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.errors import GraphError


def skipping_graph() -> LayeredGraph:
    """Inputs 0, 1; hidden 2, 3 and 4; output 5. Unit 1 jumps to 4, unit 2 to 5."""
    edges = [(0, 2), (0, 3), (1, 4), (2, 5), (3, 4), (4, 5)]
    return LayeredGraph.from_edges((2, 2, 1, 1), edges)


@pytest.mark.parametrize(
    ("steps", "rows"),
    [
        (1, [[1, 1, 0, 0], [0, 0, 1, 0]]),
        (2, [[1, 1, 1, 1], [0, 0, 1, 1]]),
        (None, [[1, 1, 1, 1], [0, 0, 1, 1]]),
    ],
)
def test_inputs_reach_what_paths_of_so_many_edges_reach(
    steps: int | None, rows: list[list[int]]
) -> None:
    assert reach(skipping_graph(), 0, steps=steps).astype(int).tolist() == rows


def test_columns_are_the_units_of_later_layers_only() -> None:
    rows = reach(skipping_graph(), 1)
    assert rows.astype(int).tolist() == [[0, 1], [1, 1]]


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_one_pass_gives_every_layer_the_same_table(layer: int) -> None:
    graph = skipping_graph()
    together = reach_by_layer(graph, steps=2)[layer]
    assert (together == reach(graph, layer, steps=2)).all()


@pytest.mark.parametrize("layer", [-1, 3])
def test_layer_that_reaches_nothing_is_refused(layer: int) -> None:
    with pytest.raises(GraphError, match=f"layer must be 0 to 2 .*, got {layer}"):
        reach(skipping_graph(), layer)


def test_no_steps_are_refused() -> None:
    with pytest.raises(GraphError, match=r"steps must be None .*, got 0"):
        reach(skipping_graph(), 0, steps=0)
