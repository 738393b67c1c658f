"""Names from files made fit for an error text: short, quoted, nothing to obey."""

from collections.abc import Iterable
from pathlib import Path

LONGEST_NAME = 80
MOST_NAMES = 6


def quoted(name: object) -> str:
    r"""Quote a name from a file so that a terminal shows it and does nothing else.

    A name in a stranger's file may hold escape sequences that colour, move or
    rewrite what is on the screen. Python's own quoting spells those out.

    Args:
        name: Any text; what is no text is quoted by its type.

    Returns:
        The name between quotes, cut after 80 characters.

    Example:
        >>> print(quoted("fc1.weight"), quoted("\x1b[31mred"), quoted(3))
        'fc1.weight' '\x1b[31mred' <int>
    """
    if not isinstance(name, str):
        return f"<{type(name).__name__}>"
    if len(name) > LONGEST_NAME:
        return f"{name[:LONGEST_NAME]!r}..."
    return repr(name)


def listed(names: Iterable[object]) -> str:
    """List names from a file, each quoted, the first six and how many more.

    Args:
        names: The names, in the order to show them.

    Returns:
        One line of text.

    Example:
        >>> listed(["a", "b"])
        "'a', 'b'"
        >>> listed(map(str, range(8)))
        "'0', '1', '2', '3', '4', '5' and 2 more"
    """
    every = list(names)
    text = ", ".join(quoted(name) for name in every[:MOST_NAMES])
    more = len(every) - MOST_NAMES
    return f"{text} and {more} more" if more > 0 else text


def shown(path: Path) -> str:
    """Show a path as it is, or quoted where it holds what should not be printed.

    Args:
        path: Any path.

    Returns:
        One line of text.

    Example:
        >>> shown(Path("model.pt"))
        'model.pt'
    """
    text = str(path)
    return text if text.isprintable() else repr(text)
