import numpy as np
import pytest
from test_bit_rows import packed

from sculpt_plugin.analysis.cluster import cosine_distances
from sculpt_plugin.analysis.landmarks import group_by_landmarks


def planted(rows: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows that each have half of the columns of one of four sets, and which set."""
    random = np.random.default_rng(seed)
    kind = random.integers(0, 4, rows)
    table = random.random((rows, 400)) < 0.5
    table &= np.arange(400) // 100 == kind[:, None]
    return table, kind


def test_rows_of_a_group_have_columns_in_common() -> None:
    table, kind = planted(200)
    ones = np.ones(200, dtype=int)
    found = group_by_landmarks(packed(table), ones, landmarks=20, columns=10**6)
    assert found.group.max() < 20
    pairs = set(zip(found.group.tolist(), kind.tolist(), strict=True))
    assert len(pairs) == found.group.max() + 1


def test_groups_are_as_far_apart_as_their_rows_are_on_average() -> None:
    table, _ = planted(60)
    copies = np.random.default_rng(0).integers(1, 4, 60)
    found = group_by_landmarks(packed(table), copies, landmarks=8, columns=10**6)
    every = cosine_distances(table.repeat(copies, axis=0))
    group = found.group.repeat(copies)
    first, second = group == 0, group == 1
    mean = every[np.ix_(first, second)].mean()
    assert found.distances[0, 1] == pytest.approx(mean, abs=1e-5)
    assert not found.distances.diagonal().any()


def test_columns_that_all_rows_have_count() -> None:
    table, _ = planted(60)
    table[:, :50] = True
    ones = np.ones(60, dtype=int)
    found = group_by_landmarks(packed(table), ones, landmarks=8, columns=10**6)
    every = cosine_distances(table)[np.ix_(found.group == 0, found.group == 1)]
    assert found.differing == 350
    assert found.distances[0, 1] == pytest.approx(every.mean(), abs=1e-5)


def test_fewer_columns_give_about_the_same_distances() -> None:
    table, _ = planted(200)
    ones = np.ones(200, dtype=int)
    found = group_by_landmarks(packed(table), ones, landmarks=8, columns=200)
    every = cosine_distances(table)
    means = [
        [
            every[np.ix_(found.group == one, found.group == other)].mean()
            for one in (0, 1)
        ]
        for other in (2, 3)
    ]
    assert found.columns == 200
    assert found.distances[2:4, :2] == pytest.approx(np.array(means), abs=0.1)


def test_nearest_two_are_different_rows_that_look_alike() -> None:
    table, _ = planted(100)
    table[71] = table[70]
    table[71, table[70].argmax()] = False
    ones = np.ones(100, dtype=int)
    # Every other row is a landmark, so one of the two most alike may well be none.
    found = group_by_landmarks(packed(table), ones, landmarks=96, columns=10**6)
    assert found.nearest[0] != found.nearest[1]
    assert found.likeness == pytest.approx(
        1 - cosine_distances(table[list(found.nearest)])[0, 1], abs=1e-5
    )


def test_empty_row_is_at_full_distance_from_all() -> None:
    table, _ = planted(30)
    table[3] = False
    ones = np.ones(30, dtype=int)
    found = group_by_landmarks(packed(table), ones, landmarks=5, columns=10**6)
    own = found.group[3]
    others = np.arange(len(found.distances)) != own
    assert found.distances[own, others] == pytest.approx(1.0)
