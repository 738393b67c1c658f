"""Results as plain data, as Markdown, and as tables for a terminal."""

import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sculpt_plugin import store
from sculpt_plugin.analysis.modules import Method
from sculpt_plugin.reproducing.experiments import EXPERIMENTS
from sculpt_plugin.reproducing.printed import printed
from sculpt_plugin.reproducing.reproduce import FORMAT
from sculpt_plugin.reproducing.results import DensityRow, JudgedCell, Results, Row
from sculpt_plugin.reproducing.summary import (
    is_below,
    summaries,
    summary_texts,
    summary_titles,
)
from sculpt_plugin.reproducing.verdicts import Voice

if TYPE_CHECKING:
    from rich.console import Group

_COLUMNS: tuple[Voice, ...] = ("single", "typical", "consensus", "all seeds")
"""Who has a column in the tables; the others are summed up only."""

_TITLES = ("task", "hidden layers", "right", "paper", *_COLUMNS)
_DENSITY_TITLES = ("task", "hidden layers", "sparsest", "mean over seeds", "paper")


def to_dict(results: Results) -> dict[str, Any]:
    """Give the results in the versioned format that other tools read.

    Args:
        results: The results.

    Returns:
        Plain dicts, lists, numbers and strings: `rows` (the paper's tables, ours
        beside them), `densities`, `cells` (settings, every run, every verdict),
        `settings` and `versions`.
    """
    names = ("sculpt_plugin", "torch", "numpy", "scipy")
    return {
        "schema": FORMAT,
        "rows": [asdict(row) for row in results.rows],
        "densities": [asdict(row) for row in results.densities],
        "cells": [_cell(cell) for cell in results.cells],
        "settings": {"witness_count": results.witness_count},
        "seconds": results.seconds,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in names},
        },
    }


def to_json(results: Results) -> str:
    """Give the results as JSON text."""
    return json.dumps(to_dict(results), separators=(",", ":"))


def write(results: Results, out: Path, *, command: str) -> dict[str, str]:
    """Write the results into a folder.

    Args:
        results: The results.
        out: The folder, which must be there.
        command: What made them.

    Returns:
        What was written, and what it is.

    Raises:
        CheckpointError: The folder cannot be written.
    """
    text = to_markdown(results, command=command)
    store.write_bytes(out / "results.json", (to_json(results) + "\n").encode())
    store.write_bytes(out / "results.md", text.encode())
    return {
        "results.json": "every run and every verdict, for programs",
        "results.md": "the tables, for people",
    }


def _cell(cell: JudgedCell) -> dict[str, Any]:
    """Give a cell with its verdicts."""
    verdicts = {
        method: {
            voice: [None if found is None else asdict(found) for found in verdicts]
            for voice, verdicts in voices.items()
        }
        for method, voices in cell.verdicts.items()
    }
    return {**cell.outcome.to_dict(), "verdicts": verdicts}


def to_markdown(results: Results, *, command: str) -> str:
    """Give the results as tables in Markdown.

    Args:
        results: The results.
        command: What made them, so that a reader can make them, too.

    Returns:
        The text, one table for each family, one of the densities.
    """
    return "\n".join(_lines(results, command)) + "\n"


def recipe_line(recipes: Sequence[Mapping[str, float]]) -> str:
    """Say how networks were trained: each number, or its range over the recipes.

    Example:
        >>> recipe_line([{"epochs": 40, "noise": 0.1}, {"epochs": 60, "noise": 0.1}])
        'Trained with epochs 40 to 60, noise 0.1.'
    """
    told = []
    for name in recipes[0]:
        low, *_, high = sorted(recipe[name] for recipe in [recipes[0], *recipes])
        told.append(f"{name} {low:g}" if low == high else f"{name} {low:g} to {high:g}")
    return f"Trained with {', '.join(told)}."


def _lines(results: Results, command: str) -> Iterator[str]:
    """The text, line by line."""
    yield "# The paper's Boolean experiments, run again"
    yield ""
    recipes = [cell.outcome.recipe for cell in results.cells]
    yield f"Made by `{command}`. {recipe_line(recipes)}"
    yield ""
    yield from _legend(results)
    for family, rows in _by_family(results.rows).items():
        yield ""
        yield f"## {family.capitalize()}"
        for method in _methods(results):
            yield ""
            yield f"By the {method} method:"
            yield ""
            texts = [_texts(row, method, _depths(row, results.rows)) for row in rows]
            yield from _grid(_TITLES, texts)
    yield ""
    yield "## Densities"
    yield ""
    densities = map(_density, _narrowest(results.densities))
    yield from _grid(_DENSITY_TITLES, densities)


def _legend(results: Results) -> Iterator[str]:
    """What the columns mean, and how many cells reach the paper's rate."""
    yield (
        "Share of networks with the right modules, found by our own method "
        "(*bidirectional*) and by the paper's (*agglomerative*). *single*: the "
        f"sparsest network of each seed. *typical*: of the {results.witness_count} "
        "sparsest of a seed, among those with at most three tenths more edges than the "
        "sparsest, the one that agrees best with those of all seeds and has hidden "
        "units of its own for each group of outputs (`Consensus.typical`). *within "
        "5 %* and so on: among those with at most so many edges more. *single* is "
        "chosen in the same way among those that are equally sparse. *consensus*: what "
        f"a seed's {results.witness_count} say together. *all seeds*: what those of "
        "all seeds say together, one answer for each shape of network. "
        "In parentheses: by number of hidden layers. A star marks what is below the "
        "paper's rate, by however little; what is below or above it *by more than "
        "chance* (Fisher's exact test, one in twenty) is counted here. Where *paper* "
        "is empty, the paper gives no rate."
    )
    yield ""
    yield (
        "What must be *right*: *inputs*: those that the same functions read are "
        "together, all others apart. *outputs*: those of one function are together, "
        "those of different functions apart. *apart*: no module has hidden units that "
        "lead to outputs of different functions. *modules* depends on the family. "
        "Exemplar: inputs and outputs are right, and there are as many modules as the "
        "task has. Reuse: inputs and outputs are right, however many modules there "
        "are. Hierarchy: inputs and outputs are right, and no module has both; with "
        "one or two hidden layers all outputs may be in one module instead. "
        "[4,1,2,16] is in two families, and each judges its networks in its own way."
    )
    yield ""
    count, sums = summaries(results)
    named = [[f"{one.voice}, {one.method}", *summary_texts(one)] for one in sums]
    yield from _grid(["", *summary_titles(count)], named)


def _grid(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table in Markdown."""
    yield f"| {' | '.join(titles)} |"
    yield f"|{' --- |' * len(titles)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _by_family(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows that a table shows; where depths are pooled, they share a row."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.depth is None or not EXPERIMENTS[row.family].pooled:
            found.setdefault(row.family, []).append(row)
    return found


def _methods(results: Results) -> list[Method]:
    """The methods whose rates there are."""
    return [*dict.fromkeys(rate.method for rate in results.rows[0].rates)]


def _depths(row: Row, rows: Sequence[Row]) -> list[Row]:
    """The rows that a pooled row sums up, none for another."""
    if row.depth is not None:
        return []
    return [
        other
        for other in rows
        if (other.family, other.task, other.criterion)
        == (row.family, row.task, row.criterion)
        and other.depth is not None
    ]


def _texts(row: Row, method: Method, parts: Sequence[Row] = ()) -> list[str]:
    """One row of a table, with the rates of its parts in parentheses."""
    paper = "" if row.published is None else f"{row.published:.2f}"
    depth = "all" if row.depth is None else str(row.depth)
    shares = []
    for place, rate in enumerate(row.rates):
        if rate.method == method and rate.voice in _COLUMNS:
            share = f"{rate.share:.2f}{'*' if is_below(row, rate) else ''}"
            each = ", ".join(f"{part.rates[place].share:.2f}" for part in parts)
            shares.append(f"{share} ({each})" if each else share)
    return [f"[{row.task}]", depth, row.criterion, paper, *shares]


def _narrowest(rows: Sequence[DensityRow]) -> list[DensityRow]:
    """The narrowest networks of each task and depth, as the paper gives densities."""
    first: dict[tuple[str, int], DensityRow] = {}
    for row in rows:
        first.setdefault((row.task, len(row.hidden)), row)
    return list(first.values())


def _density(row: DensityRow) -> list[str]:
    """One row of the table of densities."""
    known = row.densities
    return [
        f"[{row.task}]",
        "-".join(map(str, row.hidden)),
        f"{min(known):.2%}" if known else "not learned",
        f"{sum(known) / len(known):.2%}" if known else "",
        "" if row.published is None else f"{row.published:.2%}",
    ]


def to_terminal(results: Results) -> "Group":
    """Give the results as tables that rich can print, one method after the other."""
    from rich.console import Group

    tables = []
    for family, rows in _by_family(results.rows).items():
        for method in _methods(results):
            texts = [_texts(row, method) for row in rows]
            tables.append(printed(f"{family}, {method}", _TITLES, texts))
    densities = map(_density, _narrowest(results.densities))
    tables.append(printed("densities", _DENSITY_TITLES, densities))
    count, sums = summaries(results)
    for method in _methods(results):
        titles = ["", *summary_titles(count)]
        own = [[s.voice, *summary_texts(s)] for s in sums if s.method == method]
        tables.append(printed(f"in all, {method}", titles, own))
    return Group(*tables)
