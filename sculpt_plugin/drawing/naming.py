"""What inputs, outputs and layers are called where there is little room."""

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from sculpt_plugin.errors import DataError


def end_names(
    numbers: Int[np.ndarray, " unit"],
    names: Sequence[str] | None,
    *,
    letter: str,
    argument: str,
) -> list[str]:
    """Name inputs or outputs by their numbers.

    Args:
        numbers: The original number of each input or output to name.
        names: The user's name for every number from 0 up, or None.
        letter: What to put before the number without `names`.
        argument: What the user calls `names`, for the error.

    Returns:
        One clean name per number.

    Raises:
        DataError: `names` ends before the largest number.

    Example:
        >>> end_names(np.array([0, 3]), None, letter="x", argument="input_names")
        ['x0', 'x3']
    """
    if names is None:
        return [f"{letter}{number}" for number in numbers]
    needed = int(numbers.max(initial=-1)) + 1
    if len(names) < needed:
        raise DataError(
            f"{argument} must name all of at least {needed} units, it has "
            f"{len(names)}: give one name for each, in order."
        )
    return [shortened(names[int(number)], room=40) for number in numbers]


def shortened(name: str, *, room: int) -> str:
    """Make a name from a file fit for one line of a picture.

    Args:
        name: Any text; line breaks and control characters are taken out.
        room: How many letters there is room for.

    Returns:
        The name, or its beginning and end round an ellipsis.

    Example:
        >>> shortened("encoder.block.1.mlp.up", room=12)
        'encode…mlp.up'
    """
    plain = " ".join(
        "".join(letter if letter.isprintable() else " " for letter in name).split()
    )
    if len(plain) <= room:
        return plain
    half = room // 2
    return f"{plain[:half]}…{plain[len(plain) - half :]}"


def abbreviated(names: Sequence[str], *, room: int) -> str:
    """List names in little room, successive numbers as ranges.

    Args:
        names: What to list, in order.
        room: How many letters there is room for. The first range is always there.

    Returns:
        The ranges that fit, then how many names are left out.

    Example:
        >>> abbreviated(["x0", "x1", "x2", "x3", "x7"], room=20)
        'x0-x3, x7'
        >>> abbreviated(["x1", "x3", "x5", "x7", "x9"], room=12)
        'x1, x3, +3'
    """
    ranges = _ranges(names)
    # Every range takes at least one character.
    for shown in range(min(len(ranges), room), 0, -1):
        hidden = sum(count for _, count in ranges[shown:])
        listed = [text for text, _ in ranges[:shown]] + [f"+{hidden}"] * (hidden > 0)
        text = ", ".join(listed)
        if len(text) <= room or shown == 1:
            return text
    return ""


def _ranges(names: Sequence[str]) -> list[tuple[str, int]]:
    """Join names that differ by successive numbers, with how many each range joins."""
    runs: list[list[str]] = []
    expected = None
    for name in names:
        match = re.fullmatch(r"(.*?)(0|[1-9][0-9]{0,8})", name)
        if match is not None and (match[1], int(match[2])) == expected:
            runs[-1].append(name)
        else:
            runs.append([name])
        expected = None if match is None else (match[1], int(match[2]) + 1)
    return [
        (f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(run), len(run))
        for run in runs
    ]
