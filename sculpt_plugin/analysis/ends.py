"""Which inputs reach each of many modules, and which outputs they reach."""

from itertools import pairwise

import numpy as np
from jaxtyping import Int, UInt64

from sculpt_plugin.analysis.bit_rows import same
from sculpt_plugin.analysis.graph import LayeredGraph

# Words of marks that travel at once, and most words gathered at once: 2 MB.
_WIDTH = 64
_BLOCK = 2**18


def module_ends(
    graph: LayeredGraph, module: Int[np.ndarray, " unit"], layer: int
) -> UInt64[np.ndarray, "module word"]:
    """Tell which units of the first or last layer each module has a path from or to.

    Args:
        graph: The network.
        module: The module of each unit, from 0, none left out.
        layer: 0 for the inputs that reach a module, or the last layer for the outputs
            that it reaches.

    Returns:
        For each module a row of bits, one for each unit of the layer, 64 to a word.

    Example:
        >>> graph = LayeredGraph.from_edges((2, 2), [(0, 2), (1, 3)])
        >>> module_ends(graph, np.array([0, 0, 0, 1]), 0).tolist()
        [[3], [2]]
    """
    ahead = layer > 0
    links = graph.adjacency if ahead else graph.adjacency.T.tocsr()
    order = range(graph.depth - 1)[::-1] if ahead else range(1, graph.depth)
    together = np.argsort(module, kind="stable")
    starts = np.searchsorted(module[together], np.arange(int(module.max()) + 1))
    ends = graph.units(layer)
    found = []
    for first in range(0, graph.sizes[layer], 64 * _WIDTH):
        count = min(64 * _WIDTH, graph.sizes[layer] - first)
        table = np.zeros((graph.unit_count, -(-count // 64)), dtype="<u8")
        marked = np.arange(count)
        bit = np.uint64(1) << (marked % 64).astype(np.uint64)
        table[ends.start + first + marked, marked // 64] = bit
        for units in map(graph.units, order):
            _gather(table, links.indptr, links.indices, units)
        found.append(np.bitwise_or.reduceat(table[together], starts, axis=0))
    return np.concatenate(found, axis=1)


def listed(
    packed: UInt64[np.ndarray, "module word"], names: Int[np.ndarray, " end"]
) -> list[tuple[int, ...]]:
    """List by name what each row marks; equal rows share one list.

    Example:
        >>> listed(np.array([[3], [2]], dtype="<u8"), np.array([5, 8]))
        [(5, 8), (8,)]
    """
    first, kind = same(packed)
    name = names.tolist()
    lists = []
    for row in packed[first]:
        # Often most words are empty, so only the others are unpacked.
        word = np.flatnonzero(row)
        bit = np.flatnonzero(np.unpackbits(row[word].view("u1"), bitorder="little"))
        places = 64 * word[bit // 64] + bit % 64
        lists.append(tuple([name[place] for place in places.tolist()]))
    return [lists[number] for number in kind.tolist()]


def separable(
    packed: UInt64[np.ndarray, "module word"], level: list[int]
) -> list[bool]:
    """Whether each row marks something, and nothing that another of its level marks.

    Example:
        >>> separable(np.array([[3], [2], [2], [0]], dtype="<u8"), [0, 0, 1, 1])
        [False, False, True, False]
    """
    rows = [int.from_bytes(row.tobytes(), "little") for row in packed]
    once: dict[int, int] = {}
    twice: dict[int, int] = {}
    for row, depth in zip(rows, level, strict=True):
        seen = once.get(depth, 0)
        twice[depth] = twice.get(depth, 0) | (seen & row)
        once[depth] = seen | row
    return [
        bool(row) and not row & twice[depth]
        for row, depth in zip(rows, level, strict=True)
    ]


def _gather(
    table: UInt64[np.ndarray, "unit word"],
    pointers: Int[np.ndarray, " _"],
    linked: Int[np.ndarray, " edge"],
    units: slice,
) -> None:
    """Change `table`: give units the marks of the units they are linked to."""
    bounds = pointers[units.start : units.stop + 1].astype(np.int64)
    # `reduceat` cannot express an empty group, so units without links sit out.
    having = np.flatnonzero(np.diff(bounds))
    if not len(having):
        return
    starts = np.append(bounds[having], bounds[-1])
    block = (starts[:-1] - starts[0]) // max(1, _BLOCK // table.shape[1])
    first = np.flatnonzero(np.diff(block, prepend=-1)).tolist()
    for begin, end in pairwise([*first, len(having)]):
        rows = table[linked[starts[begin] : starts[end]]]
        own = units.start + having[begin:end]
        table[own] |= np.bitwise_or.reduceat(
            rows, starts[begin:end] - starts[begin], axis=0
        )
