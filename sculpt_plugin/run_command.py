"""The commands `sculpt run` and `sculpt demo`: one task, from dense to explained."""

import json as text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sculpt_plugin.arguments import whole_numbers
from sculpt_plugin.digit_options import (
    Bf16,
    Data,
    Device,
    Download,
    digit_task,
    for_digits,
    only_for,
)
from sculpt_plugin.options import Json, OneByOne, Out, Quiet, TaskName
from sculpt_plugin.terminal import (
    console_for,
    progress,
    resumable,
    say_files,
    say_next,
)

if TYPE_CHECKING:
    from rich.console import Console

    from sculpt_plugin.running import Finished
    from sculpt_plugin.tasks import DigitTask

SCHEMA = "sculpt-run/1"
UNIT_STEP, EDGE_STEP = 5.0, 1.0
WITNESS = "witnesses: this network alone; a sweep asks many, and may say otherwise"
# Of the few that end alike however a processor rounds.
DEMO_UNIT_STEP, DEMO_EDGE_STEP, DEMO_SEED = 70.0, 1.5, 8


def run(
    task: TaskName,
    hidden: Annotated[
        str | None,
        typer.Option(
            help="Widths of the hidden layers; 24,24 if left out, 784,784 for digits."
        ),
    ] = None,
    unit_step: Annotated[
        float | None,
        typer.Option(
            help="Per cent of all units to remove per turn; 5 if left out. Digits "
            "have a schedule of their own."
        ),
    ] = None,
    edge_step: Annotated[
        float | None,
        typer.Option(help="Per cent of all edges to remove per turn; 1 if left out."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="Names the random numbers.")
    ] = 0,
    one_by_one: OneByOne = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for all results; sculpt-TASK if left out.", readable=False
        ),
    ] = None,
    data: Data = None,
    download: Download = False,
    device: Device = None,
    bf16: Bf16 = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a network for a task, prune it, and explain it. Can be resumed."""
    given = {"--unit-step": unit_step, "--edge-step": edge_step}
    for name, step in given.items():
        if step is not None and not 0 < step <= 100:
            raise typer.BadParameter(
                f"{name} must be above 0 and at most 100 per cent, got {step:g}."
            )
    console = console_for(json=json, quiet=quiet)
    if task.startswith("digits"):
        only_for(
            f"tasks other than {task}", {**given, "--one-by-one": one_by_one or None}
        )
        widths = whole_numbers(hidden or "784,784", name="--hidden", example="784,784")
        task_made = digit_task(console, task, data, download=download)
        finished, folder = _run_digits(
            console, task_made, widths, seed, device or "cpu", bf16, out
        )
    else:
        only_for(
            "tasks on digits",
            {
                "--data": data,
                "--download": download or None,
                "--device": device,
                "--bf16": bf16 or None,
            },
        )
        widths = whole_numbers(hidden or "24,24", name="--hidden", example="24,24")
        finished, folder = _run(
            console,
            task,
            widths,
            unit_step or UNIT_STEP,
            edge_step or EDGE_STEP,
            seed,
            out,
            one_by_one=one_by_one,
        )
    _show(console, finished, folder, json=json)
    if task.startswith("digits"):
        say_next(console, "sculpt", "reproduce", "digits", "--data", str(data))
    else:
        say_next(
            console, "sculpt", "sweep", task, "--hidden", ",".join(map(str, widths))
        )


def demo(
    out: Out = Path("sculpt-demo"), json: Json = False, quiet: Quiet = False
) -> None:
    """Train a small network, prune it, and explain what is left. Takes seconds."""
    console = console_for(json=json, quiet=quiet)
    console.print(
        "A network learns three outputs of six inputs: with p = x0 and x1, "
        "q = x2 and x3, r = x4 and x5, the outputs are\n"
        "  y0 = p or q,  y1 = p or r,  y2 = q or r.\n"
        "Nobody tells it about p, q and r. Pruning lets it show them.\n"
    )
    steps = (DEMO_UNIT_STEP, DEMO_EDGE_STEP)
    finished, folder = _run(console, "6,3,3,3", (24, 24), *steps, DEMO_SEED, out)
    _show(console, finished, folder, json=json)
    say_next(console, "sculpt", "run", "4,2,4")


def _run(
    console: "Console",
    name: str,
    hidden: tuple[int, ...],
    unit_step: float,
    edge_step: float,
    seed: int,
    out: Path | None,
    *,
    one_by_one: bool = False,
) -> "tuple[Finished, Path]":
    """Run a task with a progress bar; give what was found and the folder it is in."""
    import torch

    from sculpt_plugin import tasks as boolean
    from sculpt_plugin.running import run_task

    task = boolean.get(name)
    folder = out or Path(f"sculpt-{task.name}")
    # Truth tables are too small to share among threads.
    torch.set_num_threads(1)
    with resumable(folder), progress(console) as watch:
        finished = run_task(
            task,
            folder,
            hidden=hidden,
            unit_step=unit_step,
            edge_step=edge_step,
            seed=seed,
            one_by_one=one_by_one,
            on_step=watch.step,
        )
    return finished, folder


def _run_digits(
    console: "Console",
    task: "DigitTask",
    hidden: tuple[int, ...],
    seed: int,
    device: str,
    bf16: bool,
    out: Path | None,
) -> "tuple[Finished, Path]":
    """Run a task on digits with its progress; give what was found and the folder."""
    from sculpt_plugin.running_digits import run_digits

    folder = out or Path(f"sculpt-{task.name}")
    for_digits()
    with resumable(folder), progress(console) as watch:
        finished = run_digits(
            task,
            folder,
            hidden=hidden,
            seed=seed,
            device=device,
            bf16=bf16,
            on_epoch=watch.epoch,
            on_step=watch.step,
        )
    return finished, folder


def _show(
    console: "Console", finished: "Finished", folder: Path, *, json: bool
) -> None:
    """Print what a run ended with, and where it is."""
    told = _told(finished, folder)
    if json:
        typer.echo(text.dumps(told, indent=1))
    console.quiet |= json
    console.print(
        f"Kept {told['edges']} of {told['edge_total']} edges ({told['density']:.2%}) "
        f"in {told['turns']} turns; score {told['score']:.4g} {told['scored_on']}.\n"
    )
    console.print(finished.report)
    console.print(WITNESS, style="dim")
    console.print()
    say_files(console, folder, finished.files)


def _told(finished: "Finished", folder: Path) -> dict[str, Any]:
    """Describe a finished run in plain data."""
    sculpture = finished.sculpture
    return {
        "schema": SCHEMA,
        "score": sculpture.score,
        "min_score": sculpture.min_score,
        "scored_on": finished.scored_on,
        "density": sculpture.density,
        "edges": sculpture.masks.edge_count,
        "edge_total": sculpture.masks.edge_total,
        "turns": len(sculpture.record) - 1,
        "folder": str(folder),
        "files": list(finished.files),
        "report": finished.report.to_dict(),
    }
