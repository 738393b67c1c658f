"""How far partitions of the same units agree, and the one most of them stand for."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse
from scipy.sparse import csgraph


def in_order(labels: Int[np.ndarray, " unit"]) -> Int[np.ndarray, " unit"]:
    """Number groups in order of first appearance, so that equal partitions are equal.

    Args:
        labels: The group of each unit, negative for none.

    Example:
        >>> in_order(np.array([7, -1, 2, 7]))
        array([ 0, -1,  1,  0])
    """
    number: dict[int, int] = {}
    return np.array(
        [
            number.setdefault(label, len(number)) if label >= 0 else -1
            for label in labels.tolist()
        ],
        dtype=np.int64,
    )


def co_membership(
    votes: Int[np.ndarray, "witness unit"],
) -> tuple[Int[np.ndarray, "unit unit"], Int[np.ndarray, "unit unit"]]:
    """Count how often two units are together, and how often that can be said.

    Args:
        votes: The group of each unit in each witness, -1 where a witness leaves the
            unit out. On the unit's company such a witness abstains.

    Returns:
        For each pair the number of witnesses with both in one group, and the number
        of witnesses that leave out neither.

    Example:
        The second of two witnesses leaves out unit 2.

        >>> together, counted = co_membership(np.array([[0, 0, 1], [0, 0, -1]]))
        >>> together[0].tolist(), counted[0].tolist()
        ([2, 2, 0], [2, 2, 1])
    """
    live = votes >= 0
    # Single precision holds whole numbers below 2**24, and has a fast product.
    counted = live.T.astype(np.float32) @ live.astype(np.float32)
    together = np.zeros((votes.shape[1], votes.shape[1]), dtype=np.int64)
    for labels, kept in zip(votes, live, strict=True):
        together += (labels[:, None] == labels) & kept
    return together, counted.astype(np.int64)


def majority_partition(
    votes: Int[np.ndarray, "witness unit"],
) -> Int[np.ndarray, " unit"]:
    """Find the partition that most witnesses stand for, pair by pair.

    Two units belong together where more witnesses say so than deny it. Such majorities
    can contradict each other: A with B, B with C, but not A with C. So groups are
    joined from the clearest majority down, by the mean lead of the votes for over the
    votes against on all pairs between two groups (average linkage, cut where the lead
    ends). Each join leaves fewer pairs of the witnesses contradicted than before.

    Of equal leads, the one between larger groups goes first. What is equal then is
    acted on together, all or none, so neither the order of the units nor that of the
    witnesses has a say. What is tied for and against stays apart.

    Args:
        votes: The group of each unit in each witness, -1 where a witness leaves the
            unit out. On the unit's company such a witness abstains.

    Returns:
        Groups numbered in order of first appearance; -1 for a unit that more than half
        of the witnesses leave out.

    Example:
        Two of three witnesses keep unit 2 apart from the others.

        >>> majority_partition(np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]]))
        array([0, 0, 1])

    Reference:
        Fernandez and Gomez, "Solving non-uniqueness in agglomerative hierarchical
        clustering using multidendrograms", 2008, https://arxiv.org/abs/cs/0608049
    """
    kept = np.flatnonzero(2 * (votes < 0).sum(axis=0) <= len(votes))
    group = np.arange(len(kept))
    together, counted = co_membership(votes[:, kept])
    lead = 2 * together - counted
    while (joined := _clearest_majorities(lead, np.bincount(group))) is not None:
        group = joined[group]
        lead = _pooled(lead, joined)
    label = np.full(votes.shape[1], -1)
    label[kept] = group
    return in_order(label)


def confidence(
    votes: Int[np.ndarray, "witness unit"], label: Int[np.ndarray, " unit"]
) -> Float[np.ndarray, " unit"]:
    """Tell how far the witnesses bear out each unit's place in a partition.

    A witness bears out a unit's group as far as its own group of the unit is the same:
    the number of units in both over the number in either (Jaccard), among the units
    that it does not leave out. That is 1 for the very group, lower for a part of it
    and lower for more than it. The mean over the witnesses is the confidence.

    Args:
        votes: The group of each unit in each witness, -1 where it is left out.
        label: The partition, -1 where a unit is left out. There a witness counts 1 if
            it leaves the unit out, too, and 0 if not; and the other way round.

    Returns:
        From 0 to 1 for each unit.

    Example:
        One witness agrees on all, the other puts unit 2 with units 0 and 1.

        >>> label = np.array([0, 0, 1])
        >>> confidence(np.array([[0, 0, 1], [0, 0, 0]]), label).round(3)
        array([0.833, 0.833, 0.667])
    """
    borne_out = np.zeros(len(label))
    for labels in votes:
        borne_out += (labels < 0) & (label < 0)
        both = np.flatnonzero((labels >= 0) & (label >= 0))
        common, own, other = _crossed(label[both], labels[both])
        borne_out[both] += common / (own + other - common)
    return borne_out / len(votes)


def pairwise_agreement(
    votes: Int[np.ndarray, "witness unit"],
) -> Float[np.ndarray, "witness witness"]:
    """Compare each two witnesses by the adjusted Rand index.

    Args:
        votes: The group of each unit in each witness, -1 where a witness leaves the
            unit out; two witnesses are compared on the units they both have.

    Returns:
        1 for equal partitions, 0 for what chance would give, negative for less.

    Example:
        >>> pairwise_agreement(np.array([[0, 0, 1, 1], [0, 1, 0, 1]]))
        array([[ 1. , -0.5],
               [-0.5,  1. ]])

    Reference:
        Hubert and Arabie, "Comparing partitions", 1985,
        https://doi.org/10.1007/BF01908075
    """
    ordered = np.array([in_order(labels) for labels in votes])
    distinct, which = np.unique(ordered, axis=0, return_inverse=True)
    table = np.eye(len(distinct))
    for one, other in zip(*np.triu_indices(len(distinct), 1), strict=True):
        found = _adjusted_rand(distinct[one], distinct[other])
        table[one, other] = table[other, one] = found
    which = which.reshape(-1)
    return table[np.ix_(which, which)]


def _clearest_majorities(
    lead: Int[np.ndarray, "group group"], size: Int[np.ndarray, " group"]
) -> Int[np.ndarray, " group"] | None:
    """Join the groups with the clearest majority for it; None where there is none."""
    # Equal means are equal floats, as these are quotients of whole numbers.
    mean = np.where(lead > 0, lead / np.outer(size, size), 0.0)
    np.fill_diagonal(mean, 0.0)
    while clearest := mean.max(initial=0.0):
        tied = mean == clearest
        tied &= lead == lead[tied].max()
        joined = np.arange(len(size))
        for linked in _linked(tied):
            among = lead[np.ix_(linked, linked)]
            if among.sum() > among.trace():
                joined[linked] = linked[0]
        if (joined != np.arange(len(size))).any():
            return in_order(joined)
        # Each of these pairs has a majority, but together they contradict each other.
        mean[tied] = 0.0
    return None


def _linked(tied: Bool[np.ndarray, "group group"]) -> list[Int[np.ndarray, " _"]]:
    """List the sets of two or more groups that links hold together."""
    count, part = csgraph.connected_components(sparse.csr_array(tied), directed=False)
    sizes = np.bincount(part, minlength=count)
    return [np.flatnonzero(part == number) for number in np.flatnonzero(sizes > 1)]


def _pooled(
    table: Int[np.ndarray, "group group"], joined: Int[np.ndarray, " group"]
) -> Int[np.ndarray, "joined joined"]:
    """Add up the rows and columns of groups that are now one."""
    order = np.argsort(joined, kind="stable")
    starts = np.searchsorted(joined[order], np.arange(joined.max() + 1))
    rows = np.add.reduceat(table[order], starts, axis=0)
    return np.add.reduceat(rows[:, order], starts, axis=1)


def _crossed(
    first: Int[np.ndarray, " unit"], second: Int[np.ndarray, " unit"]
) -> tuple[
    Int[np.ndarray, " unit"], Int[np.ndarray, " unit"], Int[np.ndarray, " unit"]
]:
    """For each unit how many share both its groups, its first, and its second."""
    width = second.max(initial=0) + 1
    _, place, common = np.unique(
        first * width + second, return_inverse=True, return_counts=True
    )
    return common[place], np.bincount(first)[first], np.bincount(second)[second]


def _adjusted_rand(
    first: Int[np.ndarray, " unit"], second: Int[np.ndarray, " unit"]
) -> float:
    """The index of two partitions, on the units that both have."""
    both = (first >= 0) & (second >= 0)
    # Each unit counts the pairs it is in, so each pair counts twice throughout.
    common, own, other = (
        int(count.sum() - both.sum()) for count in _crossed(first[both], second[both])
    )
    pairs = int(both.sum() * (both.sum() - 1))
    chance = own * other / max(pairs, 1)
    # Where nothing can vary, both hold one group only, or single units only.
    possible = (own + other) / 2 - chance
    return (common - chance) / possible if possible else 1.0
