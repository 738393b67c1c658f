import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sculpt_plugin.analysis.bit_rows import Rows, overlaps, same, take, varying


def packed(table: np.ndarray) -> np.ndarray:
    """Pack rows of yes and no, 64 to a word."""
    wide = np.zeros((len(table), -(-table.shape[1] // 64) * 64), dtype=bool)
    wide[:, : table.shape[1]] = table
    return np.packbits(wide, axis=1, bitorder="little").view("<u8")


tables = st.tuples(st.integers(1, 9), st.integers(1, 130)).flatmap(
    lambda shape: arrays(bool, shape)
)


@given(tables)
def test_rows_overlap_in_the_columns_that_both_have(table: np.ndarray) -> None:
    counts = table.astype(int)
    assert (overlaps(packed(table)) == counts @ counts.T).all()


def test_overlaps_are_counted_across_blocks_of_columns() -> None:
    table = np.random.default_rng(0).random((5, 9000)) < 0.5
    counts = table.astype(int)
    assert (overlaps(packed(table)) == counts @ counts.T).all()


@given(tables)
def test_columns_vary_where_some_rows_have_them_and_others_not(
    table: np.ndarray,
) -> None:
    columns, common = varying(packed(table))
    share = table.mean(axis=0)
    assert columns.tolist() == np.flatnonzero((share > 0) & (share < 1)).tolist()
    assert common == (share == 1).sum()


@given(tables)
def test_equal_rows_are_of_one_kind_in_order_of_appearance(table: np.ndarray) -> None:
    first, kind = same(packed(table))
    assert ((table[:, None] == table).all(2) == (kind[:, None] == kind)).all()
    assert kind[first].tolist() == list(range(len(first)))


@pytest.mark.parametrize("columns", [[0], [2, 63, 64, 69]])
def test_taken_columns_are_those_of_the_table(columns: list[int]) -> None:
    table = np.random.default_rng(0).random((4, 70)) < 0.5
    assert (take(packed(table), np.array(columns)) == table[:, columns]).all()


def test_union_has_what_any_of_the_rows_has() -> None:
    table = np.random.default_rng(0).random((4, 70)) < 0.2
    begin = np.zeros(len(table), dtype=int)
    rows = Rows(packed(table), 70, begin, np.arange(70))
    found = rows.union(np.array([0, 3]))
    assert (found == (table[0] | table[3])).all()


def test_no_rows_are_of_no_kind() -> None:
    first, kind = same(np.zeros((0, 2), dtype="<u8"))
    assert (len(first), len(kind)) == (0, 0)
