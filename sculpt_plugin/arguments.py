"""What is typed on a command line, read: numbers, lists, ranges, shapes, paths."""

from decimal import Decimal, DecimalException
from pathlib import Path

import typer

from sculpt_plugin.files.quoting import LONGEST_NAME, quoted

_MOST = 1000
_DTYPES = (
    "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8",
    "uint8", "bool",
)  # fmt: skip


def path_from(text: str) -> Path:
    """Read the path of what is to be opened.

    Raises:
        BadParameter: The text is empty, as that of a variable that was never set; as a
            path it would be the current folder.

    Example:
        >>> str(path_from("model.pt"))
        'model.pt'
    """
    if not text:
        raise typer.BadParameter(
            "file must be a path, got an empty one: the current folder is called '.'."
        )
    return Path(text)


def whole_numbers(text: str, *, name: str, example: str) -> tuple[int, ...]:
    """Read whole numbers above 0, separated by commas.

    Args:
        text: What was typed.
        name: The option it was typed for.
        example: What could have been typed, for the error.

    Returns:
        The numbers, in the order they were typed.

    Raises:
        BadParameter: The text is something else.

    Example:
        >>> whole_numbers("24,36", name="--hidden", example="24,24")
        (24, 36)
    """
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise typer.BadParameter(
            f"{name} must be whole numbers above 0 with commas between them, as "
            f"{example}, got {quoted(text)}."
        )
    return numbers


def input_like(
    text: str, *, name: str, example: str
) -> tuple[tuple[int, ...], str | None]:
    """Read what an input of a model is like: its shape and, after a colon, its dtype.

    Args:
        text: What was typed.
        name: The option it was typed for.
        example: What could have been typed, for the error.

    Returns:
        The shape, and torch's name of the dtype where one was typed.

    Raises:
        BadParameter: The text is something else.

    Example:
        >>> input_like("1,28,28", name="--input-shape", example="1,28,28")
        ((1, 28, 28), None)
        >>> input_like("16:int64", name="--input-shape", example="16:int64")
        ((16,), 'int64')
    """
    numbers, colon, dtype = text.partition(":")
    if colon and dtype not in _DTYPES:
        raise typer.BadParameter(
            f"{name} must end in a dtype after its colon, one of {', '.join(_DTYPES)}, "
            f"got {quoted(text)}: type it as in {example}."
        )
    return whole_numbers(numbers, name=name, example=example), dtype or None


def per_cents(text: str, *, name: str, example: str) -> tuple[float, ...]:
    """Read per cent, above 0 and at most 100, as a list, a range or a list of both.

    A range is `first:last:step`, or `first:last` for a step of 1; the last number is
    part of it where the steps meet it. Steps are counted in decimals, as they were
    typed.

    Args:
        text: What was typed.
        name: The option it was typed for.
        example: What could have been typed, for the error.

    Returns:
        The numbers, in the order they were typed.

    Raises:
        BadParameter: The text is something else, or names a number twice.

    Example:
        >>> per_cents("0.5:2:0.5,40", name="--edge-steps", example="0.5:2.5:0.5")
        (0.5, 1.0, 1.5, 2.0, 40.0)
    """
    what = "per cent above 0 and at most 100"
    series = _series(text, name=name, what=what, example=example)
    numbers = tuple(map(float, series))
    if not 0 < min(numbers) <= max(numbers) <= 100:
        raise _unread(text, name, what, example)
    return numbers


def seeds_from(text: str, *, name: str, example: str) -> tuple[int, ...]:
    """Read whole numbers from 0 up, typed as for `per_cents`.

    Args:
        text: What was typed.
        name: The option it was typed for.
        example: What could have been typed, for the error.

    Returns:
        The numbers, in the order they were typed.

    Raises:
        BadParameter: The text is something else, or names a number twice.

    Example:
        >>> seeds_from("0:2,5", name="--seeds", example="0,1,2,5")
        (0, 1, 2, 5)
    """
    what = "whole numbers from 0 to 2**63 - 1"
    numbers = _series(text, name=name, what=what, example=example)
    if any(number % 1 for number in numbers):
        raise _unread(text, name, what, example)
    return tuple(int(number) for number in numbers)


def _series(text: str, *, name: str, what: str, example: str) -> list[Decimal]:
    """Read a list whose entries are numbers or ranges."""
    numbers: list[Decimal] = []
    try:
        for part in text.split(","):
            numbers += _entry(part)
    except (DecimalException, ValueError):
        raise _unread(text, name, what, example) from None
    if len(numbers) > _MOST:
        raise typer.BadParameter(
            f"{name} must be at most {_MOST} numbers, got more in {quoted(text)}: take "
            "a larger step."
        )
    twice = [number for at, number in enumerate(numbers) if number in numbers[:at]]
    if twice:
        raise typer.BadParameter(
            f"{name} must name each number once, got {twice[0]!s:.{LONGEST_NAME}} "
            f"twice in {quoted(text)}."
        )
    return numbers


def _entry(text: str) -> list[Decimal]:
    """Read a number or a range; of a range that is far too long only the beginning."""
    first, *others = [Decimal(part) for part in text.split(":")]
    defaults = [first, Decimal(1)]
    last, step = [*others, *defaults[len(others) :]]
    if not (0 <= first <= last < 2**63 and step > 0):
        raise ValueError("not a range")
    count = min((last - first) / step, Decimal(_MOST))
    return [first + number * step for number in range(int(count) + 1)]


def _unread(text: str, name: str, what: str, example: str) -> typer.BadParameter:
    """Say how such numbers are typed."""
    return typer.BadParameter(
        f"{name} must be {what}, as a list 5,10,20 or a range first:last:step, such as "
        f"{example}, got {quoted(text)}."
    )
