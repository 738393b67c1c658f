"""Every tutorial runs as it stands, and ends with something to look at."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
TUTORIALS = sorted(EXAMPLES.glob("tutorial_*.py"))
NAMES = [path.stem for path in TUTORIALS]
NEEDS = {"tutorial_lightning": ("lightning", "pytorch_lightning")}

# Figures that are shown are counted instead.
RUN = """
import runpy, sys
import matplotlib.pyplot as plt
shown = 0
def show():
    global shown
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
        shown += 1
    plt.close("all")
plt.show = show
runpy.run_path(sys.argv[1], run_name="__main__")
print("figures shown:", shown)
"""


def test_there_are_tutorials():
    assert len(TUTORIALS) >= 8


@pytest.mark.parametrize("path", TUTORIALS, ids=NAMES)
def test_a_tutorial_runs_and_shows_a_figure(path, tmp_path):
    needs = NEEDS.get(path.stem, ())
    if needs and not any(importlib.util.find_spec(name) for name in needs):
        pytest.skip(f"{needs[0]} is not installed")
    root = str(EXAMPLES.parent)
    places = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    settings = {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf8"}
    found = subprocess.run(
        [sys.executable, "-c", RUN, str(path)],
        cwd=tmp_path,
        env={**os.environ, **settings, "PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        encoding="utf8",
        timeout=300,
    )
    assert found.returncode == 0, found.stderr
    (shown,) = re.findall(r"^figures shown: (\d+)$", found.stdout, re.M)
    assert int(shown) >= 1
    assert len(found.stdout.splitlines()) >= 2  # it has said something, too
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", TUTORIALS, ids=NAMES)
def test_a_tutorial_is_read_in_one_sitting(path):
    lines = path.read_text().splitlines()
    assert len(lines) < 100
    assert max(map(len, lines)) <= 88


@pytest.mark.parametrize("path", TUTORIALS, ids=NAMES)
def test_a_tutorial_is_prose_with_code_between(path):
    text = path.read_text()
    title, underline, *rest = (ast.get_docstring(ast.parse(text)) or "").splitlines()
    assert underline == "=" * len(title)
    assert any(rest)
    cells = text.split("\n# %%\n")[1:]
    assert len(cells) >= 3
    assert all(cell.startswith("# ") for cell in cells)


@pytest.mark.parametrize("path", TUTORIALS, ids=NAMES)
def test_headings_are_underlined_in_full(path):
    lines = path.read_text().splitlines()
    rules = [n for n, line in enumerate(lines) if re.fullmatch("# -{3,}", line)]
    assert rules
    assert all(len(lines[n]) == len(lines[n - 1]) for n in rules)
