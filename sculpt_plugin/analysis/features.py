"""What each unit can influence: the features that clustering compares."""

import numpy as np
from jaxtyping import Bool

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.spread import mark, spread, unmark
from sculpt_plugin.errors import GraphError


def reach(
    graph: LayeredGraph, layer: int, *, steps: int | None = None
) -> Bool[np.ndarray, "unit later"]:
    """Tell which later units each unit of a layer can influence.

    Two units that feed the same later units serve the same sub-function, so
    clustering compares the rows of this table. A path may skip layers: `steps`
    counts edges, not layers.

    Args:
        graph: The network; usually one without dead units.
        layer: Which layer, 0 for the inputs.
        steps: Longest path to follow, in edges. `None`: all the way to the outputs.

    Returns:
        Row `i` is unit `i` of `layer`. The columns are all units of the layers
        after it, in graph order.

    Raises:
        GraphError: `layer` has nothing after it, or is not in the graph; `steps` is
            below 1.

    Example:
        The first two inputs share a hidden unit, the third has its own.

        >>> edges = [(0, 3), (1, 3), (2, 4), (3, 5), (4, 5)]
        >>> graph = LayeredGraph.from_edges(sizes=(3, 2, 1), edges=edges)
        >>> reach(graph, layer=0, steps=1).astype(int)
        array([[1, 0, 0],
               [1, 0, 0],
               [0, 1, 0]])

    Reference:
        Patil, Michael and Dovrolis, "Neural Sculpting", NeurIPS 2023,
        https://arxiv.org/abs/2305.18402
    """
    if not 0 <= layer < graph.depth - 1:
        raise GraphError(
            f"layer must be 0 to {graph.depth - 2} in a graph of {graph.depth} layers "
            f"(the last one reaches nothing), got {layer}."
        )
    return reach_by_layer(graph, steps=steps)[layer]


def reach_by_layer(
    graph: LayeredGraph, *, steps: int | None = None
) -> list[Bool[np.ndarray, "unit later"]]:
    """Give the table of `reach` for every layer but the last, in one pass.

    Args:
        graph: The network; usually one without dead units.
        steps: Longest path to follow, in edges. `None`: all the way to the outputs.

    Returns:
        One table per layer, as `reach` gives it.

    Raises:
        GraphError: `steps` is below 1.

    Example:
        >>> graph = LayeredGraph.from_edges((2, 1, 1), [(0, 2), (1, 2), (2, 3)])
        >>> [table.shape for table in reach_by_layer(graph)]
        [(2, 2), (1, 1)]
    """
    own = mark(np.arange(graph.unit_count), graph.unit_count)
    reached = spread(graph, own, steps=steps)
    tables = []
    for layer in range(graph.depth - 1):
        units = graph.units(layer)
        # A unit's own mark lies left of the later units, and is cut off with the rest.
        tables.append(unmark(reached[:, units], graph.unit_count)[:, units.stop :])
    return tables
