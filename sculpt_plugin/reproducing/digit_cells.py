"""The experiments on digits as work: network by network, to be killed at any time."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from pathlib import Path
from shutil import rmtree
from typing import Any

from sculpt_plugin import running_digits, store
from sculpt_plugin.claim import claimed
from sculpt_plugin.errors import CheckpointError, ThresholdError, one_line
from sculpt_plugin.reproducing.outcome import described
from sculpt_plugin.reproducing.spreading import spread
from sculpt_plugin.reproducing.witnesses import (
    Witness,
    read_witnesses,
    save_witnesses,
    witness,
)
from sculpt_plugin.running_digits import DENSE, DigitSearch, learn_digits, sculpt_digits
from sculpt_plugin.tasks import digit_learning, digit_names, digits
from sculpt_plugin.tasks.digit_learning import L1_DECAY
from sculpt_plugin.tasks.digits import Samples
from sculpt_plugin.threads import one_thread

FORMAT = "sculpt-reproduce-digits/1"
CELLS, SETTINGS = "cells", "reproduce.json"
WIDTHS, DEPTHS, SEEDS = (392, 784), (2, 3, 4, 5), (0, 1, 2, 5)


@dataclass(frozen=True)
class DigitCell:
    """One network on one task.

    Attributes:
        task: The name of the task.
        hidden: Units of each hidden layer.
        seed: The start network.
    """

    task: str
    hidden: tuple[int, ...]
    seed: int

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"{self.task}-{'-'.join(map(str, self.hidden))}-seed-{self.seed}"

    @property
    def cost(self) -> float:
        """What it is expected to cost, in units of its own."""
        below = (1568, *self.hidden[:-1])
        weights = sum(a * b for a, b in zip(below, self.hidden, strict=True))
        return 1e6 + weights * (1.6 if self.task == "digits-pair" else 1.0)


@dataclass(frozen=True)
class DigitOutcome:
    """What one network came to.

    Attributes:
        cell: Which one.
        dense_score: The score before pruning.
        score: The score of what is left.
        density: The share of the edges that is left.
        turns: How many turns it took.
        dense_seconds: How long the first training took.
        seconds: How long all turns took.
        problem: Why there is no network, or None.
    """

    cell: DigitCell
    dense_score: float = 0.0
    score: float = 0.0
    density: float = 1.0
    turns: int = 0
    dense_seconds: float = 0.0
    seconds: float = 0.0
    problem: str | None = None


@dataclass(frozen=True)
class DigitCellDone:
    """One cell is done.

    Attributes:
        outcome: What it came to.
        done: How many cells are done.
        total: How many there are.
        share: How much of the work is done, 0 to 1, by what it is expected to cost.
    """

    outcome: DigitOutcome
    done: int
    total: int
    share: float


def digit_cells(
    tasks: Sequence[str] | None = None, widths: Sequence[int] = WIDTHS
) -> tuple[DigitCell, ...]:
    """List the networks of the paper's experiments on digits.

    The paper has a third width, 1568, too.

    Args:
        tasks: Names of tasks. None: both.
        widths: Units of a hidden layer.

    Example:
        >>> len(digit_cells()), digit_cells()[0].name
        (64, 'digits-hierarchical-392-392-seed-0')
    """
    grid = product(tasks or digit_names(), DEPTHS, widths, SEEDS)
    return tuple(DigitCell(task, (w,) * depth, seed) for task, depth, w, seed in grid)


def reproduce_digits(
    cells: Sequence[DigitCell],
    out: str | Path,
    *,
    data: str | Path,
    search: DigitSearch | None = None,
    device: str = "cpu",
    bf16: bool = False,
    jobs: int = 1,
    on_cell: Callable[[DigitCellDone], Any] | None = None,
) -> tuple[DigitOutcome, ...]:
    """Sculpt networks on digits and keep them in a folder.

    Killed and called again with the same cells, or with more, this goes on where it
    was, also in the middle of a network.

    Args:
        cells: What to do.
        out: Where everything goes: a new folder, an empty one, or one of this kind.
        data: A folder with MNIST.
        search: In what steps they are trained and pruned; as in `sculpt run` by
            default.
        device: Where to compute, as torch names it.
        bf16: Whether training computes in bfloat16 where that is safe.
        jobs: How many processes work side by side, each with one thread and up to
            two GiB of memory.
        on_cell: Called whenever a cell is done.

    Returns:
        The outcomes, in the order of the cells.

    Raises:
        CheckpointError: The folder is in other use, holds networks that were trained
            or pruned otherwise, or cannot be written.
        ModelError: There is no such device.
        TaskError: MNIST is not in the folder.
        TrainError: A worker process died.
    """
    out, search = Path(out), search or running_digits.SEARCH
    # Put together once, before there are processes to do it at the same time.
    names = sorted({cell.task for cell in cells})
    task, *_ = [digits(name, data=data) for name in names]
    # How a task is learned does not depend on its images, of which there are many.
    few = Samples(task.training.pixels[:1], task.training.bits[:1])
    learned = described(digit_learning(replace(task, training=few, validation=few)))
    # Nor what its outputs share, whatever their number.
    learned["l1_decay"] = L1_DECAY
    settings = {"format": FORMAT, **asdict(search), **learned, "bf16": bf16}
    with claimed(out, SETTINGS, settings, reached=[CELLS], kind="an earlier run's"):
        store.make_folder(out / CELLS)
        found = {cell: find_digits(out, cell) for cell in cells}
        todo = [cell for cell in cells if found[cell] is None]
        for cell in set(cells) - set(todo):
            # It may have been killed before it could clear up.
            rmtree(out / CELLS / cell.name, ignore_errors=True)
        folder = out / CELLS
        calls = [(cell, folder, Path(data), search, device, bf16) for cell in todo]
        for outcome in spread(run_digit_cell, calls, jobs=jobs, kept=folder):
            found[outcome.cell] = outcome
            if on_cell is not None:
                done = [cell for cell in cells if found[cell] is not None]
                share = sum(c.cost for c in done) / sum(c.cost for c in cells)
                on_cell(DigitCellDone(outcome, len(done), len(cells), share))
    return tuple(outcome for outcome in found.values() if outcome is not None)


@one_thread(flush_denormals=True)
def run_digit_cell(
    cell: DigitCell,
    folder: Path,
    data: Path,
    search: DigitSearch,
    device: str,
    bf16: bool,
) -> DigitOutcome:
    """Train and sculpt one network, write down what it came to and keep its edges."""
    task = digits(cell.task, data=data)
    place = folder / cell.name
    store.make_folder(place)
    began = time.perf_counter()
    try:
        dense = learn_digits(
            task,
            hidden=cell.hidden,
            seed=cell.seed,
            search=search,
            device=device,
            bf16=bf16,
            kept=place / DENSE,
        )
    except ThresholdError as error:
        return _noted(DigitOutcome(cell, problem=one_line(error)), folder)
    trained = time.perf_counter()
    sculpture = sculpt_digits(dense, seed=cell.seed, checkpoint=place / "checkpoint")
    ended = time.perf_counter()
    network = witness(sculpture.model, seed=cell.seed)
    save_witnesses(_network(folder, cell), [network])
    outcome = DigitOutcome(
        cell,
        dense_score=dense.score,
        score=sculpture.score,
        density=sculpture.density,
        turns=len(sculpture.record) - 1,
        dense_seconds=trained - began,
        seconds=ended - trained,
    )
    return _noted(outcome, folder)


def find_digits(out: Path, cell: DigitCell) -> DigitOutcome | None:
    """Read what a cell came to, None where it is not done or its network is lost.

    Raises:
        CheckpointError: The file is damaged.
    """
    path = out / CELLS / f"{cell.name}.json"
    if not path.exists():
        return None
    try:
        data = json.loads(path.read_text())
        plain = {f.name: data[f.name] for f in fields(DigitOutcome) if f.name != "cell"}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} must say what a network came to, but it is damaged: delete it "
            "and run again."
        ) from error
    outcome = DigitOutcome(cell, **plain)
    lost = outcome.problem is None and not _network(out / CELLS, cell).exists()
    return None if lost else outcome


def read_digit_network(out: Path, cell: DigitCell) -> Witness:
    """Read the network of a cell that is done.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    return read_witnesses(_network(out / CELLS, cell))[0]


def _network(folder: Path, cell: DigitCell) -> Path:
    """The file with a cell's network."""
    return folder / f"{cell.name}.safetensors"


def _noted(outcome: DigitOutcome, folder: Path) -> DigitOutcome:
    """Write down what a cell came to; then what it could go on from is not needed."""
    path = folder / f"{outcome.cell.name}.json"
    store.write_bytes(path, (json.dumps(asdict(outcome), indent=1) + "\n").encode())
    rmtree(folder / outcome.cell.name, ignore_errors=True)
    return outcome
