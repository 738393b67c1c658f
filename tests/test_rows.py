"""Rows of blocks stand apart, near to what they are linked to."""

import numpy as np
import pytest

from sculpt_plugin.drawing.rows import rank_in_row, settle


def _settle(row: list[int], links: list[tuple[int, int]], width: float) -> np.ndarray:
    return settle(
        np.array(row),
        np.full((len(row), 2), 0.5),
        links=np.array(links, dtype=int).reshape(-1, 2).T,
        weight=np.ones(len(links)),
        width=width,
    )


def test_blocks_of_a_row_never_overlap() -> None:
    place = _settle([0, 0, 0, 1, 1], [(0, 3), (1, 3), (2, 3), (2, 4)], 4.0)
    assert np.diff(np.sort(place[:3])).min() >= 1 - 1e-9
    assert abs(place[3] - place[4]) >= 1 - 1e-9


def test_block_stands_at_the_mean_of_what_it_is_linked_to() -> None:
    place = _settle([0, 0, 1], [(0, 2), (1, 2)], 5.0)
    assert place[2] == pytest.approx(place[:2].mean())


def test_stronger_link_pulls_more() -> None:
    place = settle(
        np.array([0, 0, 1]),
        np.full((3, 2), 0.5),
        links=np.array([[0, 1], [2, 2]]),
        weight=np.array([1.0, 9.0]),
        width=2.0,
    )
    assert place.tolist() == pytest.approx([0.5, 1.5, 1.4])


def test_crossing_that_no_plain_sweep_undoes_is_undone() -> None:
    # The links are a path, 2-3-0-4-1-5: drawable without a crossing.
    place = settle(
        np.array([0, 0, 0, 1, 1, 1]),
        np.full((6, 2), 0.5),
        links=np.array([[2, 0, 0, 1, 1], [3, 3, 4, 4, 5]]),
        weight=np.array([1.0, 1.0, 1.0, 1.7, 1.7]),
        width=3.0,
    )
    order = np.argsort(place[[2, 0, 1]]).tolist(), np.argsort(place[3:]).tolist()
    assert order in (([0, 1, 2], [0, 1, 2]), ([2, 1, 0], [2, 1, 0]))


def test_row_without_links_keeps_its_order_about_the_middle() -> None:
    assert _settle([0, 0, 0], [], 5.0).tolist() == [1.5, 2.5, 3.5]


def test_ranks_start_anew_in_each_row_and_ties_keep_their_order() -> None:
    rank = rank_in_row(np.array([1, 0, 1, 1]), np.array([2.0, 9.0, 2.0, 1.0]))
    assert rank.tolist() == [1, 0, 2, 0]
