"""What each unit of a large network can influence, 64 later units to a word."""

from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Int, UInt64
from scipy import sparse
from scipy.sparse import csgraph

from sculpt_plugin.analysis.bit_rows import Rows
from sculpt_plugin.analysis.graph import LayeredGraph

# Most words that are gathered at once: 2 MB, which stays near the processor.
_BLOCK = 2**18


def packed_reach(
    graph: LayeredGraph,
    column: Bool[np.ndarray, " unit"],
    *,
    steps: int | None = None,
) -> list[Rows]:
    """Give for every layer but the last what its units reach, as rows of bits.

    These are the tables of `reach_by_layer` at an eighth of the memory or less, with
    the columns in another order: reach never leaves a part of the network that no edge
    joins to the rest, so a row has room for its own part only.

    Args:
        graph: The network; usually one without dead units.
        column: Which units have a column of their own. All, unless that is too many.
        steps: Longest path to follow, in edges. `None`: all the way to the outputs.

    Returns:
        One table per layer. Its columns are the later units, from the last one down;
        with bounded steps only those in layers that are reached count.

    Example:
        >>> graph = LayeredGraph.from_edges((2, 1, 1), [(0, 2), (1, 2), (2, 3)])
        >>> inputs, hidden = packed_reach(graph, np.ones(4, dtype=bool))
        >>> inputs.union(np.array([0])).astype(int), inputs.columns, hidden.columns
        (array([1, 1]), 2, 1)
    """
    bounded = steps is not None and steps < graph.depth - 1
    component = np.zeros(graph.unit_count, dtype=np.int64)
    if not bounded:
        component = components(graph)
    place, start, order = places(component, column)
    later = [int(column[above:].sum()) for above in graph.offsets[1:]]
    words = [-(-count // 64) for count in widths(graph, place)]
    tables = [
        _direct(graph, place, layer, words[layer]) for layer in range(graph.depth)
    ]
    layers = range(graph.depth - 1)
    first = [start[component[graph.units(layer)]] for layer in layers]
    if steps is None or not bounded:
        # From the top down, each layer finds the ones above it finished.
        for layer in reversed(layers):
            _absorb(graph, tables, layer)
        return [
            Rows(tables[layer], later[layer], first[layer], order) for layer in layers
        ]
    for _ in range(steps - 1):
        # From the bottom up, it finds them as they were one step before.
        for layer in layers:
            _absorb(graph, tables, layer)
    return [
        Rows(*_in_sight(tables[layer], layer, later), first[layer], order)
        for layer in layers
    ]


def components(graph: LayeredGraph) -> Int[np.ndarray, " unit"]:
    """Number the parts of a network that no edge joins.

    Example:
        >>> components(LayeredGraph.from_edges((2, 2), [(0, 2), (1, 3)])).tolist()
        [0, 1, 0, 1]
    """
    found = csgraph.connected_components(graph.adjacency, directed=False)[1]
    return found.astype(np.int64)


def places(
    component: Int[np.ndarray, " unit"], column: Bool[np.ndarray, " unit"]
) -> tuple[
    Int[np.ndarray, " unit"], Int[np.ndarray, " component"], Int[np.ndarray, " column"]
]:
    """Give each unit that has a column its place among those of its component.

    Args:
        component: The component of each unit, from 0.
        column: Which units have a column of their own.

    Returns:
        The place of each unit, counted from the last one down, so that it is the same
        in every layer's table, -1 without a column; where each component begins if they
        are put one after the other; and the column at each place of that row.

    Example:
        >>> places(np.array([0, 1, 0]), np.ones(3, dtype=bool))
        (array([1, 0, 0]), array([0, 2]), array([0, 2, 1]))
    """
    down = np.flatnonzero(column)[::-1]
    order = np.argsort(component[down], kind="stable")
    sizes = np.bincount(component[down], minlength=int(component.max(initial=0)) + 1)
    start = np.cumsum(sizes) - sizes
    place = np.full(len(column), -1)
    place[down[order]] = np.arange(len(down)) - np.repeat(start, sizes)
    return place, start, order


def widths(graph: LayeredGraph, place: Int[np.ndarray, " unit"]) -> list[int]:
    """Tell how many places a row of each layer needs, the last layer's none.

    Example:
        >>> graph = LayeredGraph.from_edges((2, 2), [(0, 2), (1, 3)])
        >>> widths(graph, np.array([1, 1, 0, 0]))
        [1, 0]
    """
    return [int(place[above:].max(initial=-1)) + 1 for above in graph.offsets[1:]]


def later_parts(graph: LayeredGraph) -> list[Int[np.ndarray, " _"]]:
    """For every layer but the last tell which units have nothing later in common.

    Args:
        graph: The network.

    Returns:
        A number for each unit of a layer. Where the numbers differ, no later unit is
        reached from both; where they are equal, one may be.

    Example:
        >>> graph = LayeredGraph.from_edges((3, 2), [(0, 3), (1, 3), (2, 4)])
        >>> later_parts(graph)[0].tolist()
        [0, 0, 1]
    """
    part = np.arange(graph.sizes[-1])
    whole = np.zeros(graph.unit_count, dtype=np.int64)
    whole[graph.units(graph.depth - 1)] = part
    count = graph.sizes[-1]
    found = []
    for layer in reversed(range(graph.depth - 1)):
        units = graph.units(layer)
        pointers = graph.adjacency.indptr[units.start : units.stop + 1]
        above = whole[graph.adjacency.indices[pointers[0] : pointers[-1]]]
        source = count + np.repeat(np.arange(graph.sizes[layer]), np.diff(pointers))
        total = count + graph.sizes[layer]
        edges = (np.ones(len(source), dtype=bool), (source, above))
        joined = sparse.coo_array(edges, shape=(total, total))
        count, part = csgraph.connected_components(joined, directed=False)
        part = part.astype(np.int64)
        whole[units.stop :] = part[whole[units.stop :]]
        whole[units] = part[total - graph.sizes[layer] :]
        found.append(whole[units])
    return found[::-1]


def _direct(
    graph: LayeredGraph, place: Int[np.ndarray, " unit"], layer: int, words: int
) -> UInt64[np.ndarray, "row word"]:
    """Mark what the units of a layer feed themselves."""
    units = graph.units(layer)
    table = np.zeros((graph.sizes[layer], words), dtype="<u8")
    pointers = graph.adjacency.indptr[units.start : units.stop + 1]
    target = place[graph.adjacency.indices[pointers[0] : pointers[-1]]]
    source = np.repeat(np.arange(graph.sizes[layer]), np.diff(pointers))
    source, target = source[target >= 0], target[target >= 0]
    if len(target):
        word, bit = np.divmod(target, 64)
        # Edges are sorted, so what shares a word stands side by side.
        cell = source * words + word
        starts = np.flatnonzero(np.diff(cell, prepend=-1))
        marks = np.uint64(1) << bit.astype(np.uint64)
        table.reshape(-1)[cell[starts]] = np.bitwise_or.reduceat(marks, starts)
    return table


def _absorb(
    graph: LayeredGraph, tables: list[UInt64[np.ndarray, "_ _"]], layer: int
) -> None:
    """Change `tables`: give units of a layer the marks of the units they feed."""
    units, table = graph.units(layer), tables[layer]
    pointers = graph.adjacency.indptr[units.start : units.stop + 1]
    targets = graph.adjacency.indices[pointers[0] : pointers[-1]]
    source = np.repeat(np.arange(graph.sizes[layer]), np.diff(pointers))
    above = graph.layer_of[targets]
    for other in np.unique(above[above < graph.depth - 1]).tolist():
        there = above == other
        _merge(
            table,
            tables[other],
            source[there],
            targets[there] - graph.offsets[other],
        )


def _merge(
    table: UInt64[np.ndarray, "unit word"],
    other: UInt64[np.ndarray, "later fewer"],
    source: Int[np.ndarray, " edge"],
    target: Int[np.ndarray, " edge"],
) -> None:
    """Change `table`: add to each source's row the rows of its targets."""
    words = other.shape[1]
    if not words:
        return
    starts = np.flatnonzero(np.diff(source, prepend=-1))
    # Whole units to a block, of so many edges at most as the block has room for.
    block = starts // max(1, _BLOCK // words)
    first = np.flatnonzero(np.diff(block, prepend=-1))
    bounds = [*first.tolist(), len(starts)]
    for begin, end in pairwise(bounds):
        low = starts[begin]
        high = starts[end] if end < len(starts) else len(source)
        rows = np.bitwise_or.reduceat(
            other[target[low:high]], starts[begin:end] - low, axis=0
        )
        table[source[starts[begin:end]], :words] |= rows


def _in_sight(
    table: UInt64[np.ndarray, "row word"],
    layer: int,
    later: list[int],
) -> tuple[UInt64[np.ndarray, "row fewer"], int]:
    """Leave out the layers beyond the farthest that is reached."""
    reached = np.bitwise_or.reduce(table, axis=0)
    octets = np.ascontiguousarray(reached[None]).view(np.uint8)
    bits = np.unpackbits(octets, axis=1, bitorder="little")[0]
    lowest = int(np.argmax(bits)) if bits.any() else later[layer]
    beyond = max((count for count in later if count <= lowest), default=0)
    word, bit = divmod(beyond, 64)
    shifted = table[:, word:] >> np.uint64(bit)
    if bit:
        shifted[:, :-1] |= table[:, word + 1 :] << np.uint64(64 - bit)
    return shifted, later[layer] - beyond
