"""One Boolean task with a whole grid of steps and start networks, all in one folder."""

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from torch import Tensor

from sculpt_plugin import plot, store
from sculpt_plugin.analysis.consensus import Consensus, consensus
from sculpt_plugin.claim import claimed
from sculpt_plugin.errors import ThresholdError
from sculpt_plugin.pruning.grid import Progress, Run, Sweep
from sculpt_plugin.pruning.sweep import sweep
from sculpt_plugin.report import Report, analyze
from sculpt_plugin.result_folder import write_result
from sculpt_plugin.tasks import StartNetworks, Task, learning
from sculpt_plugin.tasks.mlp import checked_widths

if TYPE_CHECKING:
    import rich.console

SCHEMA = "sculpt-sweep/1"
SETTINGS, CHECKPOINT, RESULT = "settings.json", "checkpoint", "sweep.json"

UNIT_STEPS = tuple(range(5, 75, 5))
EDGE_STEPS = (0.5, 1.0, 1.5, 2.0, 2.5)
SEEDS = (0, 1, 2, 5)
WITNESSES = 20
"""So many of each seed's sparsest networks are asked what they have in common."""


@dataclass(frozen=True, eq=False, repr=False)
class SweepFinished:
    """What a sweep over a task ended with.

    Printed with rich, it is a table of each seed's typical network: the one with at
    most three tenths more edges than the seed's sparsest that agrees best with the
    sparsest of all seeds, and has hidden units of its own for each group of outputs.

    Attributes:
        settings: What was asked for: task, hidden layers, steps in per cent, seeds.
        sweep: All runs.
        typical: The run of the typical network of each seed that has a result.
        reports: Its modules; their evidence holds the consensus.
        consensus: What the sparsest networks of all seeds say together.
        files: What was written, and what it is.
    """

    settings: Mapping[str, Any]
    sweep: Sweep
    typical: Mapping[int, Run]
    reports: Mapping[int, Report]
    consensus: Consensus
    files: Mapping[str, str]

    def __repr__(self) -> str:
        """Say how much was found."""
        found, total = len(self.sweep.ranked()), len(self.sweep.runs)
        return f"SweepFinished({found} of {total} runs have a result)"

    def to_dict(self) -> dict[str, Any]:
        """Give the sweep in the versioned format that other tools read.

        Returns:
            Plain dicts, lists, numbers and strings: the settings, every run, and for
            each seed the sparsest network, the typical one and the folder it is in.
            Steps are in per cent, as they were given; densities are shares.
        """
        return {
            "schema": SCHEMA,
            "settings": dict(self.settings),
            "min_score": self.sweep.min_score,
            "runs": [_told(run) for run in self.sweep.runs],
            "sparsest": [_told(self.sweep.sparsest(seed)) for seed in self.typical],
            "typical": [
                {
                    **_told(self.typical[seed]),
                    "live_units": _live_units(report),
                    "modules": len(report.hierarchy.modules),
                    "folder": folder_of(seed),
                }
                for seed, report in self.reports.items()
            ],
            "consensus": self.consensus.to_dict(),
        }

    def to_json(self) -> str:
        """Give the sweep as JSON text."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def __rich__(self) -> "rich.console.RenderableType":
        """Show the typical network of each seed, and what all say together."""
        from rich.console import Group
        from rich.table import Table

        from sculpt_plugin.drawing.consensus_table import consensus_table

        table = Table(
            title="Typical network of each seed",
            title_justify="left",
            title_style="bold",
        )
        columns = ("seed", "density", "sparsest", "edges", "units", "modules")
        for name in (*columns, "unit step", "edge step"):
            table.add_column(name, justify="right", overflow="fold")
        for seed in self.sweep.seeds:
            if seed not in self.reports:
                table.add_row(str(seed), *["-"] * (len(table.columns) - 1))
                continue
            run, report = self.typical[seed], self.reports[seed]
            table.add_row(
                str(seed),
                f"{run.density:.2%}",
                f"{self.sweep.sparsest(seed).density:.2%}",
                str(run.network.edge_count),
                str(_live_units(report)),
                str(len(report.hierarchy.modules)),
                f"{_per_cent(run.unit_step):g} %",
                f"{_per_cent(run.edge_step):g} %",
            )
        found, total = len(self.sweep.ranked()), len(self.sweep.runs)
        table.caption = (
            f"{found} of {total} runs ended with a result\n"
            "typical: of those nearly as sparse as the sparsest the one most like all\n"
            "units: live ones, inputs and outputs included"
        )
        return Group(table, consensus_table(self.consensus))


def sweep_task(
    task: Task,
    folder: str | Path,
    *,
    hidden: Sequence[int] = (24, 24),
    unit_steps: Sequence[float] = UNIT_STEPS,
    edge_steps: Sequence[float] = EDGE_STEPS,
    seeds: Sequence[int] = SEEDS,
    one_by_one: bool = False,
    jobs: int = 1,
    on_progress: Callable[[Progress], Any] | None = None,
) -> SweepFinished:
    """Sculpt a task with every pair of steps, and explain each seed's typical network.

    How much to remove at once decides where a search gets stuck, and nobody knows the
    best steps beforehand; the paper tries the 70 pairs that are the default here, and
    keeps the sparsest network. The typical one of `Consensus.typical` is right more
    often (docs/truth.md). A sweep that was killed goes on where it was when it is
    called again with the same arguments; one that has finished trains no more, and its
    files are written anew.

    Args:
        task: What the networks learn; every row of the truth table must be right.
        folder: Where everything goes: a new folder, an empty one, or this sweep's own.
        hidden: Widths of the hidden layers.
        unit_steps: Per cent of all hidden units to remove per turn.
        edge_steps: Per cent of all edges to remove per turn.
        seeds: Names of the start networks and of their random numbers.
        one_by_one: Whether a run goes on where its smallest edge cannot go, as `sweep`
            has it.
        jobs: Spread the work over so many processes.
        on_progress: Called with a `Progress` after each round.

    Returns:
        All runs, the reports and the files.

    Raises:
        CheckpointError: The folder is in other use, damaged, or cannot be written.
        DataError: There are no steps or seeds, or a step is not a share.
        TaskError: There is no such network.
        ThresholdError: No dense network learns the task.

    Example:
        >>> import tempfile
        >>> from sculpt_plugin import tasks
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     finished = sweep_task(
        ...         tasks.get("4,1,4"), folder, hidden=(12,), unit_steps=(20, 50),
        ...         edge_steps=(2,), seeds=(0,))
        ...     sorted(path.name for path in Path(folder).glob("*.png"))
        ['comodules.png', 'grid.png']
        >>> finished
        SweepFinished(2 of 2 runs have a result)

    Reference:
        Patil, Michael and Dovrolis, "Neural Sculpting", NeurIPS 2023,
        https://arxiv.org/abs/2305.18402
    """
    plot.check_installed()
    folder = Path(folder)
    settings = {
        "task": task.name,
        "hidden": checked_widths(hidden),
        "unit_steps": tuple(unit_steps),
        "edge_steps": tuple(edge_steps),
        "seeds": tuple(seeds),
        "one_by_one": one_by_one,
    }
    # Another command's folder has a checkpoint as well, but not these settings.
    reached = [CHECKPOINT] if (folder / SETTINGS).exists() else []
    named = {"format": SCHEMA, **settings}
    with claimed(folder, SETTINGS, named, reached=reached, kind="an earlier sweep's"):
        found = _found(task, folder, settings, jobs=jobs, on_progress=on_progress)
        finished = _explained(settings, found, learning(task, hidden=hidden).inputs)
        _write(folder, finished)
    return finished


def folder_of(seed: int) -> str:
    """Name the folder with the typical network of a seed."""
    return f"seed-{seed}"


def _found(
    task: Task,
    folder: Path,
    settings: Mapping[str, Any],
    *,
    jobs: int,
    on_progress: Callable[[Progress], Any] | None,
) -> Sweep:
    """Sweep with steps in per cent, and speak of the task where nothing comes of it."""
    hidden, seeds = settings["hidden"], settings["seeds"]
    try:
        return sweep(
            StartNetworks(task, hidden),
            learning(task, hidden=hidden),
            seeds=seeds,
            unit_steps=[step / 100 for step in settings["unit_steps"]],
            edge_steps=[step / 100 for step in settings["edge_steps"]],
            min_score=1.0,
            one_by_one=settings["one_by_one"],
            jobs=jobs,
            checkpoint=folder / CHECKPOINT,
            on_progress=on_progress,
        )
    except ThresholdError as error:
        # Nothing was reached: other settings may have the folder.
        shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
        raise ThresholdError(
            f"A network must learn every row of {task.name} before it is pruned, and "
            f"none with hidden layers of {','.join(map(str, hidden))} does, seeds "
            f"{', '.join(map(str, seeds))}: choose wider hidden layers, or other seeds."
        ) from error


def _explained(
    settings: Mapping[str, Any], found: Sweep, inputs: Float[Tensor, "row input"]
) -> SweepFinished:
    """Find the typical network of each seed, with its modules."""
    heard = {
        seed: [
            (run, analyze(found.model(run), inputs))
            for run in found.sparsest_networks(seed, count=WITNESSES)
        ]
        for seed in found.seeds
        if found.ranked(seed)
    }
    witnesses = [pair for each in heard.values() for pair in each]
    together = _consensus([report for _, report in witnesses])
    typical, reports = {}, {}
    for seed in heard:
        own = [place for place, (run, _) in enumerate(witnesses) if run.seed == seed]
        run, report = witnesses[together.typical(among=own)]
        evidence = {**report.evidence, "consensus": together}
        typical[seed], reports[seed] = run, replace(report, evidence=evidence)
    files = {
        RESULT: "settings and all runs, for programs",
        "grid.png": "what each run kept",
        "comodules.png": "how often two inputs, or two outputs, share a module",
        **{
            folder_of(seed): f"typical network of seed {seed}, with its report.html"
            for seed in reports
        },
    }
    return SweepFinished(settings, found, typical, reports, together, files)


def _consensus(reports: Sequence[Report]) -> Consensus:
    """Hear what several networks say together."""
    return consensus([(report.graph, report.hierarchy) for report in reports])


def _write(folder: Path, finished: SweepFinished) -> None:
    """Write a finished sweep into its folder."""
    store.write_bytes(folder / RESULT, (finished.to_json() + "\n").encode())
    cells = plot.grid(finished.sweep, typical=finished.typical)
    plot.save(cells, folder / "grid.png")
    plot.save(plot.comodules(finished.consensus), folder / "comodules.png")
    for seed, report in finished.reports.items():
        run, inside = finished.typical[seed], folder / folder_of(seed)
        store.make_folder(inside)
        model, masks = finished.sweep.model(run), finished.sweep.masks(run)
        title = f"{finished.settings['task']}, seed {seed}"
        write_result(inside, model, masks, report, title=title)


def _told(run: Run) -> dict[str, Any]:
    """Describe one run in plain data."""
    return {
        "seed": run.seed,
        "unit_step": _per_cent(run.unit_step),
        "edge_step": _per_cent(run.edge_step),
        "density": run.density,
        "edges": run.network.edge_count,
        "score": run.score if math.isfinite(run.score) else None,
        "turns": max(0, len(run.record) - 1),
        "problem": run.problem,
    }


def _per_cent(share: float) -> float:
    """Give a step as it was typed: a share of 0.07 is 7, not 7.000000000000001."""
    return float(f"{100 * share:.12g}")


def _live_units(report: Report) -> int:
    """Count the units that lead from an input to an output, these included."""
    return int((report.hierarchy.label >= 0).sum())
