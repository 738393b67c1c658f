"""Trace every classifier of torchvision, and small models of other kinds: one table.

    python examples/coverage_zoo.py [--only resnet50 vit_b_16] [--out zoo]
        [--verify] [--prune 0.9]

Each model runs in a process of its own, the smallest first, and leaves a file in the
folder: kill the command any time, and it goes on where it was. A model that fails is a
row that says why, and is tried again next time. Run it with OMP_NUM_THREADS=1.
"""

import argparse
import json
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

ONE = Path(__file__).with_name("trace_one_model.py")
COLUMNS = (
    "model",
    "parameters",
    "seconds",
    "memory",
    "layers",
    "units",
    "edges",
    "exact",
    "approximated",
    "checked",
    "missed",
    "unseen",
)
Row = dict[str, Any]


def run(*arguments: str) -> Any:
    """Run the program for one model; the last line it prints is its answer."""
    command = [sys.executable, str(ONE), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    if done.returncode == 0 and lines:
        return json.loads(lines[-1])
    said = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
    return {"error": f"the process ended with {done.returncode}: {said}"}


def measured(name: str, folder: Path, settings: Row) -> Row:
    """Give one model's row, from its file if that was made with the same settings."""
    path = folder / "models" / f"{re.sub('[^a-z0-9]+', '-', name.lower())}.json"
    if path.exists():
        row = json.loads(path.read_text())
        if row["settings"] == settings and "error" not in row:
            return row
    arguments = [name, "--prune", str(settings["prune"])]
    row = run(*arguments, *(["--verify"] if settings["verify"] else []))
    row = {"model": name, "settings": settings, **row}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(row, indent=1))
    unfinished.replace(path)
    return row


def share(value: float) -> str:
    """Say a share in per cent, and never 100 for less than all."""
    per_cent = 100 * value
    return f"{int(per_cent * 100) / 100:g} %" if value < 1 else "100 %"


def verdict(row: Row) -> list[str]:
    """Say how many units were changed in the real model, and what that found."""
    found = row.get("verified")
    if not found:
        return ["-", "-", "-"]
    return [f"{found[key]:,}" for key in ("units", "missed", "unseen")]


def cells(row: Row) -> list[str]:
    """Write one model's cells."""
    if "error" in row:
        text = row["error"].replace("|", "\\|")
        return [row["model"], *[""] * (len(COLUMNS) - 2), text]
    return [
        row["model"],
        f"{row['parameters'] / 1e6:.1f} M"
        if row["parameters"] > 1e5
        else str(row["parameters"]),
        f"{row['seconds']:.1f} s",
        f"{row['memory']:.1f} GiB",
        *(f"{row[key]:,}" for key in ("layers", "units", "edges")),
        share(row["exact"]),
        share(row["approximated"]),
        *verdict(row),
    ]


def table(rows: Sequence[Row]) -> str:
    """Write the Markdown table."""
    lines = [COLUMNS, ["---"] + ["--:"] * (len(COLUMNS) - 1)]
    lines += [cells(row) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def summary(rows: Sequence[Row]) -> str:
    """Say in a sentence how many were traced and how well."""
    traced = [row for row in rows if "error" not in row]
    covered = [row for row in traced if row["exact"] + row["approximated"] >= 0.99]
    checked = [row["verified"] for row in traced if row.get("verified")]
    text = (
        f"{len(traced)} of {len(rows)} models traced; of {len(covered)} at least 99 % "
        "of the parameters are exact or approximated."
    )
    if checked:
        units = sum(found["units"] for found in checked)
        missed = sum(found["missed"] for found in checked)
        unseen = sum(found["unseen"] for found in checked)
        text += (
            f" In {len(checked)} of them {units:,} units were changed: {missed:,} "
            "layer inputs changed without an edge, "
            f"{unseen:,} did not in spite of one."
        )
    return text


def page(rows: Sequence[Row], settings: Row) -> str:
    """Write the whole answer as Markdown."""
    options = (["--verify"] if settings["verify"] else []) + (
        [f"--prune {settings['prune']:g}"] if settings["prune"] else []
    )
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "torchvision"))
    return (
        f"Made by `{' '.join(['python examples/coverage_zoo.py', *options])}` with "
        f"{versions} on {platform.machine()}.\n\n{summary(rows)}\n\n{table(rows)}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="trace all the models")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="default: all")
    parser.add_argument("--out", type=Path, default=Path("zoo"), metavar="FOLDER")
    parser.add_argument(
        "--verify", action="store_true", help="change units in the models"
    )
    parser.add_argument(
        "--prune",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="of the weights, first",
    )
    options = parser.parse_args()
    settings = {"prune": options.prune, "verify": options.verify}
    names = run("--list")
    if isinstance(names, dict):
        parser.exit(1, f"the models cannot be listed: {names['error']}\n")
    unknown = set(options.only or ()) - set(names)
    if unknown:
        parser.error(
            f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(names)}"
        )
    rows = []
    for name in [name for name in names if name in (options.only or names)]:
        rows.append(measured(name, options.out, settings))
        print(" | ".join(filter(None, cells(rows[-1]))), flush=True)
    text = page(rows, settings)
    (options.out / "coverage.md").write_text(text)
    (options.out / "coverage.json").write_text(json.dumps(rows, indent=1))
    print(f"\n{summary(rows)}\nThe table is in {options.out / 'coverage.md'}.")


if __name__ == "__main__":
    main()
