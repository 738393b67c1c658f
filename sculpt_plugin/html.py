"""A report as one page for the browser, which needs nothing but itself."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from sculpt_plugin import store
from sculpt_plugin.export import check_ending
from sculpt_plugin.exporting.spelling import spelled
from sculpt_plugin.interactive.elements import child, markup
from sculpt_plugin.interactive.facts import module_table, summary
from sculpt_plugin.interactive.grounds import evidence, glossary, provenance
from sculpt_plugin.interactive.inlining import data_text, kept_text, policy
from sculpt_plugin.interactive.module_picture import hierarchy_data, module_data
from sculpt_plugin.interactive.network import network_data
from sculpt_plugin.interactive.room import (
    COLLAPSED,
    largest,
    opens_with_units,
    too_large,
)
from sculpt_plugin.report import Report

# In the order in which they use each other's names.
_SCRIPTS = (
    "theme.js",
    "graph.js",
    "drawing.js",
    "camera.js",
    "details.js",
    "search.js",
    "page.js",
    "events.js",
)
_SUFFIXES = (".html", ".htm")


def write(report: Report, path: str | Path, *, title: str = "Sculpt report") -> None:
    """Write a report as one page for the browser, without anything remote.

    The page shows the network layer by layer with a box round each module, and which
    module feeds which. Point at a unit to see its paths, click a module to see it
    alone; search, zoom, print.

    Args:
        report: The report.
        path: Where to; the folder must exist. `.html` or `.htm`.
        title: What the page is called, such as the name of the model.

    Raises:
        ExportError: The suffix is another one, or the place is no place for a file.
        CheckpointError: The file cannot be written.

    Example:
        >>> import tempfile, torch
        >>> from sculpt_plugin.report import analyze
        >>> report = analyze(torch.nn.Linear(2, 1), torch.zeros(1, 2))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(report, f"{folder}/report.html")
        ...     Path(f"{folder}/report.html").read_text()[:15]
        '<!doctype html>'
    """
    check_path(path)
    store.write_bytes(Path(path), page(report, title=title).encode())


def page(report: Report, *, title: str = "Sculpt report") -> str:
    """Give the page that `write` writes, to serve it or to put it in a notebook.

    Args:
        report: The report.
        title: What the page is called.

    Returns:
        The whole page, as HTML.

    Example:
        >>> import torch
        >>> from sculpt_plugin.report import analyze
        >>> report = analyze(torch.nn.Linear(2, 1), torch.zeros(1, 2))
        >>> "<title>M &amp; M</title>" in page(report, title="M & M")
        True
    """
    name = Element("title")
    name.text = spelled(title)
    style, script = kept_text("page.css"), kept_text(*_SCRIPTS)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy(style, script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
{markup(name)}
<style>{style}</style>
</head>
<body>
{_body(report, spelled(title))}
<script type="application/json" id="data">{data_text(_data(report))}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def check_path(path: str | Path) -> None:
    """Refuse a path that `write` could not write, before there is anything to write.

    Args:
        path: Where a page is to go.

    Raises:
        ExportError: As for `write`.

    Example:
        >>> check_path("report.pdf")
        Traceback (most recent call last):
            ...
        sculpt_plugin.errors.ExportError: A page must end in .html or .htm, got
        'report.pdf': rename it.
    """
    check_ending(path, _SUFFIXES, "A page must end in .html or .htm")


def _body(report: Report, title: str) -> str:
    """Say all that a page says without its script."""
    # Of the modules only the largest are on the page; as data, all of them can be far
    # larger than the network.
    none = replace(report.hierarchy, modules=(), edges={})
    said = replace(report, hierarchy=none).to_dict()
    head, found, rest = Element("header"), Element("div"), Element("div")
    child(head, "h1", title)
    summary(found, report.graph, report.hierarchy)
    module_table(rest, report.graph, report.hierarchy)
    evidence(rest, said)
    glossary(rest)
    provenance(rest, said)
    # No name is in the skeleton, which holds the tools and the place of the picture.
    parts = markup(found) + kept_text("skeleton.html") + markup(rest)
    return f"{markup(head)}\n<main>\n{parts}\n</main>"


def _data(report: Report) -> dict[str, Any]:
    """Give all that the script of a page draws."""
    graph, hierarchy = report.graph, report.hierarchy
    chosen = largest(hierarchy)
    why = too_large(graph, hierarchy)
    opens = opens_with_units(graph, hierarchy)
    return {
        "why": why or ("" if opens else COLLAPSED),
        "opens": "units" if opens else "modules",
        "modules": module_data(graph, hierarchy, chosen),
        "hierarchy": hierarchy_data(hierarchy, chosen),
        "network": None if why else network_data(graph, hierarchy),
    }
