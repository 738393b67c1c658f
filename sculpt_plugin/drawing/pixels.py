"""The picture of a network that reads images: which pixels each module reads."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy, TaskModule
from sculpt_plugin.drawing.page import (
    BLACK,
    GREY,
    clean_style,
    counted,
    open_page,
    write_note,
)
from sculpt_plugin.drawing.palette import recurring
from sculpt_plugin.drawing.pixels_ink import (
    caption,
    draw_image,
    draw_panel,
    overview,
    panel,
    panel_words,
    paper,
)
from sculpt_plugin.drawing.pixels_layout import (
    HEAD,
    MARGIN,
    check_inputs,
    lay_out,
    place_images,
)
from sculpt_plugin.errors import DataError, GraphError

if TYPE_CHECKING:
    import matplotlib.axes

_MOST_PANELS = 8
_FOOT = 0.12


def pixels(
    graph: LayeredGraph,
    hierarchy: Hierarchy,
    *,
    shape: tuple[int, ...],
    frames: int = 1,
    background: Float[np.ndarray, "..."] | None = None,
    ax: "matplotlib.axes.Axes | None" = None,
) -> "matplotlib.axes.Axes":
    """Draw which pixels live and which module reads them, where inputs are an image.

    The large image has each live pixel in the colour of its module, as in the other
    pictures; dead pixels are pale. Beside it stands a small image for each of the
    modules with the most units: its own pixels in its colour, and paler those that
    reach it through other modules.

    Args:
        graph: The network.
        hierarchy: Its modules.
        shape: Height and width of the image that was flattened to the inputs, or
            channels, height and width; channels are drawn side by side.
        frames: How many pictures stand side by side in the image, two for a pair of
            digits; each is outlined.
        background: An image of that shape to draw faintly below, as the mean of the
            training images; large numbers are dark.
        ax: Where to draw; without it, on a new figure of fitting size.

    Returns:
        The axes drawn on.

    Raises:
        GraphError: `hierarchy` is not about the units of `graph`.
        DataError: `shape` does not fit the inputs, or `background` or `frames` do not
            fit `shape`.
        PlotError: matplotlib is not installed.

    Example:
        Of a picture of two by two pixels, one output reads the upper two.

        >>> from sculpt_plugin.analysis.modules import detect
        >>> graph = LayeredGraph.from_edges((4, 1), [(0, 4), (1, 4)])
        >>> ax = pixels(graph, detect(graph), shape=(2, 2))
        >>> [text.get_text() for text in ax.texts]
        ['2 of 4 pixels alive', 'in the colours of 1 module', 'M0, 3 units', '2 pixels']
    """
    label = hierarchy.label
    if len(label) != graph.unit_count:
        raise GraphError(
            f"hierarchy must label each of the graph's {graph.unit_count} units, it "
            f"labels {len(label)}: pass the graph that it was detected in."
        )
    inputs = graph.units(0)
    channel, modules = graph.channel[inputs], label[inputs]
    mosaic = lay_out(shape, frames=frames)
    check_inputs(channel, shape)
    blank = paper(mosaic, _flat(background, shape))
    shown = [hierarchy.modules[number] for number in _largest(hierarchy)]
    live = modules >= 0
    owned = [channel[modules == module.id] for module in shown]
    places = place_images(mosaic, len(shown))
    what = "pixel" if len(shape) == 2 else "input"
    notes = _notes(hierarchy, shown, owned, what)
    foot = _FOOT * any(notes)
    with clean_style():
        page = open_page(ax, across=(0.0, places.width), up=(-foot, places.height))
        image = overview(blank, mosaic, channel[live], modules[live])
        draw_image(page, image, places.overview, mosaic, colour=GREY, gid="overview")
        said = (
            f"{live.sum():,} of {counted(len(mosaic.row), what)} alive",
            f"in the colours of {counted(len(np.unique(modules[live])), 'module')}",
        )
        caption(page, (MARGIN, places.height - HEAD), said, colour=BLACK)
        for module, own, box in zip(shown, owned, places.panels, strict=True):
            words = panel_words(module, len(own), what)
            image = panel(blank, mosaic, module, own)
            draw_panel(page, image, mosaic, module, words, box)
        write_note(page, (MARGIN, 0.0), notes)
    return page.ax


def _flat(
    background: Float[np.ndarray, "..."] | None,
    shape: tuple[int, ...],
) -> Float[np.ndarray, " pixel"] | None:
    """Check a background and give its pixels in the order of the inputs."""
    if background is None:
        return None
    if background.shape != shape or not np.isfinite(background).all():
        raise DataError(
            f"background must be finite numbers of the shape {shape}, as the image, "
            f"got shape {background.shape}"
            f"{'' if background.shape != shape else ' with NaN or infinity'}."
        )
    return background.ravel()


def _largest(hierarchy: Hierarchy) -> list[int]:
    """List the modules that get a panel: those with most units that read anything."""
    reading = [module for module in hierarchy.modules if module.inputs]
    ranked = sorted(reading, key=lambda module: -module.units)
    return sorted(module.id for module in ranked[:_MOST_PANELS])


def _notes(
    hierarchy: Hierarchy,
    shown: list[TaskModule],
    owned: list[Int[np.ndarray, " _"]],
    what: str,
) -> tuple[str, ...]:
    """Say at the foot what is pale, and what is left out."""
    both = any(len(own) < len(m.inputs) for m, own in zip(shown, owned, strict=True))
    small = len(hierarchy.modules) - len(shown)
    return (
        f"pale: {what}s that reach a module and belong to another" * both,
        f"{counted(small, 'module')}, small or without {what}s, not beside"
        * (small > 0),
        recurring(len(hierarchy.modules)),
    )
