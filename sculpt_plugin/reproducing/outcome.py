"""What one cell came to: a sweep, its densities and its sparsest networks, on disk."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from sculpt_plugin import store, tasks
from sculpt_plugin.errors import CheckpointError, ThresholdError, one_line
from sculpt_plugin.pruning.sweep import sweep
from sculpt_plugin.reproducing.experiments import Cell
from sculpt_plugin.reproducing.witnesses import (
    Witness,
    read_witnesses,
    save_witnesses,
    sparsest_witnesses,
)
from sculpt_plugin.threads import one_thread
from sculpt_plugin.training.recipe import Recipe

SCHEMA = "sculpt-reproduce-cell/1"
ENDING = ".json"
Learn = Callable[..., Recipe]
"""Says how a task is learned, as `tasks.learning(task, hidden=...)` does."""


@dataclass(frozen=True)
class RunOutcome:
    """How one run of a sweep ended.

    Attributes:
        seed: The start network.
        unit_step: The share of all units that went per turn.
        edge_step: The share of all edges that went per turn.
        edges: How many edges are left.
        turns: How many turns it took.
        score: The score of what is left.
        problem: Why the run has no result, or None.
    """

    seed: int
    unit_step: float
    edge_step: float
    edges: int
    turns: int
    score: float
    problem: str | None


@dataclass(frozen=True)
class Outcome:
    """How a cell ended.

    Attributes:
        cell: What was done.
        recipe: How the networks were trained.
        seconds: How long it took, with one thread.
        edge_total: How many edges a dense network has.
        runs: All runs, in the order of the grid; none where no seed learned the task.
        problem: Why there are none, or None.
    """

    cell: Cell
    recipe: dict[str, Any]
    seconds: float
    edge_total: int
    runs: tuple[RunOutcome, ...]
    problem: str | None = None

    @property
    def learned(self) -> bool:
        """Whether there is a network."""
        return any(run.problem is None for run in self.runs)

    def density(self, seed: int) -> float | None:
        """Give the density of a seed's sparsest network, None where it has none."""
        counts = [
            run.edges for run in self.runs if run.seed == seed and run.problem is None
        ]
        return min(counts) / self.edge_total if counts else None

    def to_dict(self) -> dict[str, Any]:
        """Give the outcome as plain data; the runs as rows under `run_columns`."""
        return {
            "schema": SCHEMA,
            **asdict(self.cell),
            "recipe": self.recipe,
            "seconds": self.seconds,
            "edge_total": self.edge_total,
            "problem": self.problem,
            "run_columns": [field.name for field in fields(RunOutcome)],
            "runs": [list(asdict(run).values()) for run in self.runs],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Outcome":
        """Read what `to_dict` gave.

        Raises:
            ValueError: The data are something else.
        """
        if data.get("schema") != SCHEMA:
            raise ValueError(f"no {SCHEMA}")
        try:
            cell = Cell(
                task=data["task"],
                hidden=tuple(data["hidden"]),
                unit_steps=tuple(data["unit_steps"]),
                edge_steps=tuple(data["edge_steps"]),
                seeds=tuple(data["seeds"]),
            )
            return cls(
                cell,
                data["recipe"],
                data["seconds"],
                data["edge_total"],
                tuple(RunOutcome(*row) for row in data["runs"]),
                data["problem"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a whole {SCHEMA}") from error


def run_cell(cell: Cell, folder: Path, learn: Learn) -> Outcome:
    """Sweep one cell with one thread and write down what came of it.

    The networks go first and the outcome last, so a cell whose outcome is there is
    whole.

    Args:
        cell: What to do.
        folder: Where the cell's two files go.
        learn: How the task is learned.

    Returns:
        The outcome. A cell in which no seed learns the task has one, too.
    """
    with one_thread():
        outcome, witnesses = _sweep(
            cell, learn(tasks.get(cell.task), hidden=cell.hidden)
        )
    if witnesses:
        save_witnesses(_networks(folder, cell), witnesses)
    content = json.dumps(outcome.to_dict(), separators=(",", ":")) + "\n"
    store.write_bytes(_file(folder, cell), content.encode())
    return outcome


def _sweep(cell: Cell, recipe: Recipe) -> tuple[Outcome, tuple[Witness, ...]]:
    """Do the work of a cell."""
    began = time.perf_counter()
    empty = Outcome(cell, described(recipe), 0.0, 0, ())
    try:
        swept = sweep(
            tasks.StartNetworks(tasks.get(cell.task), cell.hidden),
            recipe,
            seeds=cell.seeds,
            unit_steps=cell.unit_steps,
            edge_steps=cell.edge_steps,
            min_score=1.0,
        )
    except ThresholdError as error:
        seconds = time.perf_counter() - began
        return replace(empty, seconds=seconds, problem=one_line(error)), ()
    witnesses = sparsest_witnesses(swept)
    outcome = replace(
        empty,
        seconds=time.perf_counter() - began,
        edge_total=swept.runs[0].edge_total,
        runs=tuple(
            RunOutcome(
                run.seed,
                run.unit_step,
                run.edge_step,
                run.network.edge_count,
                len(run.record),
                run.score,
                run.problem,
            )
            for run in swept.runs
        ),
    )
    return outcome, witnesses


def described(recipe: Recipe) -> dict[str, Any]:
    """Give the numbers of a recipe, by name; each network brings its own seed."""
    values = {field.name: getattr(recipe, field.name) for field in fields(recipe)}
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, int | float) and name != "seed"
    }


def find_outcome(folder: Path, cell: Cell) -> Outcome | None:
    """Read a cell's outcome, None where it has none yet or its networks are lost.

    Raises:
        CheckpointError: The file is damaged.
    """
    path = _file(folder, cell)
    if not path.exists():
        return None
    outcome = read_outcome(path)
    lost = outcome.learned and not _networks(folder, cell).exists()
    return None if lost else outcome


def read_outcome(path: Path) -> Outcome:
    """Read the outcome of a cell from its file.

    Raises:
        CheckpointError: The file is damaged.
    """
    try:
        return Outcome.from_dict(json.loads(path.read_text()))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path} must hold the outcome of a cell, but it is damaged "
            f"({one_line(error)}): delete it and run again."
        ) from error


def read_networks(folder: Path, outcome: Outcome) -> tuple[Witness, ...]:
    """Read a cell's sparsest networks; none where no seed learned the task.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    if not outcome.learned:
        return ()
    return read_witnesses(_networks(folder, outcome.cell))


def _file(folder: Path, cell: Cell) -> Path:
    return folder / f"{cell.name}{ENDING}"


def _networks(folder: Path, cell: Cell) -> Path:
    return folder / f"{cell.name}.safetensors"
