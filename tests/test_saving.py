"""A saved picture depends on nothing but what it shows."""

from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from drawn import two_halves
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from small_sweep import hand_made

from sculpt_plugin import plot
from sculpt_plugin.analysis.consensus import consensus
from sculpt_plugin.errors import PlotError
from sculpt_plugin.pruning.record import Step

PICTURES = ("layered", "hierarchy", "curve", "grid", "comodules", "pixels")
pictures = pytest.mark.parametrize("what", PICTURES)


def draw(what: str, ax: Axes | None = None) -> Axes:
    graph, found = two_halves()
    if what == "curve":
        steps = [Step("units", turn, 1, 6, 8, 1.0, True, 0.7, 1.0) for turn in (1, 2)]
        return plot.curve(steps, ax=ax)
    if what == "grid":
        return plot.grid(hand_made(), ax=ax)
    if what == "comodules":
        return plot.comodules(consensus([(graph, found)]), ax=ax)
    if what == "pixels":
        return plot.pixels(graph, found, shape=(2, 2), ax=ax)
    if what == "hierarchy":
        return plot.hierarchy(found, ax=ax)
    return plot.layered(graph, found, ax=ax)


@pictures
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_users_style_changes_no_byte(
    what: str, suffix: str, tmp_path: Path
) -> None:
    plain, styled = tmp_path / f"plain.{suffix}", tmp_path / f"styled.{suffix}"
    plot.save(draw(what), plain)
    ugly = {
        "font.family": "serif",
        "font.weight": "bold",
        "axes.facecolor": "black",
        "figure.facecolor": "black",
        "text.color": "white",
        "lines.linewidth": 9,
        "savefig.bbox": "tight",
        "savefig.transparent": True,
        "image.origin": "lower",
        "svg.fonttype": "path",
        "path.sketch": (5, 100, 2),
        "figure.dpi": 60,
    }
    with matplotlib.rc_context(ugly):
        plot.save(draw(what), styled)
    assert plain.read_bytes() == styled.read_bytes()


@pictures
def test_the_words_of_an_svg_are_text(what: str, tmp_path: Path) -> None:
    ax = draw(what)
    plot.save(ax, tmp_path / "picture.svg")
    root = ElementTree.parse(tmp_path / "picture.svg").getroot()
    found = {
        "".join(node.itertext()).strip() for node in root.iter() if "text" in node.tag
    }
    words = [text.get_text() for text in [*ax.texts, ax.xaxis.label, ax.yaxis.label]]
    said = {line.strip() for word in words for line in word.splitlines()} - {""}
    assert said
    assert said <= found


@pictures
def test_a_picture_on_a_dark_figure_stands_on_white(what: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = Figure(figsize=(4, 3), facecolor="black")
    ax = draw(what, figure.add_axes((0.1, 0.1, 0.8, 0.8)))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    box = ax.get_window_extent()
    x, y = round(box.x1) - 3, canvas.get_width_height()[1] - round(box.y0) - 3
    # The lower right corner within the axes holds nothing in any of the pictures.
    assert np.asarray(canvas.buffer_rgba())[y, x, :3].min() > 235


def test_names_from_files_are_escaped_in_an_svg(tmp_path: Path) -> None:
    graph, found = two_halves()
    hostile = ["<script>1</script>", "&amp;", "]]>", '"x"']
    plot.save(plot.layered(graph, found, input_names=hostile), tmp_path / "x.svg")
    root = ElementTree.parse(tmp_path / "x.svg").getroot()
    assert not any("script" in node.tag for node in root.iter())
    assert "]]>" in {"".join(node.itertext()) for node in root.iter()}


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_full_disk_leaves_the_old_picture_and_no_litter(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"picture.{suffix}"
    path.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(PlotError, match=r"written \(No space left .*make room"):
        plot.save(draw("hierarchy"), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
