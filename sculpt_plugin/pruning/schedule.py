"""How much to remove next: a pure function of what was tried so far."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from sculpt_plugin.errors import DataError

Schedule = float | Sequence[float]
"""A step, as a share of the original count removed per turn (0.65 is the paper's 65 %),
or the shares to be gone after each turn, as `linear(ratio, steps)` and torch-pruning's
own schedulers give them."""


def linear(ratio: float, steps: int) -> list[float]:
    """Spread a final share evenly over a number of turns, as torch-pruning does.

    Args:
        ratio: Share of the original count to be gone in the end, 0 to 1.
        steps: Number of turns.

    Returns:
        `steps + 1` shares, the first 0 and the last `ratio`.

    Raises:
        DataError: `steps` is below 1.

    Example:
        >>> linear(0.5, 2)
        [0.0, 0.25, 0.5]
    """
    if steps < 1:
        raise DataError(f"steps must be 1 or more, got {steps}.")
    return [turn / steps * ratio for turn in range(steps + 1)]


def check(schedule: Schedule, *, name: str) -> None:
    """Refuse a schedule that removes nothing, too much, or goes back.

    Args:
        schedule: A step or a list of shares.
        name: How the caller calls it, for the message.

    Raises:
        DataError: With what was found.
    """
    if isinstance(schedule, int | float):
        if not 0 < schedule <= 1:
            raise DataError(
                f"{name} must be a share of the original count, above 0 and at most 1 "
                f"(0.05 removes 5 % per turn), got {schedule}."
            )
        return
    rising = all(a <= b for a, b in pairwise(schedule))
    if not schedule or not rising or not 0 <= schedule[0] <= schedule[-1] <= 1:
        raise DataError(
            f"{name} must be shares that rise from 0 to at most 1, as linear(0.9, 10) "
            f"gives them, got {list(schedule)}."
        )


def plain(schedule: Any) -> Any:
    """Give a schedule as a float or a list of floats, whatever numbers it has.

    Raises:
        DataError: It is neither a number nor numbers.

    Example:
        >>> plain(1), plain((0, 0.5))
        (1.0, [0.0, 0.5])
    """
    if schedule is None:
        return None
    try:
        if isinstance(schedule, str | bool):
            raise TypeError
        if hasattr(schedule, "__len__") and getattr(schedule, "ndim", 1):
            return [float(share) for share in schedule]
        return float(schedule)
    except (TypeError, ValueError, RuntimeError):
        raise DataError(
            "A schedule must be a share such as 0.05, or shares such as linear(0.9, "
            f"10), got {schedule!r}."
        ) from None


def next_count(
    schedule: Schedule,
    attempts: Sequence[tuple[int, bool]],
    *,
    total: int,
    start: int = 0,
    limit: int | None = None,
    finest: float = 0.0,
) -> int | None:
    """Say how many units or edges are to be gone after the next turn.

    The count follows the schedule until the first failure. From then on it is the last
    accepted count plus a step that is halved at every failure; a failure at a step of
    one ends the stage. Since the answer depends on nothing but the attempts, a killed
    run goes on where it was by reading its record.

    Args:
        schedule: A step, counted from `start`, or shares of `total`.
        attempts: Every count tried so far with whether it was accepted.
        total: The original count.
        start: How many were gone before the stage began.
        limit: How many may be gone at most.
        finest: The smallest step worth a turn, as a share of what is left.

    Returns:
        The count, above the last accepted one, or None where the stage ends.

    Example:
        A failed step from 6 to 9 is halved to 1, and a failure of 1 is the end.

        >>> next_count(0.3, [(3, True), (6, True)], total=10)
        9
        >>> next_count(0.3, [(3, True), (6, True), (9, False)], total=10)
        7
        >>> next_count(0.3, [(6, True), (9, False), (7, False)], total=10)

    Reference:
        Patil, Michael and Dovrolis, "Neural Sculpting", NeurIPS 2023,
        https://arxiv.org/abs/2305.18402
    """
    if isinstance(schedule, int | float):
        counts = _even_counts(schedule, start, total)
    else:
        counts = _counts(schedule, total)
    limit = min(total if limit is None else limit, counts[-1])
    accepted, step = start, None
    for count, held in attempts:
        if held:
            accepted = count
        elif count - accepted <= max(1, finest * (total - accepted)):
            return None
        else:
            step = (count - accepted) // 2
    if accepted >= limit:
        return None
    if step is not None:
        return min(accepted + step, limit)
    return min(counts[bisect_right(counts, accepted)], limit)


def last_count(schedule: Schedule, *, total: int) -> int:
    """Say how many units or edges a schedule removes in the end.

    Example:
        >>> last_count(0.1, total=20), last_count(linear(0.9, 3), total=20)
        (20, 18)
    """
    return total if isinstance(schedule, int | float) else _counts(schedule, total)[-1]


@lru_cache(maxsize=1024)
def _even_counts(step: float, start: int, total: int) -> Sequence[int]:
    """Write a step out as counts; the last is all. A sweep asks for few, but often."""
    first = start / total
    # Fewer than one cannot be removed; a list of countless shares would not end.
    step = max(step, 1 / total)
    turns = int((1 - first) / step + 1e-9)
    shares = [first + step * turn for turn in range(1, turns + 1)]
    return _counts([*shares, 1.0], total)


def _counts(shares: Sequence[float], total: int) -> list[int]:
    """Give shares as counts."""
    # A share such as 0.3 * 10 may fall a hair short of its whole number.
    return [int(share * total + 1e-9) for share in shares]
