"""Which units or edges go: exactly k of the lowest scores, ties by their order."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sculpt_plugin.coupling import Coupling
from sculpt_plugin.errors import DataError
from sculpt_plugin.pruning.masks import Masks


def lowest(scores: Float[Tensor, " entry"], count: int) -> Int[Tensor, " chosen"]:
    """Give the positions of exactly `count` lowest scores, ties by stable order.

    Loss sensitivities are full of exact zeros, so ties are the normal case. A
    threshold on the score would remove all of a tie at once.

    Args:
        scores: One score per entry.
        count: How many positions to give, at most the number of scores.

    Returns:
        The positions in ascending order.

    Example:
        >>> lowest(torch.tensor([2.0, 0.0, 1.0, 0.0, 0.0]), 2)
        tensor([1, 3])
    """
    if count <= 0:
        return torch.empty(0, dtype=torch.long)
    # numpy knows no bfloat16.
    values = scores.float() if scores.dtype == torch.bfloat16 else scores
    values = values.cpu().numpy()
    bound = np.partition(values, count - 1)[count - 1]
    chosen = values < bound
    tied = np.flatnonzero(values == bound)
    chosen[tied[: count - np.count_nonzero(chosen)]] = True
    return torch.from_numpy(np.flatnonzero(chosen))


def drop_units(
    masks: Masks, coupling: Coupling, scores: Mapping[str, Tensor], count: int
) -> Masks:
    """Drop units until `count` of the original ones are gone, the lowest scores first.

    All layers are ranked together. The last unit of a layer always stays: without it
    the layer would have no shape.

    Args:
        masks: What is kept now.
        coupling: The model's groups of units.
        scores: For each prunable group its name and one score per unit.
        count: How many of all prunable units are to be gone.

    Returns:
        The smaller masks.

    Raises:
        DataError: A score is missing, has the wrong length, or is not finite.
    """
    groups = coupling.prunable
    alive = [masks.unit_alive(group) for group in groups]
    ranked = []
    for group, live in zip(groups, alive, strict=True):
        score = scores.get(group.name)
        if score is None or score.shape != (group.size,):
            found = "nothing" if score is None else f"shape {list(score.shape)}"
            raise DataError(
                f"The importance must give layer {group.name!r} one score for each of "
                f"its {group.size} units, got {found}."
            )
        score = score.detach().to("cpu", torch.float64)
        check_finite(score, live, of=f"layer {group.name!r}")
        ranked.append(torch.where(live, _spare_last(score, live), torch.inf))
    flat, live = torch.cat(ranked), torch.cat(alive)
    gone_now = int((~live).sum())
    chosen = torch.zeros_like(live)
    chosen[lowest(flat, count - gone_now)] = True
    for group, gone in zip(groups, chosen.split([g.size for g in groups]), strict=True):
        masks = masks.without_units(group, gone)
    return masks


def drop_edges(
    masks: Masks, scores: Mapping[str, Tensor], count: int, *, spared: int = 0
) -> Masks:
    """Drop edges until `count` of the original ones are gone, the lowest scores first.

    Args:
        masks: What is kept now.
        scores: For each weight its name and a score for each entry.
        count: How many of all edges are to be gone.
        spared: How many of the lowest scores stay.

    Returns:
        The smaller masks.

    Raises:
        DataError: A score is missing, has the wrong shape, or is not finite.
    """
    kept, flat = [], []
    for name in masks.weights:
        score, keep = scores.get(name), masks.keep[name]
        if score is None or score.shape != keep.shape:
            found = "nothing" if score is None else f"shape {list(score.shape)}"
            raise DataError(
                f"The importance must score {name!r} in its shape {list(keep.shape)}, "
                f"got {found}."
            )
        check_finite(score, keep, of=f"{name!r}")
        kept.append(keep.flatten())
        flat.append(score.detach().flatten())
    # Ranking only what is left costs less and less as the network gets sparser.
    left = torch.cat(kept).nonzero().flatten()
    gone_now = masks.edge_total - masks.edge_count
    score, going = torch.cat(flat)[left], count - gone_now
    first = lowest(score, going + spared)
    if spared:
        first = first[~torch.isin(first, lowest(score, spared))]
    return masks.without_edges(left[first])


def check_finite(scores: Tensor, keep: Tensor, *, of: str) -> None:
    """Refuse scores that cannot be ranked; those of what is gone do not matter."""
    wrong = keep & ~torch.isfinite(scores)
    if wrong.any():
        raise DataError(
            f"Scores must be finite, but {int(wrong.sum())} of {int(keep.sum())} of "
            f"{of} are not: the loss or the weights have diverged; lower the learning "
            "rate in train, or check the batches for NaN."
        )


def _spare_last(
    score: Float[Tensor, " unit"], live: Bool[Tensor, " unit"]
) -> Float[Tensor, " unit"]:
    """Put the best live unit of a group out of reach."""
    best = int(torch.where(live, score, -torch.inf).argmax())
    score = score.clone()
    score[best] = torch.inf
    return score
