"""The site keeps up with the program: names, commands, options, tutorials, files."""

import doctest
import importlib
import re
import sys
from pathlib import Path
from typing import get_args

import pytest
import typer

import sculpt_plugin
from sculpt_plugin import tasks
from sculpt_plugin.cli import app
from sculpt_plugin.reproducing.experiments import cells
from sculpt_plugin.reproducing.outcome import described
from sculpt_plugin.reproducing.tables import recipe_line

ROOT = Path(__file__).parents[1]
EXTENSIONS = ROOT / "docs" / "extensions"
PAGES = "\n".join(path.read_text() for path in (ROOT / "docs" / "api").glob("*.md"))
EXPLAINED = set(
    re.findall(r"^\.\. (?:auto|py:)?\w+:: sculpt_plugin\.([\w.]+)$", PAGES, re.M)
)
COMMANDS = typer.main.get_command(app).commands  # pyright: ignore


@pytest.fixture(autouse=True)
def extensions_found(monkeypatch):
    monkeypatch.syspath_prepend(str(EXTENSIONS))


@pytest.fixture(scope="module")
def reference():
    sys.path.insert(0, str(EXTENSIONS))
    try:
        return importlib.import_module("command_reference").command_reference()
    finally:
        sys.path.remove(str(EXTENSIONS))


@pytest.mark.parametrize("name", sculpt_plugin.__all__)
def test_every_public_name_is_in_the_reference(name):
    assert name in EXPLAINED


@pytest.mark.parametrize("name", sorted(set(tasks.__all__) - {"Family"}))
def test_every_name_of_tasks_is_in_the_reference(name):
    assert f"tasks.{name}" in EXPLAINED


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_in_the_reference(reference, command):
    sections = reference.split("\n## ")
    section = next(s for s in sections if s.startswith(f"`sculpt {command}`"))
    options = [opt for param in COMMANDS[command].params for opt in param.opts]
    missing = [opt for opt in options if opt.startswith("--") and opt not in section]
    assert options
    assert missing in ([], ["--help"])


def test_the_reference_leaves_out_what_every_command_has():
    command_reference = importlib.import_module("command_reference")
    text = (
        "# `go`\n\nGoes.\n\n**Options**:\n\n* `--fast`: Run.\n"
        "* `--help`: Show this message and exit.\n\n**Commands**:\n\n* `home`\n\n"
        "## `go home`\n\n**Options**:\n\n* `--help`: Show this message and exit.\n"
    )
    assert command_reference.sections(text) == (
        "## `go`\n\nGoes.\n\n**Options**:\n\n* `--fast`: Run.\n\n## `go home`\n"
    )


def test_every_tutorial_has_its_place():
    order = importlib.import_module("tutorial_order")
    found = {path.name for path in (ROOT / "examples").glob("tutorial_*.py")}
    assert found == set(order.TUTORIALS)
    assert len(order.TUTORIALS) == len(found)


def test_tutorials_stand_in_their_order_and_others_come_last():
    order = importlib.import_module("tutorial_order")
    place = order.TutorialOrder("examples")
    assert [place(name) for name in order.TUTORIALS] == list(
        range(len(order.TUTORIALS))
    )
    assert place("tutorial_unknown.py") == len(order.TUTORIALS)


def test_a_signature_reads_as_in_the_source():
    signatures = importlib.import_module("source_signatures")
    arguments, result = signatures.source_signature(sculpt_plugin.analyze)
    assert arguments.startswith("(model: nn.Module, example_inputs: Inputs, *, hops: ")
    assert "method: Method | None=None" in arguments
    assert result == "Report"


def test_a_dataclass_is_made_of_its_public_fields():
    signatures = importlib.import_module("source_signatures")
    arguments, result = signatures.source_signature(sculpt_plugin.Sculpture)
    assert "record: tuple[Step, ...]," in arguments
    assert "_ignore" not in arguments
    assert result is None


def test_a_computed_default_is_written_as_dots():
    signatures = importlib.import_module("source_signatures")
    arguments, _ = signatures.source_signature(sculpt_plugin.sweep)
    assert "unit_steps: Sequence[float]=..." in arguments


def test_what_has_no_source_keeps_its_signature():
    signatures = importlib.import_module("source_signatures")
    assert signatures.source_signature(len) is None


@pytest.mark.parametrize(
    ("line", "linked"),
    [
        ("calls `analyze`.", "calls :py:obj:`~sculpt_plugin.analyze`."),
        ("`hops` edges", "``hops`` edges"),
        ("``code`` stays", "``code`` stays"),
        ("a :py:obj:`Report`", "a :py:obj:`Report`"),
    ],
)
def test_quoted_names_become_links_or_code(line, linked):
    names = importlib.import_module("names_in_docstrings")
    assert names.with_links(line) == linked


def test_a_short_name_that_two_things_have_is_no_link():
    names = importlib.import_module("short_names")
    assert names.full_name("save", ["plot.save", "export.save"]) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('<link rel="stylesheet" href="https://a.org/x.css">', ["https://a.org/x.css"]),
        ('<link href="//a.org/x" rel="stylesheet">', ["//a.org/x"]),
        ('<img alt="" src="http://a.org/x.png">', ["http://a.org/x.png"]),
        ("@font-face{src:url(https://a.org/f.woff)}", ["https://a.org/f.woff"]),
        ('<a href="https://a.org">link</a><img src="x.png">', []),
        ('<link rel="canonical" href="https://a.org">', []),
    ],
)
def test_what_a_browser_would_fetch_from_elsewhere_is_found(text, found):
    check = importlib.import_module("offline_check")
    assert check.remote_parts(text) == found


def test_the_map_names_every_file_with_its_idea():
    code_map = importlib.import_module("code_map")
    package = ROOT / "sculpt_plugin"
    lines = code_map.code_map(package).splitlines()
    assert len([line for line in lines if ".py`" in line]) == len(
        list(package.rglob("*.py"))
    )
    idea = "What an analysis finds: clusters, modules and the hierarchy they form."
    assert f"| `hierarchy.py` | {idea} |" in lines


def test_the_papers_table_was_made_with_the_recipe_of_today():
    recipes = [
        described(tasks.learning(tasks.get(cell.task), hidden=cell.hidden))
        for cell in cells(get_args(tasks.Family))
    ]
    assert recipe_line(recipes) in (ROOT / "docs" / "results.md").read_text()


@pytest.mark.parametrize("path", sorted(EXTENSIONS.glob("*.py")), ids=lambda p: p.stem)
def test_the_examples_of_the_sites_own_extensions_run(path):
    module = importlib.import_module(path.stem)
    assert module.__doc__
    assert doctest.testmod(module).failed == 0
