"""Units of a group stand together, and matrices side by side."""

import numpy as np
import pytest

from sculpt_plugin.analysis.agreement import in_order
from sculpt_plugin.analysis.consensus import SharedGroups
from sculpt_plugin.drawing.comodules_layout import (
    SMALLEST_ROW,
    cell_side,
    group_rows,
    place_matrices,
)


def groups_of(label: np.ndarray) -> SharedGroups:
    """One witness's word on some units."""
    label = in_order(label)
    return SharedGroups(
        np.arange(len(label)), label[None], label, np.ones(len(label)), 1.0
    )


def test_rows_hold_each_group_together_with_its_surest_units_first() -> None:
    label, sure = np.array([0, 1, 0, -1, 1]), np.array([0.5, 0.7, 0.9, 1.0, 0.7])
    order, blocks = group_rows(label, sure)
    assert order.tolist() == [2, 0, 1, 4]
    assert blocks == ((0, 2), (2, 4))


def test_without_a_live_unit_there_is_no_row() -> None:
    order, blocks = group_rows(np.array([-1, -1]), np.zeros(2))
    assert order.tolist() == []
    assert blocks == ()


@pytest.mark.parametrize("count", [1, 2, 4, 12, 20, 28])
def test_few_units_have_room_for_a_name_each(count: int) -> None:
    assert cell_side(count) >= SMALLEST_ROW


@pytest.mark.parametrize("count", [12, 28, 784, 10_000])
def test_matrix_of_any_size_fits_a_page(count: int) -> None:
    (place,) = place_matrices([groups_of(np.arange(count) % 3)], [0.4])
    assert 1.2 < place.side < 3.7
    assert place.left == 0.4
    assert place.right < 5


def test_matrices_their_names_and_bars_stand_side_by_side() -> None:
    ends = [groups_of(np.zeros(4, int)), groups_of(np.arange(30))]
    first, second = place_matrices(ends, [0.2, 0.7])
    assert first.left + first.side < first.bars < first.right
    assert first.right < second.left - 0.7
    assert second.side == pytest.approx(30 * second.cell)
