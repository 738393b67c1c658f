"""Which units or edges go in each lane: exactly k of the lowest, in stable order."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def drop_units(
    alive: Bool[Tensor, "lane unit"],
    scores: Float[Tensor, "lane unit"],
    groups: Sequence[slice],
    counts: Int[Tensor, " lane"],
) -> Bool[Tensor, "lane unit"]:
    """Drop the units with the lowest scores until so many are gone in each lane.

    The last unit of a group stays, as in a search of its own.

    Args:
        alive: The units that are left.
        scores: One score per unit.
        groups: Where the units of each group lie.
        counts: How many units are to be gone, of all.

    Returns:
        The units that stay.

    Example:
        >>> alive, scores = torch.ones(1, 3, dtype=bool), torch.tensor([[2.0, 0, 0]])
        >>> drop_units(alive, scores, [slice(0, 2), slice(2, 3)], torch.tensor([1]))
        tensor([[ True, False,  True]])
    """
    ranked = scores.masked_fill(~alive, torch.inf)
    for units in groups:
        best = scores[:, units].masked_fill(~alive[:, units], -torch.inf).argmax(1)
        ranked[:, units].scatter_(1, best[:, None], torch.inf)
    return alive & ~_lowest(ranked, counts - (~alive).sum(1))


def drop_edges(
    keep: Bool[Tensor, "lane entry"],
    sizes: Float[Tensor, "lane entry"],
    is_edge: Bool[Tensor, "lane entry"],
    counts: Int[Tensor, " lane"],
    spared: Int[Tensor, " lane"],
) -> Bool[Tensor, "lane entry"]:
    """Drop the smallest edges, so many in each lane.

    Args:
        keep: The entries that are left.
        sizes: The importance of each entry.
        is_edge: Which entries are edges; the others stay.
        counts: How many edges go now.
        spared: How many smaller ones stay.

    Returns:
        The entries that stay.

    Example:
        >>> keep = torch.tensor([[True, True, False]])
        >>> sizes = torch.tensor([[0.5, 0.2, 0.0]])
        >>> one, all_edges = torch.tensor([1]), torch.ones(1, 3, dtype=bool)
        >>> drop_edges(keep, sizes, all_edges, one, 0 * one)
        tensor([[ True, False, False]])
        >>> drop_edges(keep, sizes, all_edges, one, one)
        tensor([[False,  True, False]])
    """
    ranked = sizes.masked_fill(~(keep & is_edge), torch.inf)
    return keep & ~_lowest(ranked, counts, spared)


def _lowest(
    scores: Float[Tensor, "lane entry"],
    counts: Int[Tensor, " lane"],
    spared: Int[Tensor, " lane"] | None = None,
) -> Bool[Tensor, "lane entry"]:
    """Mark exactly so many lowest scores of each lane, ties by stable order."""
    order = scores.argsort(dim=1, stable=True)
    place = torch.arange(scores.shape[1]).expand(len(scores), -1)
    if spared is not None:
        place = place - spared[:, None]
    marked = (place >= 0) & (place < counts[:, None])
    return torch.zeros_like(marked).scatter_(1, order, marked)
