"""Long lists of numbered inputs, outputs and modules in little room, and quickly."""

from collections.abc import Sequence

import numpy as np


def numbered(letter: str, numbers: Sequence[int], *, room: int) -> str:
    """List numbered things, successive numbers as ranges, as `abbreviated` does.

    Every module of a large network may have a hundred thousand inputs, of which there
    is room for a few: only those are turned into words.

    Args:
        letter: What to put before each number.
        numbers: The numbers, ascending.
        room: How many letters there is room for. The first range is always there.

    Returns:
        The ranges that fit, then how many numbers are left out.

    Example:
        >>> numbered("x", (0, 1, 2, 3, 7), room=20), numbered("x", (1, 3, 5), room=7)
        ('x0-x3, x7', 'x1, +2')
    """
    if not len(numbers):
        return ""
    found = np.asarray(numbers)
    ends = np.append(np.flatnonzero(np.diff(found) != 1), len(found) - 1)
    # A range takes four letters at least, its comma included.
    ends = ends[: room // 4 + 1].tolist()
    starts = [0, *(end + 1 for end in ends[:-1])]
    ranges = [
        _range(letter, found[start : end + 1])
        for start, end in zip(starts, ends, strict=True)
    ]
    texts = [
        _joined(ranges[: n + 1], len(found) - end - 1) for n, end in enumerate(ends)
    ]
    return next((text for text in reversed(texts) if len(text) <= room), texts[0])


def _joined(ranges: list[str], hidden: int) -> str:
    """Join ranges, and say how many numbers are not among them."""
    return ", ".join([*ranges, *[f"+{hidden}"] * (hidden > 0)])


def _range(letter: str, numbers: np.ndarray) -> str:
    """Name successive numbers."""
    if len(numbers) > 2:
        return f"{letter}{numbers[0]}-{letter}{numbers[-1]}"
    return ", ".join(f"{letter}{number}" for number in numbers)
