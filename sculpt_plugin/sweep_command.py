"""The command `sculpt sweep`: read the grid, sweep, show each seed's network."""

from pathlib import Path
from typing import Annotated

import typer

from sculpt_plugin.arguments import per_cents, seeds_from, whole_numbers
from sculpt_plugin.options import Hidden, Json, OneByOne, Quiet, TaskName
from sculpt_plugin.terminal import (
    console_for,
    resumable,
    say_files,
    say_next,
    sweep_progress,
)

_ROW = "as a list 5,10,20 or a range first:last:step"


def sweep(
    task: TaskName,
    hidden: Hidden = "24,24",
    unit_steps: Annotated[
        str, typer.Option(help=f"Per cent of all units to remove per turn, {_ROW}.")
    ] = "5:70:5",
    edge_steps: Annotated[
        str, typer.Option(help=f"Per cent of all edges to remove per turn, {_ROW}.")
    ] = "0.5:2.5:0.5",
    seeds: Annotated[
        str, typer.Option(help=f"Names of the start networks, {_ROW}.")
    ] = "0,1,2,5",
    one_by_one: OneByOne = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for all results; sculpt-sweep-TASK if left out.",
            readable=False,
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Spread the work over so many processes.")
    ] = 1,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Sculpt a task with every pair of steps, and explain the best. Can be resumed."""
    import torch

    from sculpt_plugin import tasks as boolean
    from sculpt_plugin.sweeping import folder_of, sweep_task

    grid = {
        "hidden": whole_numbers(hidden, name="--hidden", example="24,24"),
        "unit_steps": per_cents(unit_steps, name="--unit-steps", example="5:70:5"),
        "edge_steps": per_cents(edge_steps, name="--edge-steps", example="0.5:2.5:0.5"),
        "seeds": seeds_from(seeds, name="--seeds", example="0:3"),
    }
    found = boolean.get(task)
    folder = out or Path(f"sculpt-sweep-{found.name}")
    # Truth tables are too small to share among more; with `jobs` each has one.
    torch.set_num_threads(min(2, torch.get_num_threads()))
    console = console_for(json=json, quiet=quiet)
    with resumable(folder), sweep_progress(console) as watch:
        finished = sweep_task(
            found,
            folder,
            **grid,
            one_by_one=one_by_one,
            jobs=jobs,
            on_progress=watch,
        )
    if json:
        typer.echo(finished.to_json())
        return
    console.print(finished)
    console.print()
    say_files(console, folder, finished.files)
    seed = min(finished.typical, key=lambda seed: finished.typical[seed].density)
    network = str(folder / folder_of(seed))
    say_next(console, "sculpt", "analyze", network)
