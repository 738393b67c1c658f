"""The results on digits as plain data, as Markdown, and as a table for a terminal."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from sculpt_plugin import store
from sculpt_plugin.reproducing.digit_cells import FORMAT
from sculpt_plugin.reproducing.digit_results import (
    PAPER_DENSITY,
    PAPER_INPUTS,
    PAPER_MIDDLE,
    PAPER_OUTPUTS,
    DigitRow,
)
from sculpt_plugin.reproducing.printed import printed

if TYPE_CHECKING:
    from rich.console import Group

_TITLES = (
    "task",
    "hidden layers",
    "networks",
    "inputs",
    "outputs",
    "middle",
    "by vote",
    "pixels on their side",
    "dense score",
    "density, mean",
    "sparsest",
    "seconds",
)
_IN_TERMINAL = {
    "what is found": (
        "hidden layers",
        "inputs",
        "outputs",
        "middle",
        "by vote",
        "pixels on their side",
    ),
    "what is left": (
        "hidden layers",
        "networks",
        "dense score",
        "density, mean",
        "sparsest",
        "seconds",
    ),
}
"""In one table they would be cut."""


def digits_to_json(rows: Sequence[DigitRow]) -> str:
    """Give the results in the versioned format that other tools read."""
    names = ("sculpt_plugin", "torch", "numpy", "scipy")
    found = {
        "schema": FORMAT,
        "rows": [asdict(row) for row in rows],
        "paper": {
            "inputs": PAPER_INPUTS,
            "outputs": PAPER_OUTPUTS,
            "middle": PAPER_MIDDLE,
            "density": PAPER_DENSITY,
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in names},
        },
    }
    return json.dumps(found, indent=1)


def write_digits(
    rows: Sequence[DigitRow], out: Path, *, command: str
) -> dict[str, str]:
    """Write the results into a folder.

    Args:
        rows: The results.
        out: The folder, which must be there.
        command: What made them, for the reader.

    Returns:
        The name of each file and what it is.

    Raises:
        CheckpointError: The folder cannot be written.
    """
    store.write_bytes(out / "results.json", (digits_to_json(rows) + "\n").encode())
    text = digits_to_markdown(rows, command=command)
    store.write_bytes(out / "results.md", text.encode())
    return {
        "results.md": "the table, for people",
        "results.json": "the same, for programs",
    }


def digits_to_markdown(rows: Sequence[DigitRow], *, command: str) -> str:
    """Give the results as a table in Markdown, with the command that made it."""
    lines = [
        f"Made by `{command}`. In brackets: the paper.",
        "",
        "| " + " | ".join(_TITLES) + " |",
        "|" + " --- |" * len(_TITLES),
        *("| " + " | ".join(_texts(row)) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def digits_to_terminal(rows: Sequence[DigitRow]) -> "Group":
    """Give the results as tables for rich to print: what is found, what it costs."""
    from rich.console import Group

    tables = []
    for task in dict.fromkeys(row.task for row in rows):
        texts = [_texts(row) for row in rows if row.task == task]
        for title, names in _IN_TERMINAL.items():
            places = [_TITLES.index(name) for name in names]
            own = [[text[place] for place in places] for text in texts]
            tables.append(printed(f"{task}, {title}", names, own))
    return Group(*tables)


def _texts(row: DigitRow) -> list[str]:
    """Write a row, with what the paper says of the same."""
    depth = len(row.hidden)
    paper = row.task == "digits-hierarchical"
    widest = paper and set(row.hidden) == {784}
    return [
        row.task,
        "-".join(map(str, row.hidden)),
        str(row.networks),
        _beside(f"{row.inputs:.2f}", PAPER_INPUTS.get(depth) if paper else None),
        _beside(f"{row.outputs:.2f}", PAPER_OUTPUTS.get(depth) if paper else None),
        _beside(f"{row.middle:.2f}", PAPER_MIDDLE if paper else None),
        "right" if row.vote else "wrong",
        f"{row.on_their_side:.2%}",
        f"{row.dense_score:.4f}",
        f"{row.density:.3%}",
        _beside(
            f"{row.sparsest:.3%}",
            f"{100 * PAPER_DENSITY[depth]:g}%" if widest else None,
        ),
        f"{row.seconds:.0f}",
    ]


def _beside(ours: str, theirs: float | str | None) -> str:
    """Write our figure, and the paper's in brackets where it has one."""
    return ours if theirs is None else f"{ours} ({theirs})"
