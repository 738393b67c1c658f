import numpy as np
import pytest

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.modules import detect
from sculpt_plugin.analysis.readout import outputs_alike
from sculpt_plugin.errors import GraphError


def alike(rows: list[list[float]], bias: list[float]) -> list[int]:
    """The groups of outputs that read three hidden units, each fed by its input."""
    table = np.array(rows, dtype=float)
    biases = [np.zeros(table.shape[1]), np.array(bias, dtype=float)]
    return outputs_alike([np.eye(table.shape[1]), table], biases).tolist()


def test_outputs_with_the_same_weights_up_to_a_factor_are_alike() -> None:
    assert alike([[1, 2, 0], [3, 6, 0], [2, 1, 0]], [-1, -3, 0]) == [0, 0, 1]


def test_outputs_that_read_different_units_differ_however_large_their_biases() -> None:
    assert alike([[-0.85, 0], [0, -0.81]], [2.99, 5.61]) == [0, 1]


def test_an_output_and_its_negation_are_alike() -> None:
    assert alike([[1, 2], [-1, -2]], [-1, 1]) == [0, 0]


def test_outputs_of_opposite_weights_differ_if_the_bias_does_not_turn_round() -> None:
    # Both are mostly off, so neither is the negation of the other.
    assert alike([[2, -2], [-2, 2]], [-1, -1]) == [0, 1]


def test_a_weak_stray_edge_makes_no_difference() -> None:
    assert alike([[3, 3, 0], [3, 3, 1], [0, 3, 3]], [-2, -2, -2]) == [0, 0, 1]


def test_outputs_that_read_nothing_are_alone() -> None:
    assert alike([[0, 0], [0, 0], [1, 1]], [-1, -1, -1]) == [0, 1, 2]


def test_a_unit_that_no_input_reaches_counts_as_bias() -> None:
    # Unit 1 is 2 for every input, so the second output is 3 h0 + 1 like the first.
    hidden, outputs = np.array([[1.0], [0.0]]), np.array([[3.0, 0.0], [3.0, 2.0]])
    found = outputs_alike(
        [hidden, outputs], [np.array([0.0, 2.0]), np.array([1, -3.0])]
    )
    assert found.tolist() == [0, 0]


@pytest.mark.parametrize("seed", range(5))
def test_how_large_hidden_units_are_is_nothing_to_what_is_alike(seed: int) -> None:
    # Three functions, each computed by two outputs with nearly the same weights.
    random = np.random.default_rng(seed)
    shapes = [(9, 5), (8, 9), (3, 8)]
    tables = [random.normal(size=x) * (random.random(x) < 0.7) for x in shapes]
    tables[-1] = tables[-1].repeat(2, axis=0) * random.normal(1, 0.02, (6, 8))
    biases = [random.normal(size=len(table)) for table in tables]
    biases[-1] = biases[-1][:3].repeat(2)
    found = outputs_alike(tables, biases)
    for layer in (0, 1):
        # What a unit with ReLU gives is so many times larger, and is weighed down.
        factor = np.exp(random.normal(0, 3, len(tables[layer])))
        tables[layer] *= factor[:, None]
        biases[layer] *= factor
        tables[layer + 1] /= factor
    assert found.tolist() == [0, 0, 1, 1, 2, 2]
    assert outputs_alike(tables, biases).tolist() == found.tolist()


def test_of_a_layer_without_units_all_outputs_are_apart() -> None:
    tables = [np.zeros((0, 2)), np.zeros((2, 0))]
    assert outputs_alike(tables, [np.zeros(0), np.ones(2)]).tolist() == [0, 1]


def test_biases_must_fit_the_layers() -> None:
    with pytest.raises(GraphError, match=r"that is \[2, 2\], got shapes \[\(2,\)\]"):
        outputs_alike([np.eye(2), np.eye(2)], [np.zeros(2)])


def test_modules_tell_outputs_apart_that_share_all_they_read() -> None:
    # Of three hidden units one was pruned.
    hidden, outputs = np.ones((3, 4)), np.zeros((3, 3))
    hidden[2] = 0
    outputs[:, :2] = [[2.0, -2.0], [-2.0, 2.0], [2.0, -2.1]]
    tables = [hidden, outputs]
    graph = LayeredGraph.from_layers(tables)
    found = outputs_alike(tables, [np.zeros(3), -np.ones(3)])
    by_wiring = detect(graph, method="bidirectional").label
    by_weight = detect(graph, method="bidirectional", alike=found).label
    assert by_wiring.tolist() == [0] * 6 + [-1] + [0] * 3
    assert by_weight.tolist() == [0] * 6 + [-1] + [1, 2, 1]


def test_outputs_that_are_alike_are_together_though_fed_by_different_units() -> None:
    tables = [np.eye(2).repeat(2, axis=1), np.array([[2.0, 0], [2.0, 0.1], [0, 2.0]])]
    graph = LayeredGraph.from_layers(tables)
    found = outputs_alike(tables, [np.zeros(2), np.zeros(3)])
    label = detect(graph, method="bidirectional", alike=found).label
    assert label[-3] == label[-2] != label[-1]


@pytest.mark.parametrize(
    ("alike", "method", "told"),
    [
        (np.zeros(1, int), "agglomerative", "method 'agglomerative', which does not"),
        (np.zeros(3, int), "bidirectional", "each of the 1 outputs, but it holds 3"),
    ],
)
def test_outputs_alike_must_fit(alike: np.ndarray, method: str, told: str) -> None:
    graph = LayeredGraph.from_layers([np.ones((1, 2)), np.ones((1, 1))])
    with pytest.raises(GraphError, match=told):
        detect(graph, method=method, alike=alike)  # pyright: ignore[reportArgumentType]
