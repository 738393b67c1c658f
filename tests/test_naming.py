"""Names fit into little room and stay true."""

import numpy as np
import pytest

from sculpt_plugin.drawing.naming import abbreviated, end_names, shortened
from sculpt_plugin.errors import DataError


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["x0"], "x0"),
        (["x0", "x1"], "x0, x1"),
        (["x0", "x1", "x2"], "x0-x2"),
        (["x8", "x9", "x10", "x11"], "x8-x11"),
        (["x0", "y1", "y2", "y3"], "x0, y1-y3"),
        (["x08", "x09", "x10"], "x08, x09, x10"),
        (["age", "sex", "age2"], "age, sex, age2"),
        ([], ""),
    ],
)
def test_successive_numbers_become_ranges(names: list[str], text: str) -> None:
    assert abbreviated(names, room=30) == text


def test_what_does_not_fit_is_counted() -> None:
    names = [f"x{number}" for number in range(0, 40, 2)]
    text = abbreviated(names, room=15)
    assert text == "x0, x2, x4, +17"


def test_first_range_is_there_even_if_it_does_not_fit() -> None:
    assert abbreviated(["a long name", "another"], room=5) == "a long name, +1"


def test_line_breaks_and_control_characters_go() -> None:
    assert shortened("one\n\ttwo\x1b[31m", room=20) == "one two [31m"


def test_user_names_are_taken_by_number() -> None:
    names = end_names(np.array([2, 0]), ["a", "b", "c"], letter="x", argument="names")
    assert names == ["c", "a"]


def test_too_few_user_names_are_refused() -> None:
    with pytest.raises(DataError, match=r"names must name all .* at least 4 .* has 2"):
        end_names(np.array([3]), ["a", "b"], letter="x", argument="names")
