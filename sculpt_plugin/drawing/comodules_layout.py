"""Where each unit and group stands in the picture of the co-modules."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from sculpt_plugin.analysis.consensus import SharedGroups

SMALLEST_ROW = 0.125  # inches that a name of its own needs
_CELL = 0.3  # inches of a unit where there is room
_SMALLEST, _LARGEST = 1.3, 3.6  # inches of a matrix
_BARS, _GAP = 0.55, 0.6  # inches of the bars beside it, and up to the next matrix


class MatrixPlaces(NamedTuple):
    """One matrix on the page; its upper edge is at height 0.

    Attributes:
        order: Which unit stands in each row (and column), from the top.
        blocks: First row and the row after the last one of each group, from the top.
        cell: Side of a cell, in inches.
        left: Where the matrix begins, right of its names.
        bars: Where the bars beside it begin.
        bar: How long a bar of confidence 1 is.
    """

    order: Int[np.ndarray, " row"]
    blocks: tuple[tuple[int, int], ...]
    cell: float
    left: float
    bars: float
    bar: float

    @property
    def side(self) -> float:
        """Side of the matrix, in inches."""
        return self.cell * len(self.order)

    @property
    def right(self) -> float:
        """Where the bars end."""
        return self.bars + self.bar


def cell_side(unit_count: int) -> float:
    """Tell how many inches of a matrix a unit gets.

    Example:
        >>> cell_side(2), cell_side(12)
        (0.65, 0.3)
    """
    count = max(unit_count, 1)
    return float(np.clip(_CELL * count, _SMALLEST, _LARGEST)) / count


def group_rows(
    label: Int[np.ndarray, " unit"], confidence: Float[np.ndarray, " unit"]
) -> tuple[Int[np.ndarray, " row"], tuple[tuple[int, int], ...]]:
    """Order units so that each group is one block, its surest units first.

    Args:
        label: The group of each unit, -1 for units to leave out.
        confidence: How sure each unit's group is.

    Returns:
        The units row by row, groups in order of their number; and the first row and
        the row after the last one of each group.

    Example:
        >>> group_rows(np.array([0, 1, -1, 0]), np.array([0.5, 0.9, 0.0, 0.8]))
        (array([3, 0, 1]), ((0, 2), (2, 3)))
    """
    order = np.lexsort((-confidence, label))
    order = order[label[order] >= 0]
    ends = np.cumsum(np.bincount(label[order])).tolist()
    return order, tuple(zip([0, *ends][:-1], ends, strict=True))


def place_matrices(
    ends: Sequence[SharedGroups], rooms: Sequence[float]
) -> tuple[MatrixPlaces, ...]:
    """Stand matrices side by side, each with names on the left and bars on the right.

    Few units get cells that a number fits in; where there are many, the cells shrink
    so that the matrix does not outgrow the page.

    Args:
        ends: What each matrix shows.
        rooms: For each matrix the inches that its names need.

    Returns:
        The places, from left to right.
    """
    places: list[MatrixPlaces] = []
    for groups, room in zip(ends, rooms, strict=True):
        order, blocks = group_rows(groups.label, groups.confidence)
        cell = cell_side(len(order))
        left = room + (places[-1].right + _GAP if places else 0.0)
        bars = left + cell * len(order) + 0.1
        places.append(MatrixPlaces(order, blocks, cell, left, bars, _BARS))
    return tuple(places)
