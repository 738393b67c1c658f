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
# The sizes of units are even where none would change by more than such a share; deep
# networks come there slowly.
_EVEN, _MOST_TURNS = 1e-6, 100


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
    so it counts as a part of the bias of what reads it. And how large a unit's numbers
    are is nothing to what is computed, if what reads them weighs them accordingly: all
    are taken as in the network with the smallest weights that computes the same.

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
    tables, level, constant = [], np.zeros(0), np.zeros(graph.sizes[0])
    for layer, (table, bias) in enumerate(zip(weights, biases, strict=True), start=1):
        level = bias + table @ constant
        constant = np.where(live[graph.units(layer)], 0, np.maximum(level, 0))
        ends = np.outer(live[graph.units(layer)], live[graph.units(layer - 1)])
        tables.append(np.where(ends, table, 0))
    read = tables[-1] * _sizes_evened(tables)
    # A large bias would hide that two outputs read different units.
    alike = _alike(read) & _alike(np.concatenate([read, level[:, None]], axis=1))
    joined = csgraph.connected_components(sparse.csr_array(alike), directed=False)[1]
    return in_order(joined)


def _sizes_evened(
    tables: Sequence[Float[np.ndarray, "_ _"]],
) -> Float[np.ndarray, " unit"]:
    """Say how much smaller the last layer's inputs are where all units are even.

    A unit with ReLU can be so many times larger if what reads it weighs it so many
    times less. Of the networks that differ by such factors only, one has the smallest
    sum of squared weights: the one in which each unit reads as much as it is read.

    Args:
        tables: The weights between live units, from the inputs up.

    Returns:
        What to multiply the weights by that read these units.
    """
    squares = [table.astype(float) ** 2 for table in tables]
    # Squared, too: of the inputs, each hidden layer and the outputs.
    sizes = [np.ones(table.shape[1]) for table in tables] + [np.ones(len(tables[-1]))]
    for _ in range(_MOST_TURNS):
        most = 0.0
        for layer in range(1, len(tables)):
            reads = squares[layer - 1] @ (1 / sizes[layer - 1])
            is_read = sizes[layer + 1] @ squares[layer]
            live = (reads > 0) & (is_read > 0)
            even = np.sqrt(np.divide(is_read, reads, out=reads**0, where=live))
            most = max(most, np.abs(even / sizes[layer] - 1).max(initial=0.0))
            sizes[layer] = even
        if most < _EVEN:
            break
    return 1 / np.sqrt(sizes[-2])


def _alike(rows: Float[np.ndarray, "row _"]) -> Bool[np.ndarray, "row row"]:
    """Tell which rows point the same way, or the opposite way; none that are zero."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return (rows @ rows.T) ** 2 > _IN_COMMON
