"""The command line's reference, written from the commands themselves."""

import os
import re
import subprocess
import sys

_DOCS = ("utils", "docs", "--name", "sculpt")
_SECTION = re.compile(r"^## ", re.M)


def command_reference() -> str:
    """Give a Markdown section for each command, with all arguments and options."""
    done = subprocess.run(
        [sys.executable, "-m", "typer", "sculpt_plugin.cli", *_DOCS],
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return sections(done.stdout)


def sections(text: str) -> str:
    """Keep what a reader looks up: no title, no list of commands, no `--help`.

    Args:
        text: What typer writes about a program.

    Returns:
        The sections, the one about the program's own options first.
    """
    first, *others = _SECTION.split(text)
    first = first.removeprefix("# ").split("**Commands**:")[0]
    kept = [_without_help(section).strip() for section in (first, *others)]
    return "\n\n".join(f"## {section}" for section in kept) + "\n"


def _without_help(section: str) -> str:
    """Leave out the option that every command has, and a list that is then empty."""
    section = re.sub(r"\* `--help`: .*\n?", "", section)
    return re.sub(r"\*\*Options\*\*:\s*\Z", "", section)
