"""Options of the commands for the tasks on digits, and what these tasks need."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sculpt_plugin.task_names import DIGIT_TASKS

if TYPE_CHECKING:
    from rich.console import Console

    from sculpt_plugin.tasks import DigitTask

Data = Annotated[
    Path | None,
    typer.Option(
        help="For digits: the folder that has MNIST, as torchvision lays it out.",
        readable=False,
    ),
]
Download = Annotated[
    bool, typer.Option("--download", help="For digits: fetch MNIST if it is missing.")
]
Device = Annotated[
    str | None,
    typer.Option(help="For digits: where to compute, as cpu or cuda. Default: cpu."),
]
Bf16 = Annotated[
    bool,
    typer.Option(
        "--bf16", help="For digits: train in bfloat16 where that is safe; for GPUs."
    ),
]


def only_for(tasks: str, options: Mapping[str, object | None]) -> None:
    """Refuse options that were given and say nothing to a task.

    Raises:
        BadParameter: With the first of them.
    """
    for name, value in options.items():
        if value is not None:
            raise typer.BadParameter(f"{name} is only for {tasks}: leave it out.")


def digit_task(
    console: "Console", name: str, data: Path | None, *, download: bool
) -> "DigitTask":
    """Make a task on digits, and say so where that takes time.

    Raises:
        BadParameter: There is no folder to find MNIST in.
        TaskError: MNIST is not there.
    """
    from sculpt_plugin.tasks import digits

    if data is None and name in DIGIT_TASKS:
        raise typer.BadParameter(
            "--data must name the folder that has MNIST; add --download to fetch it "
            "there: --data mnist --download."
        )
    with console.status("reading digits") as status:
        return digits(
            name, data=data or "", download=download, on_progress=status.update
        )


def digit_folder(console: "Console", data: Path | None, *, download: bool) -> Path:
    """Give the folder that has MNIST, with the images of all tasks put together.

    Raises:
        BadParameter: There is no folder to find MNIST in.
        TaskError: MNIST is not there.
    """
    for name in DIGIT_TASKS:
        digit_task(console, name, data, download=download)
    assert data is not None  # checked above
    return data


def for_digits() -> None:
    """Set torch up for networks of this size, in this process.

    Numbers too small to be normal ones count as zero: gradients of samples that are
    long learned are such, and computing with them makes a training twice as long.
    """
    import torch

    torch.set_flush_denormal(True)
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(min(4, os.cpu_count() or 1))
