"""Names in a docstring's backticks lead to where they are explained.

The docstrings are written for people who read code: `sculpt` stands in single
backticks, whether it is a public name, an argument or a value.
"""

import re
from typing import Any

import sculpt_plugin

_QUOTED = re.compile(r"(?<![`:\w])`([^`\n]+)`(?![`_\w])")


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx to pass docstrings through here."""
    app.connect("autodoc-process-docstring", _replace)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def with_links(line: str) -> str:
    """Write a line's quoted names as links where they are public, else as code.

    Example:
        >>> with_links("As for `analyze`, with `hops` left out.")
        'As for :py:obj:`~sculpt_plugin.analyze`, with ``hops`` left out.'
    """
    return _QUOTED.sub(_written, line)


def _written(found: re.Match[str]) -> str:
    text = found[1]
    name = text.removesuffix("()")
    if name in sculpt_plugin.__all__:
        return f":py:obj:`~sculpt_plugin.{name}`"
    return f"``{text}``"


def _replace(
    app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Change a docstring in place, but for its code."""
    lines[:] = [
        line if line.lstrip().startswith((">>>", "...")) else with_links(line)
        for line in lines
    ]
