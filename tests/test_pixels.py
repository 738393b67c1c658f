"""The pixel picture shows which pixels live and which module reads them."""

from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from sculpt_plugin import plot
from sculpt_plugin.analysis.describe import describe
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy
from sculpt_plugin.drawing.palette import mixed, module_colour
from sculpt_plugin.errors import DataError, GraphError


def two_frames() -> tuple[LayeredGraph, Hierarchy]:
    """2x4 pixels: M0 reads the left half, M1 the right but for one, M2 reads both."""
    edges = [(0, 8), (1, 8), (4, 8), (5, 8), (2, 9), (3, 9), (7, 9), (8, 10), (9, 10)]
    graph = LayeredGraph.from_edges((8, 2, 1), edges)
    return graph, described(graph, [0, 0, 1, 1, 0, 0, -1, 1, 0, 1, 2])


def described(graph: LayeredGraph, label: list[int]) -> Hierarchy:
    """The hierarchy of hand-made labels."""
    found = np.array(label)
    modules, edges = describe(graph.keep(found >= 0), found[found >= 0])
    return Hierarchy(modules, found, edges)


def image(ax: Axes, gid: str) -> np.ndarray:
    """The colours of an image, row by row."""
    (found,) = [drawn for drawn in ax.images if drawn.get_gid() == gid]
    return np.asarray(found.get_array())


def rgb(colour: str) -> list[int]:
    return [round(255 * part) for part in to_rgb(colour)]


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_each_live_pixel_has_the_colour_of_its_module_where_it_lies() -> None:
    drawn = image(plot.pixels(*two_frames(), shape=(2, 4)), "overview")
    blue, red = rgb(module_colour(0)), rgb(module_colour(1))
    assert drawn[:, :2].tolist() == [[blue, blue], [blue, blue]]
    assert drawn[0, 2:].tolist() == [red, red]
    assert drawn[1, 3].tolist() == red


def test_a_dead_pixel_is_pale() -> None:
    drawn = image(plot.pixels(*two_frames(), shape=(2, 4)), "overview")
    assert drawn[1, 2].min() > 230


def test_a_panel_shows_the_pixels_of_its_module_only() -> None:
    drawn = image(plot.pixels(*two_frames(), shape=(2, 4)), "M1")
    assert drawn[0, 2:].tolist() == [rgb(module_colour(1))] * 2
    assert drawn[:, :2].min() > 230


def test_pixels_that_reach_a_module_from_others_are_paler_and_explained() -> None:
    ax = plot.pixels(*two_frames(), shape=(2, 4))
    drawn = image(ax, "M2")
    pale = rgb(mixed(module_colour(2), "#ffffff", share=0.5))
    assert drawn[0].tolist() == [pale] * 4
    assert "reads 7 pixels" in texts(ax)
    assert "pale: pixels that reach a module and belong to another" in texts(ax)


def test_nothing_is_said_of_pale_pixels_where_there_are_none() -> None:
    graph = LayeredGraph.from_edges((2, 1), [(0, 2)])
    ax = plot.pixels(graph, described(graph, [0, -1, 0]), shape=(1, 2))
    assert texts(ax) == [
        "1 of 2 pixels alive",
        "in the colours of 1 module",
        "M0, 2 units",
        "1 pixel",
    ]


def test_channels_stand_side_by_side_with_a_gap() -> None:
    graph = LayeredGraph.from_edges((8, 1), [(5, 8)])
    label = [-1] * 5 + [0, -1, -1, 0]
    ax = plot.pixels(graph, described(graph, label), shape=(2, 2, 2))
    drawn = image(ax, "overview")
    assert drawn.shape == (2, 5, 3)
    assert drawn[:, 2].min() == 255
    # The sixth input is the upper right pixel of the second channel.
    assert drawn[0, 4].tolist() == rgb(module_colour(0))
    assert "1 of 8 inputs alive" in texts(ax)


def test_a_background_shows_through_where_no_pixel_lives() -> None:
    graph = LayeredGraph.from_edges((4, 1), [(0, 4)])
    found = described(graph, [0, -1, -1, -1, 0])
    mean = np.array([[9.0, 0.0], [1.0, 2.0]])
    drawn = image(plot.pixels(graph, found, shape=(2, 2), background=mean), "overview")
    assert drawn[0, 0].tolist() == rgb(module_colour(0))
    assert drawn[0, 1].tolist() == [255, 255, 255]
    assert drawn[0, 1, 0] > drawn[1, 0, 0] > drawn[1, 1, 0] > 150


def test_a_flat_background_is_white() -> None:
    graph, found = two_frames()
    mean = np.full((2, 4), 3.0)
    drawn = image(plot.pixels(graph, found, shape=(2, 4), background=mean), "overview")
    assert drawn[1, 2].tolist() == [255, 255, 255]


def test_pixels_of_a_graph_without_its_dead_units_stay_where_they_were() -> None:
    graph, found = two_frames()
    small = Hierarchy(found.modules, found.label[found.label >= 0], found.edges)
    cut = plot.pixels(graph.keep(found.label >= 0), small, shape=(2, 4))
    whole = plot.pixels(graph, found, shape=(2, 4))
    for gid in ("overview", "M0", "M1", "M2"):
        np.testing.assert_array_equal(image(cut, gid), image(whole, gid))


def test_frames_are_outlined() -> None:
    ax = plot.pixels(*two_frames(), shape=(2, 4), frames=2)
    drawn: Any = next(c for c in ax.collections if c.get_gid() == "frames")
    boxes = [path.get_extents() for path in drawn.get_paths()]
    assert len(boxes) == 2
    assert boxes[0].x1 == pytest.approx(boxes[1].x0)
    assert boxes[0].width == pytest.approx(boxes[0].height)


def test_the_modules_with_the_most_units_have_panels_and_the_rest_is_counted() -> None:
    # Module m of 12 reads m + 1 pixels.
    reader = np.repeat(np.arange(12), np.arange(1, 13))
    edges = [(pixel, 78 + module) for pixel, module in enumerate(reader.tolist())]
    graph = LayeredGraph.from_edges((78, 12), edges)
    found = described(graph, [*reader, *range(12)])
    ax = plot.pixels(graph, found, shape=(6, 13))
    panels = {drawn.get_gid() for drawn in ax.images} - {"overview"}
    assert panels == {f"M{module}" for module in range(4, 12)}
    assert "4 modules, small or without pixels, not beside" in texts(ax)


def test_labels_without_modules_are_drawn_without_panels() -> None:
    graph, found = two_frames()
    ax = plot.pixels(graph, Hierarchy((), found.label, {}), shape=(2, 4))
    assert len(ax.images) == 1


def test_a_network_without_live_pixels_is_drawn() -> None:
    graph = LayeredGraph.from_edges((4, 1), [(0, 4)])
    ax = plot.pixels(graph, Hierarchy((), np.full(5, -1), {}), shape=(2, 2))
    assert "0 of 4 pixels alive" in texts(ax)


@pytest.mark.parametrize("shape", [(2, 3), (3, 4), (1, 2, 3)])
def test_a_shape_that_does_not_hold_the_inputs_is_refused(shape) -> None:
    with pytest.raises(DataError, match=r"which are 8, but .* holds \d+: give the sh"):
        plot.pixels(*two_frames(), shape=shape)


def test_an_input_beyond_the_image_is_refused_in_a_smaller_graph() -> None:
    graph, found = two_frames()
    kept = found.label >= 0
    kept[0] = False
    small = Hierarchy(found.modules, found.label[kept], found.edges)
    with pytest.raises(DataError, match="which are 6 up to number 7, but"):
        plot.pixels(graph.keep(kept), small, shape=(2, 3))


@pytest.mark.parametrize("shape", [(8,), (0, 8), (1, 1, 1, 8), (2, -4)])
def test_what_is_no_shape_is_refused(shape) -> None:
    with pytest.raises(DataError, match=r"shape must be \(height, width\) or"):
        plot.pixels(*two_frames(), shape=shape)


@pytest.mark.parametrize("frames", [0, 3])
def test_frames_that_do_not_divide_the_width_are_refused(frames: int) -> None:
    with pytest.raises(DataError, match="frames must divide the 4 columns"):
        plot.pixels(*two_frames(), shape=(2, 4), frames=frames)


@pytest.mark.parametrize("mean", [np.zeros((4, 2)), np.full((2, 4), np.nan)])
def test_a_background_of_another_shape_or_not_finite_is_refused(mean) -> None:
    with pytest.raises(DataError, match=r"background must be finite .* \(2, 4\)"):
        plot.pixels(*two_frames(), shape=(2, 4), background=mean)


def test_labels_of_another_graph_are_refused() -> None:
    graph, _ = two_frames()
    with pytest.raises(GraphError, match="each of the graph's 11 units, it labels 2"):
        plot.pixels(graph, Hierarchy((), np.zeros(2, int), {}), shape=(2, 4))
