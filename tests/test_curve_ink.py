"""The curve can be read on any figure, short or long."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from sculpt_plugin import plot
from sculpt_plugin.pruning.record import Step


def _steps(count: int) -> list[Step]:
    return [
        Step("edges", turn, turn, 10, 10, 1.0, turn % 3 < 2, 0.99**turn, 1.0)
        for turn in range(count)
    ]


def _brightness(colour) -> float:
    return sum(to_rgb(colour)) / 3


@pytest.mark.parametrize("face", ["black", "#222244", "white", "none"])
def test_words_beside_the_axes_are_light_on_a_dark_figure_only(face: str) -> None:
    figure = Figure(facecolor=face)
    ax = plot.curve(_steps(4), ax=figure.add_subplot())
    words = [ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels()]
    words += [text for legend in [ax.get_legend()] if legend for text in legend.texts]
    light = {_brightness(word.get_color()) > 0.6 for word in words}
    assert light == {face in ("black", "#222244")}


def test_the_lines_are_on_white_on_a_dark_figure() -> None:
    figure = Figure(facecolor="black")
    ax = plot.curve(_steps(4), ax=figure.add_subplot(facecolor="black"))
    (below,) = [other for other in figure.axes if other is not ax]
    assert not ax.patch.get_visible()
    assert below.patch.get_visible()
    assert _brightness(below.patch.get_facecolor()) == 1


def test_dots_shrink_where_turns_are_many() -> None:
    few, many = (plot.curve(_steps(count)).lines[0] for count in (10, 2000))
    assert few.get_markersize() == 4
    assert many.get_markersize() == pytest.approx(4 * (60 / 2000) ** 0.5)


def test_the_density_at_the_end_is_written_there() -> None:
    ax = plot.curve(_steps(5))
    (below,) = [other for other in ax.figure.axes if other is not ax]
    (said,) = [text for text in below.texts if "%" in text.get_text()]
    assert said.get_text() == "96.1 %"  # 0.99 ** 4 was accepted
    np.testing.assert_allclose(said.xy, (4, 0.99**4))
