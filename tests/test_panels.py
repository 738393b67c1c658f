"""Panels stand side by side on the page and never touch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculpt_plugin.drawing.panels import place_panels


def _places(count: int, columns: int = 14, rows: int = 5, **changes):
    room = {"lines": 1, "title": 1.5, "head": 2.0}
    return place_panels(count, columns=columns, rows=rows, **{**room, **changes})


@given(st.integers(1, 30), st.integers(1, 200), st.integers(1, 100))
def test_panels_are_on_the_page_and_apart(count: int, columns: int, rows: int) -> None:
    places = _places(count, columns, rows)
    inner = np.array([columns, rows]) * places.cell
    assert (places.corner > 0).all()
    assert (places.corner + inner < (places.width, places.height)).all()
    away = np.abs(places.corner[:, None] - places.corner)
    apart = (away > inner + 0.2).any(axis=-1)
    assert (apart | np.eye(count, dtype=bool)).all()


def test_four_wide_panels_stand_two_by_two_in_reading_order() -> None:
    x, y = _places(4).corner.T
    assert x[0] == x[2] < x[1] == x[3]
    assert y[0] == y[1] > y[2] == y[3]


def test_cells_of_many_columns_shrink_until_the_panel_fits() -> None:
    assert _places(1, columns=1000).width < 15
    assert _places(1, columns=14).cell == _places(1, columns=1).cell


def test_a_second_line_makes_cells_higher() -> None:
    assert _places(1, lines=2).cell[1] > _places(1, lines=1).cell[1]


@pytest.mark.parametrize("argument", ["title", "head"])
def test_words_widen_the_page(argument: str) -> None:
    wide = _places(1, columns=1, rows=1, **{argument: 6.0})
    assert wide.width >= 6.0
