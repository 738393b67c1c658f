"""One Boolean task from a dense network to its modules, all in one folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sculpt_plugin import plot, store
from sculpt_plugin.analysis.modules import Method
from sculpt_plugin.claim import claimed
from sculpt_plugin.errors import TaskError, ThresholdError
from sculpt_plugin.pruning.keeping import save_compacted
from sculpt_plugin.pruning.record import Step
from sculpt_plugin.pruning.sculptor import Sculpture, sculpt
from sculpt_plugin.report import Report, analyze
from sculpt_plugin.result_folder import write_result
from sculpt_plugin.tasks import Task, learning, mlp
from sculpt_plugin.tasks.mlp import checked_seed, checked_widths

FORMAT = "sculpt-run/1"
RUN, CHECKPOINT = "run.json", "checkpoint"


@dataclass(frozen=True, eq=False)
class Finished:
    """What a run ended with.

    Attributes:
        sculpture: The sparse network and how it came about.
        report: Its modules.
        files: What was written, and what it is.
        scored_on: What the score was measured on.
    """

    sculpture: Sculpture
    report: Report
    files: dict[str, str]
    scored_on: str = "on the whole truth table"


def sculpt_task(
    task: Task,
    *,
    hidden: Sequence[int] = (24, 24),
    unit_step: float = 5,
    edge_step: float = 1,
    seed: int = 0,
    one_by_one: bool = False,
    method: Method | None = None,
    checkpoint: Path | None = None,
    on_step: Callable[[Step], Any] | None = None,
) -> tuple[Sculpture, Report]:
    """Train, prune and explain a network for a task.

    Args:
        task: What the network learns; it must get every row of the truth table right.
        hidden: Widths of the hidden layers.
        unit_step: Per cent of all hidden units to remove per turn.
        edge_step: Per cent of all edges to remove per turn.
        seed: Names the random numbers.
        one_by_one: Whether to go on where the smallest edge cannot go, as `sculpt` has
            it.
        method: How modules are found, as `analyze` takes it.
        checkpoint: A folder, so that a run that was killed can go on.
        on_step: Called with each `Step` as soon as it is decided.

    Returns:
        The sparse network with its record, and its modules.

    Raises:
        TaskError: There is no such network, or `task` is only the name of one.
        ThresholdError: The dense network does not learn the task.

    Example:
        >>> from sculpt_plugin import tasks
        >>> sculpture, report = sculpt_task(tasks.get("4,1,4"), hidden=(12,))
        >>> sculpture.score
        1.0
    """
    if not isinstance(task, Task):
        raise TaskError(
            f"task must be a Task, got {task!r}: pass tasks.get(NAME) for one of the "
            "paper's, or a Task of your own."
        )
    seed = checked_seed(seed)
    how = learning(task, hidden=hidden, seed=seed)
    model = mlp(task, hidden=tuple(hidden), seed=seed)
    how.prepare(model)
    score = how.evaluate(model)
    if score < 1:
        widths = ",".join(map(str, hidden))
        raise ThresholdError(
            f"A network must learn every row of {task.name} before it is pruned, and "
            f"hidden layers of {widths} with seed {seed} learn {score:.1%} of its "
            "bits: choose wider hidden layers, or another seed."
        )
    inputs = how.batches[0][0]
    sculpture = sculpt(
        model,
        inputs,
        train=how.train,
        evaluate=how.evaluate,
        batches=how.batches,
        loss=how.loss,
        min_score=1.0,
        units=unit_step / 100,
        edges=edge_step / 100,
        one_by_one=one_by_one,
        seed=seed,
        checkpoint=checkpoint,
        on_step=on_step,
    )
    return sculpture, analyze(model, inputs, method=method)


def run_task(
    task: Task,
    folder: str | Path,
    *,
    hidden: Sequence[int] = (24, 24),
    unit_step: float = 5,
    edge_step: float = 1,
    seed: int = 0,
    one_by_one: bool = False,
    on_step: Callable[[Step], Any] | None = None,
) -> Finished:
    """Train, prune and explain a network for a task, and write down all of it.

    A run that was killed goes on where it was when it is called again with the same
    arguments; one that has finished trains no more, and its files are written anew.

    Args:
        task: What the network learns, as for `sculpt_task`, like the rest.
        folder: Where everything goes: a new folder, an empty one, or this run's own.
        hidden: Widths of the hidden layers.
        unit_step: Per cent of all hidden units to remove per turn.
        edge_step: Per cent of all edges to remove per turn.
        seed: Names the random numbers.
        one_by_one: Whether to go on where the smallest edge cannot go.
        on_step: Called with each `Step` as soon as it is decided.

    Returns:
        The sculpture, its report and the files.

    Raises:
        CheckpointError: The folder is in other use, damaged, or cannot be written.
        ThresholdError: The dense network does not learn the task.

    Example:
        >>> import tempfile
        >>> from sculpt_plugin import tasks
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     finished = run_task(tasks.get("4,1,4"), folder, hidden=(12,))
        ...     sorted(path.name for path in Path(folder).glob("*.safetensors"))
        ['compact.safetensors', 'masks.safetensors', 'model.safetensors']
    """
    plot.check_installed()
    folder = Path(folder)
    settings = {
        "hidden": checked_widths(hidden),
        "unit_step": unit_step,
        "edge_step": edge_step,
        "seed": checked_seed(seed),
        "one_by_one": one_by_one,
    }
    named = {"format": FORMAT, "task": task.name, **settings}
    # A sweep's folder has a checkpoint as well, but not these settings.
    reached = [CHECKPOINT] if (folder / RUN).exists() else []
    with claimed(folder, RUN, named, reached=reached, kind="an earlier run's"):
        sculpture, report = sculpt_task(
            task, **settings, checkpoint=folder / CHECKPOINT, on_step=on_step
        )
        files = write(folder, sculpture, report)
    return Finished(sculpture, report, files)


def write(folder: Path, sculpture: Sculpture, report: Report) -> dict[str, str]:
    """Write a finished run into its folder; say what each file is.

    Args:
        folder: The run's folder.
        sculpture: The sparse network and how it came about.
        report: Its modules.

    Returns:
        The name of each file and what it is.

    Raises:
        CheckpointError: The folder cannot be written.
    """
    title = folder.resolve().name
    found = write_result(folder, sculpture.model, sculpture.masks, report, title=title)
    compacted = sculpture.compact()
    save_compacted(folder / "compact.safetensors", compacted, sculpture.model)
    record = "".join(step.to_json() + "\n" for step in sculpture.record)
    store.write_bytes(folder / "record.jsonl", record.encode())
    curve = plot.curve(sculpture.record, threshold=sculpture.min_score)
    plot.save(curve, folder / "curve.png")
    return {
        **found,
        "curve.png": "score and density, turn by turn",
        "record.jsonl": "every decision of the search",
        "compact.safetensors": "the same network, cut to its live units",
    }
