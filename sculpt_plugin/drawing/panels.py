"""Where the panels of a sweep's picture stand: one for each seed, a grid of cells."""

from math import ceil, log
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

# Inches above all panels for the title and below them for the key; then round each.
_HEAD, _FOOT = 0.62, 0.45
_TITLE, _TICKS, _SIDE, _GAP = 0.42, 0.42, 0.55, 0.22
_WIDEST, _HIGHEST = 13.0, 8.0
_ASPECT = 1.5


class PanelPlaces(NamedTuple):
    """Where the panels stand, in inches.

    Attributes:
        corner: The lower left corner of each panel's cells.
        cell: Width and height of a cell.
        width: Of the whole picture.
        height: Of the whole picture.
    """

    corner: Float[np.ndarray, "panel 2"]
    cell: tuple[float, float]
    width: float
    height: float


def place_panels(
    count: int,
    *,
    columns: int,
    rows: int,
    lines: int,
    title: float,
    head: float,
) -> PanelPlaces:
    """Stand panels in rows so that the picture is about half as wide again as high.

    Cells are as large as a number wants; where there are very many, smaller.

    Args:
        count: How many panels, 1 or more.
        columns: Cells of a panel from left to right.
        rows: Cells of a panel from bottom to top.
        lines: How many numbers stand in a cell, one above the other.
        title: The room that a panel's title takes, in inches.
        head: The room that the picture's title takes.

    Returns:
        The places, panels from left to right, then from top to bottom.

    Example:
        >>> places = place_panels(
        ...     2, columns=5, rows=4, lines=1, title=1.0, head=1.0
        ... )
        >>> places.corner[:, 1].tolist() == [places.corner[0, 1]] * 2
        True
    """
    cell = (
        min(0.44, _WIDEST / columns),
        min(0.16 + 0.14 * lines, _HIGHEST / rows),
    )
    inner = columns * cell[0], rows * cell[1]
    pitch = _SIDE + max(inner[0], title) + _GAP, _TITLE + inner[1] + _TICKS
    sizes = [
        (max(across * pitch[0], head), ceil(count / across) * pitch[1] + _HEAD + _FOOT)
        for across in range(1, count + 1)
    ]
    # As near to the wanted shape as can be; a row that is not full looks unfinished.
    best = min(
        range(1, count + 1),
        key=lambda across: (
            abs(log(sizes[across - 1][0] / sizes[across - 1][1] / _ASPECT))
            + 0.5 * (-count % across) / count
        ),
    )
    width, height = sizes[best - 1]
    number = np.arange(count)
    corner = np.stack(
        [
            _SIDE + number % best * pitch[0],
            height - _HEAD - _TITLE - inner[1] - number // best * pitch[1],
        ],
        axis=1,
    )
    return PanelPlaces(corner, cell, width, height)
