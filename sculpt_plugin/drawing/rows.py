"""Rows of blocks, stood so that the links between the rows are short."""

import numpy as np
from jaxtyping import Float, Int

_SWEEPS = 24


def settle(
    row: Int[np.ndarray, " block"],
    reach: Float[np.ndarray, "block 2"],
    *,
    links: Int[np.ndarray, "2 link"],
    weight: Float[np.ndarray, " link"],
    width: float,
) -> Float[np.ndarray, " block"]:
    """Find places for blocks in rows that keep the links between rows short.

    Baryplace sweeps: row after row, each block wishes for the weighted mean of the
    blocks it is linked to; the row is sorted by wish and stands as near to the wishes
    as it can without overlap, which is an isotonic regression. Short links cross
    little. Where nothing is gained by another order, the given one stays.

    Args:
        row: In which row each block stands, 0 the lowest.
        reach: How far each block reaches to the left and right of its place.
        links: Which blocks are linked.
        weight: How strongly each link pulls.
        width: Room for each row; a row that needs more takes more.

    Returns:
        The place of each block; no two blocks of a row overlap.

    Example:
        Two blocks below, one above that is linked to the second.

        >>> settle(
        ...     np.array([0, 0, 1]), np.full((3, 2), 0.5), width=2.0,
        ...     links=np.array([[1], [2]]), weight=np.ones(1),
        ... )
        array([0.5, 1.5, 1.5])
    """
    members = [np.flatnonzero(row == number) for number in np.unique(row)]
    place = np.zeros(len(row))
    for blocks in members:
        place[blocks] = _stand(np.full(len(blocks), width / 2), reach[blocks], width)
    own, other = np.concatenate([links, links[::-1]], axis=1)
    pull = np.concatenate([weight, weight])
    below = row[other] < row[own]
    best, shortest = place.copy(), _length(place, links, weight)
    for sweep in range(_SWEEPS):
        seen = (below, ~below, np.ones_like(below))[sweep % 3]
        for blocks in members if sweep % 3 != 1 else members[::-1]:
            chosen = seen & (row[own] == row[blocks[0]])
            mine, strength = own[chosen], pull[chosen]
            total = np.bincount(mine, strength, minlength=len(row))[blocks]
            drawn = np.bincount(
                mine, strength * place[other[chosen]], minlength=len(row)
            )[blocks]
            wish = np.where(total > 0, drawn / np.maximum(total, 1e-9), place[blocks])
            # Equal wishes keep their order in two rounds and change it in the next:
            # some crossings are undone in no other way.
            tie = place[blocks] * (1 - 2 * (sweep // 6 % 2))
            order = np.lexsort((tie, np.round(wish, 6)))
            standing = blocks[order]
            place[standing] = _stand(wish[order], reach[standing], width)
        length = _length(place, links, weight)
        if length < shortest * (1.0 if sweep < 6 else 0.97) - 1e-6:
            best, shortest = place.copy(), length
    return best


def rank_in_row(
    row: Int[np.ndarray, " item"], wish: Float[np.ndarray, " item"]
) -> Int[np.ndarray, " item"]:
    """Count, for each item, those of its row that wish to stand before it.

    Args:
        row: The row of each item.
        wish: Where each item wishes to stand; on a tie the earlier item goes first.

    Returns:
        Ranks from 0, anew in each row.

    Example:
        >>> rank_in_row(np.array([0, 0, 1]), np.array([7.0, 2.0, 5.0]))
        array([1, 0, 0])
    """
    order = np.lexsort((wish, row))
    rank = np.empty(len(row), dtype=int)
    rank[order] = np.arange(len(row)) - np.searchsorted(row[order], row[order])
    return rank


def _stand(
    wish: Float[np.ndarray, " block"],
    reach: Float[np.ndarray, "block 2"],
    width: float,
) -> Float[np.ndarray, " block"]:
    """Stand blocks side by side in their order, as near to their wishes as can be."""
    apart = reach[:-1, 1] + reach[1:, 0]
    offset = np.concatenate([[0.0], np.cumsum(apart)])
    # Whoever draws nothing does not wait for it.
    from scipy.optimize import isotonic_regression

    free = isotonic_regression(wish - offset).x
    left = reach[0, 0]
    right = max(width - reach[-1, 1] - offset[-1], left)
    return np.clip(free, left, right) + offset


def _length(
    place: Float[np.ndarray, " block"],
    links: Int[np.ndarray, "2 link"],
    weight: Float[np.ndarray, " link"],
) -> float:
    """Add up how far the links reach sideways."""
    return float(weight @ np.abs(place[links[0]] - place[links[1]]))
