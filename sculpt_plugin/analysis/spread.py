"""Marks that travel back along the edges: reachability, 64 marks to a machine word."""

import numpy as np
from jaxtyping import Bool, Int, UInt64

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.errors import GraphError

# Most words that one step gathers at once: 64 MB.
_BLOCK = 2**23


def mark(
    marks: Int[np.ndarray, " unit"], mark_count: int
) -> UInt64[np.ndarray, "word unit"]:
    """Give each unit one mark, packed 64 marks to a word.

    Args:
        marks: The mark of each unit, from 0; a negative number is no mark.
        mark_count: How many different marks there are.

    Returns:
        Packed marks, as `spread` takes them.

    Example:
        >>> import numpy as np
        >>> mark(np.array([0, 2, -1]), 3)
        array([[1, 4, 0]], dtype=uint64)
    """
    packed = np.zeros((-(-mark_count // 64), len(marks)), dtype="<u8")
    units = np.flatnonzero(marks >= 0)
    word, bit = np.divmod(marks[units], 64)
    packed[word, units] = np.uint64(1) << bit.astype(np.uint64)
    return packed


def unmark(
    packed: UInt64[np.ndarray, "word unit"], mark_count: int
) -> Bool[np.ndarray, "unit mark"]:
    """Unpack marks into a table of yes and no.

    Args:
        packed: What `mark` or `spread` gave.
        mark_count: How many different marks there are.

    Returns:
        Whether the unit has the mark.

    Example:
        >>> import numpy as np
        >>> unmark(mark(np.array([1, 0]), 2), 2).astype(int)
        array([[0, 1],
               [1, 0]])
    """
    octets = np.ascontiguousarray(packed.T).view(np.uint8)
    bits = np.unpackbits(octets, axis=1, count=mark_count, bitorder="little")
    return bits.view(bool)


def spread(
    graph: LayeredGraph,
    packed: UInt64[np.ndarray, "word unit"],
    *,
    steps: int | None = None,
) -> UInt64[np.ndarray, "word unit"]:
    """Hand every mark back to all units from which a path leads to its owner.

    With one mark per unit this is reachability; with one mark per module it tells
    which modules a unit reaches, at a fraction of the price.

    Args:
        graph: The network.
        packed: The marks that each unit has itself.
        steps: Longest path to follow, in edges. `None`: all the way to the outputs.

    Returns:
        The marks that a unit has itself or reaches.

    Raises:
        GraphError: `steps` is below 1.

    Example:
        Only unit 3, the output, is marked; unit 1 does not reach it.

        >>> import numpy as np
        >>> graph = LayeredGraph.from_edges((2, 1, 1), [(0, 2), (2, 3)])
        >>> spread(graph, mark(np.array([-1, -1, -1, 0]), 1))
        array([[1, 0, 1, 1]], dtype=uint64)
    """
    if steps is not None and steps < 1:
        raise GraphError(
            f"steps must be None (to the outputs) or at least 1, got {steps}: a unit "
            "reaches nothing in fewer."
        )
    spreading = packed.copy()
    if steps is None or steps >= graph.depth - 1:
        # From the top down, each layer finds the ones above it finished.
        for layer in reversed(range(graph.depth - 1)):
            _absorb(spreading, graph, graph.units(layer))
    else:
        for _ in range(steps):
            _absorb(spreading, graph, slice(0, graph.unit_count))
    return spreading


def _absorb(
    spreading: UInt64[np.ndarray, "word unit"], graph: LayeredGraph, units: slice
) -> None:
    """Change `spreading`: give units the marks that the units they feed had before."""
    pointers = graph.adjacency.indptr[units.start : units.stop + 1]
    targets = graph.adjacency.indices[pointers[0] : pointers[-1]]
    # `reduceat` cannot express an empty group, so units that feed nothing sit out.
    feeding = np.flatnonzero(np.diff(pointers))
    if not len(feeding):
        return
    starts = pointers[feeding] - pointers[0]
    feeding += units.start
    words = max(1, _BLOCK // len(targets))
    for first in range(0, len(spreading), words):
        block = spreading[first : first + words]
        fed = block.take(targets, axis=1)
        block[:, feeding] |= np.bitwise_or.reduceat(fed, starts, axis=1)
