"""A network that was cut, under the unit numbers it had before."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.errors import GraphError

LARGEST = 10**7  # units in a layer; a file could claim any number


def renumber(
    graph: LayeredGraph,
    units: Mapping[str, Sequence[int]],
    sizes: Mapping[str, int],
) -> LayeredGraph:
    """Put the units of a cut network back under their original numbers.

    Reports speak of the units a network was trained with, whatever was cut out of it
    since. The units that are gone come back as dead ones.

    Args:
        graph: The network as it is now.
        units: For each layer that was cut, the original number of each of its units.
        sizes: For each of these layers, how many units it had.

    Returns:
        The same edges in a graph of the original sizes.

    Raises:
        GraphError: The numbers do not fit the graph or the sizes.

    Example:
        >>> graph = LayeredGraph.from_edges((1, 2), [(0, 2)], names=("inputs", "out"))
        >>> whole = renumber(graph, {"out": [1, 4]}, {"out": 5})
        >>> whole.sizes, [int(i) for i in whole.adjacency.indices]
        ((1, 5), [5])
    """
    places, new_sizes, start = [], [], 0
    for layer, (name, size) in enumerate(zip(graph.names, graph.sizes, strict=True)):
        span = graph.units(layer)
        numbers = np.asarray(units.get(name, graph.channel[span]), dtype=np.int64)
        whole = int(sizes.get(name, size))
        rising = len(numbers) == size and bool((np.diff(numbers) > 0).all())
        inside = bool(((numbers >= 0) & (numbers < whole)).all())
        if not rising or not inside or whole > LARGEST:
            raise GraphError(
                f"The original unit numbers of layer {name!r} must be {size} rising "
                f"numbers below its size of {whole}: the file does not fit itself, so "
                "save the model again."
            )
        places.append(start + numbers)
        new_sizes.append(whole)
        start += whole
    place = np.concatenate(places)
    edges = graph.adjacency.tocoo()
    adjacency = sparse.coo_array(
        (edges.data, (place[edges.row], place[edges.col])), shape=(start, start)
    ).tocsr()
    adjacency.sort_indices()
    return LayeredGraph(
        sizes=tuple(new_sizes),
        names=graph.names,
        kinds=graph.kinds,
        channel=np.concatenate([np.arange(size) for size in new_sizes]),
        adjacency=adjacency,
    )
