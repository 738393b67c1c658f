"""The experiments as work: cell by cell, over processes, to be killed at any time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sculpt_plugin import store, tasks
from sculpt_plugin.claim import claimed
from sculpt_plugin.errors import CheckpointError
from sculpt_plugin.reproducing.experiments import Cell
from sculpt_plugin.reproducing.outcome import (
    Learn,
    Outcome,
    described,
    find_outcome,
    run_cell,
)
from sculpt_plugin.reproducing.spreading import spread

FORMAT = "sculpt-reproduce/1"
CELLS, SETTINGS = "cells", "reproduce.json"


@dataclass(frozen=True)
class CellDone:
    """One cell is swept, or its networks are judged.

    Attributes:
        outcome: What it came to.
        done: How many cells are done.
        total: How many there are.
        share: How much of the work is done, 0 to 1, by what the cells are expected to
            cost.
    """

    outcome: Outcome
    done: int
    total: int
    share: float


def reproduce(
    cells: Sequence[Cell],
    out: str | Path,
    *,
    jobs: int = 1,
    learn: Learn = tasks.learning,
    on_cell: Callable[[CellDone], Any] | None = None,
) -> tuple[Outcome, ...]:
    """Sweep cells and keep their sparsest networks in a folder.

    Each cell is a unit of work of its own and is written down when it is done. Killed
    and called again with the same cells, or with more, this goes on where it was.
    `results.judge_folder` says how many of the networks are right; it trains nothing,
    so it can be called again with another detector.

    Args:
        cells: What to do; `cells` of `experiments` lists the paper's.
        out: Where everything goes: a new folder, an empty one, or one of this kind.
        jobs: How many processes work side by side, each with one thread.
        learn: How a task is learned; `tasks.learning` by default.
        on_cell: Called whenever a cell is done.

    Returns:
        The outcomes, in the order of the cells.

    Raises:
        CheckpointError: The folder is in other use, holds cells with other settings,
            or cannot be written.
        TrainError: A worker process died.

    Example:
        >>> import tempfile
        >>> from sculpt_plugin.reproducing.experiments import Cell
        >>> cell = Cell("4,1,4", (12,), (0.5,), (0.05,), seeds=(0,))
        >>> with tempfile.TemporaryDirectory() as out:
        ...     outcome = reproduce([cell], out)[0]
        >>> outcome.density(0) < 0.5
        True
    """
    out = Path(out)
    folder = out / CELLS
    with claimed(
        out, SETTINGS, {"format": FORMAT}, reached=[CELLS], kind="an earlier run's"
    ):
        store.make_folder(folder)
        outcomes = {
            cell.name: _checked(out, cell, learn, find_outcome(folder, cell))
            for cell in cells
        }
        todo = [cell for cell in cells if outcomes[cell.name] is None]
        calls = [(cell, folder, learn) for cell in todo]
        for outcome in spread(run_cell, calls, jobs=jobs, kept=folder):
            outcomes[outcome.cell.name] = outcome
            if on_cell is not None:
                done = [cell for cell in cells if outcomes[cell.name] is not None]
                share = sum(c.cost for c in done) / sum(c.cost for c in cells)
                on_cell(CellDone(outcome, len(done), len(cells), share))
    found = [outcomes[cell.name] for cell in cells]
    return tuple(outcome for outcome in found if outcome is not None)


def _checked(
    out: Path, cell: Cell, learn: Learn, found: Outcome | None
) -> Outcome | None:
    """Refuse an outcome that other settings led to."""
    if found is None:
        return None
    wanted = _settings(cell, described(learn(tasks.get(cell.task), hidden=cell.hidden)))
    for name, there in _settings(found.cell, found.recipe).items():
        if there != wanted.get(name):
            raise CheckpointError(
                f"{out} belongs to other experiments: for {cell.name} {name} is "
                f"{there} there and {wanted.get(name)} here. Use the same settings, or "
                "another folder."
            )
    return found


def _settings(cell: Cell, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What decides how a cell ends, besides the task and the layers in its name."""
    return {
        "seeds": cell.seeds,
        "unit_steps": cell.unit_steps,
        "edge_steps": cell.edge_steps,
        **recipe,
    }
