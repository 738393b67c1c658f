"""Outputs that weigh what they read alike, and so compute the same."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse
from scipy.sparse import csgraph

from sculpt_plugin.analysis.agreement import in_order
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.errors import GraphError

# Rows of weights are alike if more than nine tenths of one is in the other (cosine
# squared).
_IN_COMMON = 0.9


def outputs_alike(
    weights: Sequence[Float[np.ndarray, "_ _"]],
    biases: Sequence[Float[np.ndarray, " _"]],
) -> Int[np.ndarray, " output"]:
    """Group outputs that read the same units in the same proportions.

    In a very sparse network two functions may share all their units: one output reads
    them with one sign, the other with the other sign, or with other strengths. No
    wiring tells such outputs apart, but their weights do. And where training left one
    output a stray edge, its weights are still those of its like. An output and its
    negation (all weights and the bias turned round) are one function.

    They are alike if their weights are, without the bias and with it. Nothing is asked
    of the data or of the targets: it is the network itself that says which outputs it
    computes in one way. A unit that no input reaches is a constant,
    so it counts as a part of the bias of what reads it.

    Args:
        weights: A chain of layers with ReLU between them, from the inputs up. Row `i`
            of a table holds what unit `i` reads, 0 where there is no edge.
        biases: The bias of each unit of these layers, 0 where it has none.

    Returns:
        The group of each output, for `detect`. An output that reads nothing is alone.

    Raises:
        GraphError: The tables and biases do not fit together.

    Example:
        The first output and the third are alike; the second reads the same units.

        >>> hidden, outputs = np.eye(2), np.array([[4, -2], [-4, 2], [4.1, -2]])
        >>> biases = [np.zeros(2), np.array([-1, -1, -1.1])]
        >>> outputs_alike([hidden, outputs], biases).tolist()
        [0, 1, 0]
    """
    graph = LayeredGraph.from_layers(weights)
    shapes = [bias.shape for bias in biases]
    if shapes != [(len(table),) for table in weights]:
        raise GraphError(
            "biases must hold one number for each unit of each layer, that is "
            f"{[len(table) for table in weights]}, got shapes {shapes}."
        )
    live = graph.live_units()
    constant = np.zeros(graph.sizes[0])
    for layer in range(1, graph.depth - 1):
        level = biases[layer - 1] + weights[layer - 1] @ constant
        constant = np.where(live[graph.units(layer)], 0, np.maximum(level, 0))
    level = biases[-1] + weights[-1] @ constant
    readers = live[graph.units(graph.depth - 2)]
    read = weights[-1] * readers
    # A large bias would hide that two outputs read different units.
    alike = _alike(read) & _alike(np.concatenate([read, level[:, None]], axis=1))
    joined = csgraph.connected_components(sparse.csr_array(alike), directed=False)[1]
    return in_order(joined)


def _alike(rows: Float[np.ndarray, "row _"]) -> Bool[np.ndarray, "row row"]:
    """Tell which rows point the same way, or the opposite way; none that are zero."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return (rows @ rows.T) ** 2 > _IN_COMMON
