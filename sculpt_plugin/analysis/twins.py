"""Twins: inputs that are always read together, and what reads nothing else."""

import numpy as np
from jaxtyping import Bool, Int

from sculpt_plugin.analysis.bit_rows import same
from sculpt_plugin.analysis.codelength import log2_choices, naming_bits
from sculpt_plugin.analysis.graph import LayeredGraph


def set_twins_apart(
    graph: LayeredGraph, part: Int[np.ndarray, " unit"]
) -> Int[np.ndarray, " unit"]:
    """Divide inputs of one part into those that are always read together.

    A pair of inputs may be a sub-function though no unit is its own: each unit that
    reads one of them reads both, some together with another pair. So where every input
    of a part has a twin, another with exactly the same readers, the groups of twins
    are taken for sub-functions, provided that knowing them saves more bits on writing
    down what the readers read than it costs to write down the groups. With four inputs
    that takes three readers of one of two pairs; two of them may be chance.

    Args:
        graph: A network.
        part: The part of each unit.

    Returns:
        The part of each unit, in which each group of twins is a part of its own, with
        the units of the old part that read nothing else, directly or through others.

    Example:
        Three pairs, and each hidden unit reads two of them, or one.

        >>> pairs = [(0, 1, 2, 3), (0, 1, 4, 5), (2, 3), (4, 5)]
        >>> edges = [(i, 6 + unit) for unit, read in enumerate(pairs) for i in read]
        >>> edges += [(unit, 10) for unit in range(6, 10)]
        >>> graph = LayeredGraph.from_edges((6, 4, 1), edges)
        >>> set_twins_apart(graph, np.zeros(11, dtype=int)).tolist()
        [1, 1, 2, 2, 3, 3, 0, 0, 2, 3, 0]
    """
    found = part.copy()
    inputs = graph.units(0)
    for number in np.unique(part[inputs]).tolist():
        members = np.flatnonzero(part[inputs] == number)
        rows = graph.adjacency[members]
        reads = rows[:, np.unique(rows.indices)].toarray() > 0
        twin = same(reads)[1]
        if _is_no_chance(reads, twin):
            side = np.full(graph.unit_count, -1)
            side[members] = found.max() + 1 + twin
            _follow(graph, side, np.flatnonzero(part == number)[len(members) :])
            found = np.where(side < 0, found, side)
    return found


def _is_no_chance(
    reads: Bool[np.ndarray, "input reader"], twin: Int[np.ndarray, " input"]
) -> bool:
    """Tell whether it pays to know the twins for saying what the readers read."""
    sizes = np.bincount(twin)
    if len(sizes) == 1 or sizes.min() == 1:
        return False
    groups = reads[np.unique(twin, return_index=True)[1]]
    blind, known = (
        log2_choices(np.full(table.shape[1], len(table)), table.sum(axis=0)).sum()
        for table in (reads, groups)
    )
    # To say how many groups there are, and which one each input is in.
    return bool(blind - known > np.log2(len(twin)) + naming_bits(sizes))


def _follow(
    graph: LayeredGraph,
    side: Int[np.ndarray, " unit"],
    units: Int[np.ndarray, " candidate"],
) -> None:
    """Change `side`: put each unit that reads from one side only on that side."""
    feeders = graph.adjacency.tocsc()
    for unit in units.tolist():
        bounds = slice(feeders.indptr[unit], feeders.indptr[unit + 1])
        sides = np.unique(side[feeders.indices[bounds]])
        if len(sides) == 1:
            side[unit] = sides[0]
