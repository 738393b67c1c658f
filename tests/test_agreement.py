"""Partitions are compared, and the one that a majority stands for is found."""

from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from sculpt_plugin.analysis.agreement import (
    co_membership,
    confidence,
    in_order,
    majority_partition,
    pairwise_agreement,
)


def some_votes(seed: int, *, units: int = 12, witnesses: int = 5) -> np.ndarray:
    """Witnesses of one partition that err on a third of the units; some are dead."""
    chance = np.random.default_rng(seed)
    truth = chance.integers(0, 3, units)
    erring = chance.random((witnesses, units)) < 0.3
    votes = np.where(erring, chance.integers(0, units, (witnesses, units)), truth)
    return np.where(chance.random((witnesses, units)) < 0.15, -1, votes)


def partitions(count: int) -> Iterator[list[int]]:
    """Every partition of so many units."""
    if not count:
        yield []
        return
    for smaller in partitions(count - 1):
        for group in range(max(smaller, default=-1) + 2):
            yield [*smaller, group]


def net_votes(votes: np.ndarray, label: np.ndarray) -> int:
    """Votes for less votes against, over the pairs that a partition puts together."""
    together, counted = co_membership(votes)
    same = np.equal.outer(label, label)
    return int(np.triu((2 * together - counted) * same, 1).sum())


seeds = pytest.mark.parametrize("seed", range(12))


def test_pairs_with_a_dead_unit_are_not_counted() -> None:
    together, counted = co_membership(np.array([[0, 0, 1], [0, 0, 0], [0, -1, 0]]))
    assert together.tolist() == [[3, 2, 2], [2, 2, 1], [2, 1, 3]]
    assert counted.tolist() == [[3, 2, 3], [2, 2, 2], [3, 2, 3]]


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([[0, 0, 1, 1]], [0, 0, 1, 1]),
        ([[3, 3, 1, -1]], [0, 0, 1, -1]),
        ([[0, 0, 1], [0, 0, 1], [0, 0, 0]], [0, 0, 1]),
        ([[0, 0], [0, 1]], [0, 1]),  # as many against as for
        ([[0, 0, 0], [0, 0, 1], [0, 1, 1]], [0, 0, 0]),  # 2 of 3, 2 of 3, 1 of 3
        ([[0, 0, -1], [0, 0, -1], [0, 0, 1]], [0, 0, -1]),
        ([[0, 0, -1], [0, 0, 0]], [0, 0, 0]),  # dead in no more than half
        ([[0, -1], [-1, 0]], [0, 1]),  # never both alive
    ],
)
def test_majority_of_few_votes_is_as_worked_out_by_hand(
    votes: list[list[int]], expected: list[int]
) -> None:
    assert majority_partition(np.array(votes)).tolist() == expected


def test_majorities_that_contradict_each_other_are_all_refused() -> None:
    # 0 is with 1, and 1 with 2, in 3 of 5; 0 with 2 in 1 of 5: together 7 of 15.
    votes = [[0, 0, 1], [0, 0, 1], [0, 1, 1], [0, 1, 1], [0, 0, 0]]
    assert majority_partition(np.array(votes)).tolist() == [0, 1, 2]


def test_a_full_majority_of_many_counts_more_than_that_of_one() -> None:
    # Units 1 and 2 meet in one witness only, which has all units in one module.
    votes = [[0, 0, -1, 1], [0, 0, -1, 1], [-1, -1, 0, 0], [-1, -1, 0, 0], [0] * 4]
    assert majority_partition(np.array(votes)).tolist() == [0, 0, 1, 1]


def test_of_equal_leads_that_with_the_larger_group_goes_first() -> None:
    # Unit 2 is with 0 and 1, and with 3, in 2 of 3; unit 3 with 0 and 1 in 1 of 3.
    votes = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 1]]
    assert majority_partition(np.array(votes)).tolist() == [0, 0, 0, 1]


def test_lead_is_a_mean_over_pairs_so_large_groups_do_not_swallow_small_ones() -> None:
    # Unit 4 is with 5 in 4 of 5, with the four others in 3 of 5; unit 5 in 2 of 5.
    apart = [0, 0, 0, 0, 1, 1]
    votes = [[0] * 6, [0] * 6, [0, 0, 0, 0, 0, 1], apart, apart]
    assert majority_partition(np.array(votes)).tolist() == apart


@seeds
def test_neither_order_of_witnesses_nor_of_units_nor_numbers_matter(seed: int) -> None:
    votes = some_votes(seed)
    chance = np.random.default_rng(seed)
    units, witnesses = chance.permutation(12), chance.permutation(5)
    names = chance.permutation(12)
    other = votes[witnesses][:, units]
    other = np.where(other >= 0, names[other], -1)
    expected = majority_partition(votes)
    found = majority_partition(other)
    assert found.tolist() == in_order(expected[units]).tolist()
    assert confidence(other, found) == pytest.approx(
        confidence(votes, expected)[units], abs=1e-12
    )


@seeds
def test_majority_is_near_to_the_best_of_all_partitions(seed: int) -> None:
    votes = np.maximum(some_votes(seed, units=7), 0)
    best = max(net_votes(votes, np.array(label)) for label in partitions(7))
    assert net_votes(votes, majority_partition(votes)) >= 0.9 * best


@seeds
def test_one_witness_gives_back_its_partition_with_full_confidence(seed: int) -> None:
    votes = some_votes(seed, witnesses=1)
    label = majority_partition(votes)
    assert label.tolist() == in_order(votes[0]).tolist()
    assert confidence(votes, label).tolist() == [1.0] * 12


def test_confidence_is_the_mean_overlap_as_worked_out_by_hand() -> None:
    votes = np.array([[0, 0, 1, -1], [0, 0, 0, -1], [0, 1, 1, 1], [0, -1, 1, -1]])
    label = np.array([0, 0, 1, -1])
    # Unit 0: 2/2, 2/3, 1/2, and 1/1 in the witness without unit 1.
    expected = [(1 + 2 / 3 + 1 / 2 + 1) / 4, (1 + 2 / 3 + 1 / 3 + 0) / 4]
    expected += [(1 + 1 / 3 + 1 / 2 + 1) / 4, 3 / 4]
    assert confidence(votes, label) == pytest.approx(expected)


@seeds
def test_agreement_is_that_of_scikit_learn(seed: int) -> None:
    one, other = some_votes(seed, units=30, witnesses=2)
    both = (one >= 0) & (other >= 0)
    table = pairwise_agreement(np.stack([one, other]))
    expected = adjusted_rand_score(one[both], other[both])
    assert table == pytest.approx(np.array([[1, expected], [expected, 1]]))


@pytest.mark.parametrize(
    ("other", "expected"),
    [([0, 0, 0], 1.0), ([0, 1, 2], 0.0), ([-1, -1, -1], 1.0), ([0, -1, -1], 1.0)],
)
def test_agreement_is_defined_where_nothing_varies(
    other: list[int], expected: float
) -> None:
    table = pairwise_agreement(np.array([[0, 0, 0], other]))
    assert table[0, 1] == expected


def test_two_hundred_witnesses_of_many_units_are_summed_up() -> None:
    chance = np.random.default_rng(1)
    truth = np.repeat(np.arange(5), 60)
    erring = chance.random((200, 300)) < 0.2
    votes = np.where(erring, chance.integers(0, 9, (200, 300)), truth)
    assert majority_partition(votes).tolist() == truth.tolist()
