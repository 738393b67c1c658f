"""A page fits its picture, or the user's own axes."""

import matplotlib
import pytest
from matplotlib.figure import Figure

from sculpt_plugin.drawing.page import clean_style, open_page


def test_new_page_has_the_size_asked_for() -> None:
    page = open_page(None, across=(-1.0, 3.0), up=(0.0, 2.0))
    assert tuple(page.ax.figure.get_size_inches()) == (4.0, 2.0)
    assert page.scale == pytest.approx(1.0)


def test_small_axes_shrink_the_page() -> None:
    ax = Figure(figsize=(2.0, 2.0)).add_axes((0.0, 0.0, 1.0, 1.0))
    assert open_page(ax, across=(0.0, 4.0), up=(0.0, 2.0)).scale == pytest.approx(0.5)


def test_style_is_given_back() -> None:
    with matplotlib.rc_context({"axes.facecolor": "black"}):
        with clean_style():
            assert matplotlib.rcParams["axes.facecolor"] == "#ffffff"
        assert matplotlib.rcParams["axes.facecolor"] == "black"
