"""Where inputs that are pixels lie in their image, and images on the page."""

from math import ceil, prod, sqrt
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from sculpt_plugin.errors import DataError

MARGIN, HEAD, CAPTION = 0.2, 0.55, 0.4  # inches: round all, above, above a panel
_LARGE, _SMALL = (5.0, 3.6), (1.75, 1.4)  # the most inches of overview and panel
_LARGEST_PIXEL = 0.4
_GAP = 0.2
_PANELS_ACROSS = 4

Box = tuple[float, float, float, float]
"""Left, bottom, width and height."""


class Mosaic(NamedTuple):
    """An image laid out flat, its channels side by side.

    Attributes:
        row: The row of each pixel of each channel, in the order of the inputs.
        column: Its column.
        height: Rows of the whole, gaps between channels included.
        width: Columns of the whole.
        frames: What to outline: column and row where it begins, columns and rows.
    """

    row: Int[np.ndarray, " pixel"]
    column: Int[np.ndarray, " pixel"]
    height: int
    width: int
    frames: tuple[tuple[int, int, int, int], ...]


class PixelPlaces(NamedTuple):
    """Where the overview and the panels stand, in inches.

    Attributes:
        overview: The box of the large image.
        panels: The boxes of the small ones, row by row.
        width: Of the page.
        height: Of the page.
    """

    overview: Box
    panels: tuple[Box, ...]
    width: float
    height: float


def lay_out(shape: tuple[int, ...], *, frames: int = 1) -> Mosaic:
    """Lay an image out flat: channels stand in rows, with a gap between.

    Args:
        shape: Height and width, or channels, height and width.
        frames: How many pictures stand side by side in the image.

    Returns:
        Where each pixel goes.

    Raises:
        DataError: A size is not positive, or the frames do not divide the width.

    Example:
        >>> mosaic = lay_out((2, 2), frames=2)
        >>> mosaic.row.tolist(), mosaic.column.tolist()
        ([0, 0, 1, 1], [0, 1, 0, 1])
        >>> mosaic.frames
        ((0, 0, 1, 2), (1, 0, 1, 2))
    """
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise DataError(
            "shape must be (height, width) or (channels, height, width), each at least "
            f"1, got {shape}."
        )
    height, width = shape[-2:]
    channels = shape[0] if len(shape) == 3 else 1
    if frames < 1 or width % frames:
        raise DataError(
            f"frames must divide the {width} columns of the image {shape} into equal "
            f"parts, got {frames}."
        )
    across = min(channels, max(1, round(sqrt(channels * height / width))))
    across = min(channels, 3) if channels <= 3 else across
    down = ceil(channels / across)
    gap = max(1, round(0.06 * max(height, width)))
    channel, row, column = np.unravel_index(
        np.arange(channels * height * width), (channels, height, width)
    )
    corners = [
        (number % across * (width + gap), number // across * (height + gap))
        for number in range(channels)
    ]
    slim = width // frames
    return Mosaic(
        row=row + channel // across * (height + gap),
        column=column + channel % across * (width + gap),
        height=down * (height + gap) - gap,
        width=across * (width + gap) - gap,
        frames=tuple(
            (left + part * slim, top, slim, height)
            for left, top in corners
            for part in range(frames)
        ),
    )


def check_inputs(
    channel: Int[np.ndarray, " unit"],
    shape: tuple[int, ...],
) -> None:
    """Check that each input of a network is a pixel of an image, and each pixel one.

    Args:
        channel: The original number of each input that there is.
        shape: Of the image.

    Raises:
        DataError: There are more or fewer inputs than pixels.

    Example:
        >>> check_inputs(np.arange(6), (2, 3))
    """
    count, room = len(channel), prod(shape)
    whole = np.array_equal(channel, np.arange(count))
    fits = count == room if whole else int(channel.max(initial=-1)) < room
    if not fits:
        raise DataError(
            f"shape must hold the network's inputs one by one, which are {count}"
            f"{'' if whole else f' up to number {channel.max()}'}, but {shape} holds "
            f"{room}: give the shape that the images had before they were flattened. "
            "The inputs of a convolution are whole channels, without pixels to show."
        )


def place_images(mosaic: Mosaic, panel_count: int) -> PixelPlaces:
    """Stand the overview at the left and panels beside it in rows.

    Args:
        mosaic: The image.
        panel_count: How many panels there are.

    Returns:
        The places; no two overlap, and all have the image's own proportions.

    Example:
        >>> places = place_images(lay_out((28, 56)), 1)
        >>> [round(size, 2) for size in places.overview[2:]]
        [5.0, 2.5]
    """
    wide, high = _fit(mosaic, _LARGE)
    small = _fit(mosaic, _SMALL)
    tall = CAPTION + small[1]
    rows = max(
        1,
        int((high + CAPTION + _GAP / 2) / (tall + _GAP / 2)),
        ceil(panel_count / _PANELS_ACROSS),
    )
    across = ceil(panel_count / rows)
    rows = ceil(panel_count / max(across, 1))
    # A caption wants some room, however narrow the image.
    step = max(small[0], 1.25) + _GAP
    stacked = rows * tall + max(rows - 1, 0) * _GAP / 2
    inner = max(high, stacked - CAPTION)
    top = MARGIN + inner
    panels = tuple(
        (
            MARGIN + max(wide, 2.2) + 2 * _GAP + number % across * step,
            top - number // across * (tall + _GAP / 2) - small[1],
            *small,
        )
        for number in range(panel_count)
    )
    return PixelPlaces(
        overview=(MARGIN, top - high, wide, high),
        panels=panels,
        # Without panels there must still be room for a note at the foot.
        width=2 * MARGIN
        + (max(wide, 2.2) + _GAP + across * step if across else max(wide, 3.2)),
        height=top + HEAD,
    )


def _fit(mosaic: Mosaic, most: tuple[float, float]) -> tuple[float, float]:
    """Size an image so that it is as large as may be."""
    pixel = min(most[0] / mosaic.width, most[1] / mosaic.height, _LARGEST_PIXEL)
    return pixel * mosaic.width, pixel * mosaic.height
