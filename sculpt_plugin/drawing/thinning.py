"""Which modules and arrows of a hierarchy are drawn, where there are very many."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from sculpt_plugin.analysis.hierarchy import Hierarchy

MOST_MODULES, MOST_ARROWS = 60, 400


class Thinned(NamedTuple):
    """The part of a hierarchy that a picture has room for.

    Attributes:
        hierarchy: The modules and arrows to draw, numbered anew from 0.
        numbers: Their numbers in the whole hierarchy.
        left_out: What is left out, in words; nothing for a part that is the whole.
    """

    hierarchy: Hierarchy
    numbers: Int[np.ndarray, " module"]
    left_out: tuple[str, ...]


def thinned(
    hierarchy: Hierarchy, *, modules: int = MOST_MODULES, arrows: int = MOST_ARROWS
) -> Thinned:
    """Keep the largest modules of a hierarchy and the widest arrows between them.

    Args:
        hierarchy: The modules and which feeds which.
        modules: How many modules to keep at most, those with the most units.
        arrows: How many arrows to keep at most, those with the most edges.

    Returns:
        The part to draw, in the old order.

    Example:
        >>> edges = {(0, 1): 3, (1, 0): 5}
        >>> part = thinned(Hierarchy((), np.zeros(0, int), edges), arrows=1)
        >>> part.hierarchy.edges, part.left_out
        ({(1, 0): 5}, ('1 of 2 arrows, the thinnest, not drawn',))
    """
    units = np.array([module.units for module in hierarchy.modules], dtype=int)
    numbers = np.sort(np.argsort(-units, kind="stable")[:modules])
    gone = len(units) - len(numbers)
    rank = {number: at for at, number in enumerate(numbers.tolist())}
    pairs = (
        {
            (rank[source], rank[target]): count
            for (source, target), count in hierarchy.edges.items()
            if source in rank and target in rank
        }
        if gone
        else dict(hierarchy.edges)
    )
    widest = sorted(pairs, key=lambda pair: -pairs[pair])[:arrows]
    kept = set(widest)
    left_out = (
        f"{gone:,} of {len(units):,} modules, the smallest, not drawn" * (gone > 0),
        f"{len(pairs) - len(kept):,} of {len(pairs):,} arrows, the thinnest, not drawn"
        * (len(kept) < len(pairs)),
    )
    # A slot more than there are modules, for the -1 of dead units.
    label = np.full(len(units) + 1, -1)
    label[numbers] = np.arange(len(numbers))
    part = Hierarchy(
        tuple(replace(hierarchy.modules[number], id=at) for number, at in rank.items()),
        label[hierarchy.label] if gone else hierarchy.label,
        {pair: count for pair, count in pairs.items() if pair in kept},
    )
    return Thinned(part, numbers, tuple(part for part in left_out if part))
