import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist, squareform
from sklearn.cluster import AgglomerativeClustering

from sculpt_plugin.analysis.cluster import (
    average_linkage,
    cluster,
    cosine_distances,
    cut,
    score_cuts,
)


def rows_of(*rows: str) -> np.ndarray:
    return np.array([[letter == "1" for letter in row] for row in rows])


@st.composite
def features(draw: st.DrawFn) -> np.ndarray:
    """Small tables without an empty row; ties abound."""
    shape = draw(st.tuples(st.integers(2, 12), st.integers(1, 10)))
    rows = draw(arrays(bool, shape))
    rows[:, 0] |= ~rows.any(axis=1)
    return rows


def partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label)) for label in set(labels)}


def score_by_definition(distances: np.ndarray, labels: np.ndarray) -> float:
    """`q_k` word for word: distance inside clusters minus what chance puts there."""
    total = distances.sum()
    scaled = distances / total if total > 0 else distances
    members = labels[:, None] == np.arange(labels.max() + 1)
    between = members.T @ scaled @ members
    return between.trace() - (between.sum(axis=1) ** 2).sum()


@given(features())
def test_one_pass_scores_each_cut_as_defined(rows: np.ndarray) -> None:
    distances = cosine_distances(rows)
    tree = average_linkage(distances)
    scores = score_cuts(tree, distances.sum(axis=1))
    expected = {
        count: score_by_definition(distances, cut(tree, count))
        for count in range(2, len(rows))
    }
    assert scores == pytest.approx(expected, abs=1e-8)


@given(features())
def test_cut_gives_exactly_as_many_clusters_as_asked_for(rows: np.ndarray) -> None:
    tree = average_linkage(cosine_distances(rows))
    found = [len(set(cut(tree, count))) for count in range(1, len(rows) + 1)]
    assert found == list(range(1, len(rows) + 1))


@given(features())
def test_labels_count_up_in_order_of_first_appearance(rows: np.ndarray) -> None:
    labels = cluster(rows).labels
    _, first = np.unique(labels, return_index=True)
    assert labels[np.sort(first)].tolist() == list(range(len(first)))


@given(features())
def test_distances_are_those_of_scipy(rows: np.ndarray) -> None:
    expected = squareform(pdist(rows.astype(float), "cosine"))
    assert cosine_distances(rows) == pytest.approx(expected, abs=1e-12)


@given(features())
def test_equal_rows_are_exactly_at_no_distance(rows: np.ndarray) -> None:
    equal = (rows[:, None] == rows).all(axis=2)
    assert ((cosine_distances(rows) == 0) == equal).all()


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9, 14, 15])
def test_cuts_are_those_of_scikit_learn(count: int) -> None:
    distances = squareform(np.random.default_rng(0).random(15 * 14 // 2))
    expected = AgglomerativeClustering(
        count, metric="precomputed", linkage="average"
    ).fit_predict(distances)
    assert partition(cut(average_linkage(distances), count)) == partition(expected)


@pytest.mark.parametrize("count", range(1, 9))
def test_cuts_are_those_of_scikit_learn_where_heights_tie(count: int) -> None:
    rows = rows_of(*("1100", "0110", "0011", "1001", "1010", "0101", "1000", "0001"))
    distances = cosine_distances(rows)
    expected = AgglomerativeClustering(
        count, metric="precomputed", linkage="average"
    ).fit_predict(distances)
    assert partition(cut(average_linkage(distances), count)) == partition(expected)


@pytest.mark.parametrize(
    ("rows", "labels", "rule"),
    [
        (("11",), [0], "single"),
        (("10", "10"), [0, 0], "all one"),
        (("10", "01"), [0, 1], "all apart"),
        # Overlap 1 where chance expects 2 x 2 / 4 = 1: a tie goes to all one.
        (("1100", "1010"), [0, 0], "all one"),
        # Overlap 1 where chance expects 3 x 2 / 4 = 1.5: too little.
        (("1110", "1001"), [0, 1], "all apart"),
        # Overlap 1 where chance expects 2 x 2 / 5 = 0.8: more than that.
        (("11000", "10100"), [0, 0], "all one"),
        (("111", "111", "111"), [0, 0, 0], "all one"),
        (("100", "010", "001"), [0, 1, 2], "all apart"),
        # The closest overlap in 1 and chance expects 1; the sides in 1, expected 1.5.
        (("1100", "0110", "0011"), [0, 1, 2], "all apart"),
        # Two clusters need a test: neither holds, so they stay.
        (("1100", "1100", "0011", "0011"), [0, 0, 1, 1], "scan"),
        (("110000", "001100", "110000", "000011", "001100", "000011"),
         [0, 1, 0, 2, 1, 2], "scan"),
    ],
)  # fmt: skip
def test_small_layers_come_out_as_worked_out_by_hand(
    rows: tuple[str, ...], labels: list[int], rule: str
) -> None:
    found = cluster(rows_of(*rows))
    assert (found.labels.tolist(), found.rule) == (labels, rule)


def test_columns_without_a_mark_count_as_room_for_chance() -> None:
    # Overlap 1; with 4 columns chance expects 1.5, with 8 only 0.75.
    apart = cluster(rows_of("1110", "1001"))
    whole = cluster(rows_of("11100000", "10010000"))
    assert (apart.rule, whole.rule) == ("all apart", "all one")


def test_scores_of_three_pairs_are_as_worked_out_by_hand() -> None:
    # Distances are 0 in a pair and 1 between pairs: every unit holds a sixth.
    found = cluster(rows_of("100", "100", "010", "010", "001", "001"))
    assert found.modularity == {
        2: round(1 / 3 - 20 / 36, 8),
        3: round(-12 / 36, 8),
        4: round(-10 / 36, 8),
        5: round(-8 / 36, 8),
    }


def test_layer_without_distances_scores_zero_everywhere() -> None:
    assert cluster(rows_of("11", "11", "11", "11")).modularity == {2: 0.0, 3: 0.0}


def test_weak_scan_is_overruled_only_below_the_threshold() -> None:
    # Three pairs that overlap as chance has it; the scan scores -1/3 at three clusters.
    rows = rows_of(*["111100"] * 2, *["110011"] * 2, *["001111"] * 2)
    trusted = cluster(rows, modularity_threshold=0.3)
    doubted = cluster(rows, modularity_threshold=0.4)
    assert (trusted.rule, doubted.rule) == ("scan", "all one")


def test_tied_scan_takes_the_most_clusters() -> None:
    # Three and four clusters tie; only four, one less than the units, need a test.
    found = cluster(rows_of("0010", "1000", "1111", "1000", "0100"))
    assert found.modularity[3] == found.modularity[4] < -0.2
    assert found.rule == "all one"
