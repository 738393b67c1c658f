"""Parts of pages that the program writes itself, so that they are always true.

They go to `docs/generated`: what `sculpt demo` prints and draws, the commands and
their options, and the list of files with the idea of each.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from code_map import code_map
from command_reference import command_reference

import sculpt_plugin

HERE = Path(__file__).parents[1] / "generated"


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx to write the parts before it reads the pages."""
    app.connect("config-inited", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def demo_numbers(folder: Path) -> dict[str, str]:
    """Give the numbers that pages quote of a run's folder.

    Args:
        folder: What `sculpt demo --out` wrote.

    Returns:
        Each number by its name on the pages.
    """
    record = (folder / "record.jsonl").read_text().splitlines()
    steps = [json.loads(line) for line in record]
    last = [step for step in steps if step["accepted"]][-1]
    report = json.loads((folder / "report.json").read_text())
    return {
        "demo_edges_left": f"{last['left']}",
        "demo_edges": f"{last['total']}",
        "demo_density": f"{last['density']:.2%}".replace("%", " %"),
        "demo_turns": f"{len(steps) - 1}",
        "demo_modules": f"{len(report['modules'])}",
    }


def _write(app: Any, config: Any) -> None:
    """Write all parts, and hand the numbers to the pages."""
    folder = HERE / "demo"
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    (HERE / "demo.txt").write_text(_sculpt("demo", "--out", "demo"))
    (HERE / "site").mkdir()
    _sculpt("analyze", "demo", "--html", "site/demo-report.html")
    (HERE / "commands.md").write_text(command_reference())
    root = Path(sculpt_plugin.__file__).parent
    (HERE / "code-map.md").write_text(code_map(root))
    config.myst_substitutions = {
        **config.myst_substitutions,
        **demo_numbers(folder),
    }


def _sculpt(*arguments: str) -> str:
    """Run the command as a reader would, and give what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "sculpt_plugin", *arguments],
        cwd=HERE,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"
