"""The ink of the pixel picture: images, frames and words."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8

from sculpt_plugin.analysis.hierarchy import TaskModule
from sculpt_plugin.drawing.page import BLACK, GREY, WHITE, Page, counted
from sculpt_plugin.drawing.palette import mixed, module_colour
from sculpt_plugin.drawing.pixels_layout import Box, Mosaic

_DEAD = "#f3f3f3"
_DARKEST = 0.3  # how much of black the background may have


def paper(
    mosaic: Mosaic, background: Float[np.ndarray, " pixel"] | None
) -> UInt8[np.ndarray, "row column 3"]:
    """Paint an image without live pixels: a pale one, or the faint background.

    Args:
        mosaic: Where the pixels lie.
        background: The brightness of each pixel, its largest the darkest here; or
            None.

    Returns:
        The colours; gaps between channels are white.

    Example:
        >>> from sculpt_plugin.drawing.pixels_layout import lay_out
        >>> paper(lay_out((1, 2)), np.array([0.0, 1.0]))[0].tolist()
        [[255, 255, 255], [178, 178, 178]]
    """
    image = np.full((mosaic.height, mosaic.width, 3), 255, dtype=np.uint8)
    if background is None:
        image[mosaic.row, mosaic.column] = _rgb(_DEAD)
        return image
    span = float(np.ptp(background)) or 1.0
    share = (background - background.min()) / span
    grey = (255 * (1 - _DARKEST * share)).astype(np.uint8)
    image[mosaic.row, mosaic.column] = grey[:, None]
    return image


def overview(
    blank: UInt8[np.ndarray, "row column 3"],
    mosaic: Mosaic,
    pixels: Int[np.ndarray, " live"],
    modules: Int[np.ndarray, " live"],
) -> UInt8[np.ndarray, "row column 3"]:
    """Paint live pixels in the colours of their modules."""
    image = blank.copy()
    for module in np.unique(modules).tolist():
        own = pixels[modules == module]
        image[mosaic.row[own], mosaic.column[own]] = _rgb(module_colour(module))
    return image


def panel(
    blank: UInt8[np.ndarray, "row column 3"],
    mosaic: Mosaic,
    module: TaskModule,
    own: Int[np.ndarray, " own"],
) -> UInt8[np.ndarray, "row column 3"]:
    """Paint what a module reads: its own pixels, and paler those that reach it."""
    image, colour = blank.copy(), module_colour(module.id)
    read = np.setdiff1d(np.array(module.inputs, dtype=int), own)
    pale = mixed(colour, WHITE, share=0.5)
    for pixels, ink in ((read, pale), (own, colour)):
        image[mosaic.row[pixels], mosaic.column[pixels]] = _rgb(ink)
    return image


def draw_image(
    page: Page,
    image: UInt8[np.ndarray, "row column 3"],
    box: Box,
    mosaic: Mosaic,
    *,
    colour: str,
    gid: str,
) -> None:
    """Draw an image and the outlines of its frames."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    left, bottom, wide, high = box
    extent = (left, left + wide, bottom, bottom + high)
    page.ax.imshow(image, extent=extent, zorder=1, gid=gid)
    pixel = wide / mosaic.width
    frames = [
        Rectangle(
            (left + x * pixel, bottom + high - (y + rows) * pixel),
            columns * pixel,
            rows * pixel,
        )
        for x, y, columns, rows in mosaic.frames
    ]
    page.ax.add_collection(
        PatchCollection(
            frames,
            facecolor="none",
            edgecolor=colour,
            linewidth=0.8 * page.scale,
            joinstyle="miter",
            zorder=2,
            gid="frames",
        ),
        autolim=False,
    )


def caption(
    page: Page, at: tuple[float, float], words: Sequence[str], *, colour: str
) -> None:
    """Write above an image what it is, and below that in grey what is in it."""
    sizes, inks, weights = (8.5, 7), (colour, GREY), ("bold", "normal")
    for line, word in enumerate(words):
        page.ax.text(
            at[0],
            at[1] + 0.21 - 0.15 * line,
            word,
            fontsize=sizes[line] * page.scale,
            color=inks[line],
            weight=weights[line],
            va="bottom",
        )


def draw_panel(
    page: Page,
    image: UInt8[np.ndarray, "row column 3"],
    mosaic: Mosaic,
    module: TaskModule,
    words: Sequence[str],
    box: Box,
) -> None:
    """Draw the panel of a module."""
    colour = module_colour(module.id)
    draw_image(page, image, box, mosaic, colour=colour, gid=f"M{module.id}")
    top = box[0], box[1] + box[3]
    caption(page, top, words, colour=mixed(colour, BLACK, share=0.4))


def panel_words(module: TaskModule, own: int, what: str) -> tuple[str, str]:
    """Say which module a panel is about, and how much it reads.

    Example:
        >>> one = TaskModule(3, 0, (0, 1), 5, (0, 1), (0,), (), True, 0.5)
        >>> panel_words(one, 2, "pixel"), panel_words(one, 0, "pixel")[1]
        (('M3, 5 units', '2 pixels'), 'reads 2 pixels')
    """
    read = counted(len(module.inputs), what)
    if own == len(module.inputs):
        said = read
    else:
        said = f"reads {read}" + (f", {own:,} its own" if own else "")
    return f"M{module.id}, {counted(module.units, 'unit')}", said


def _rgb(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
