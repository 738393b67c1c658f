"""The command `sculpt reproduce`: run the paper's experiments, show the tables."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sculpt_plugin.digit_options import (
    Bf16,
    Data,
    Device,
    Download,
    digit_folder,
    only_for,
)
from sculpt_plugin.options import Json, Quiet
from sculpt_plugin.terminal import (
    console_for,
    erase,
    long_bar,
    resumable,
    say_files,
    say_next,
)

if TYPE_CHECKING:
    from rich.console import Console

    from sculpt_plugin.reproducing.digit_cells import DigitCellDone
    from sculpt_plugin.reproducing.reproduce import CellDone
    from sculpt_plugin.tasks import Family

_FAMILIES: "tuple[Family, ...]" = ("exemplar", "reuse", "overlap", "hierarchy")


def reproduce(
    family: Annotated[
        Literal["exemplar", "reuse", "overlap", "hierarchy", "digits"] | None,
        typer.Argument(
            help="One family of tasks; all four Boolean ones if left out. The one on "
            "digits takes a night."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for all results; sculpt-reproduce, or "
            "sculpt-reproduce-digits, if left out.",
            readable=False,
        ),
    ] = None,
    data: Data = None,
    download: Download = False,
    device: Device = None,
    bf16: Bf16 = False,
    jobs: Annotated[
        int, typer.Option(min=1, help="Spread the work over so many processes.")
    ] = 1,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run the paper's experiments and judge them. Can be resumed.

    What is done is never done again: with another family the folder grows, and with
    another version of the detectors its networks are judged anew.
    """
    from sculpt_plugin.reproducing import experiments
    from sculpt_plugin.reproducing.reproduce import reproduce as run
    from sculpt_plugin.reproducing.results import judge_folder
    from sculpt_plugin.reproducing.tables import to_json, to_terminal, write

    console = console_for(json=json, quiet=quiet)
    if family == "digits":
        out = out or Path("sculpt-reproduce-digits")
        # Says what is missing before anything begins.
        folder = digit_folder(console, data, download=download)
        place = device or "cpu"
        _digits(console, out, folder, device=place, bf16=bf16, jobs=jobs, json=json)
        return
    given = {"--data": data, "--download": download or None}
    only_for("digits", {**given, "--device": device, "--bf16": bf16 or None})
    out = out or Path("sculpt-reproduce")
    families = _FAMILIES if family is None else (family,)
    with resumable(out):
        with _progress(console) as watch:
            run(experiments.cells(families), out, jobs=jobs, on_cell=watch)
        with _progress(console, done="judged", first="judging the networks") as watch:
            results = judge_folder(out, families=families, jobs=jobs, on_cell=watch)
    named = [] if family is None else [family]
    command = shlex.join(["sculpt", "reproduce", *named, "--jobs", str(jobs)])
    files = write(results, out, command=command)
    if json:
        typer.echo(to_json(results))
        return
    console.print(to_terminal(results))
    say_files(console, out, files)
    say_next(console, "sculpt", "sweep", "4,2,4")


def _digits(
    console: "Console",
    out: Path,
    data: Path,
    *,
    device: str,
    bf16: bool,
    jobs: int,
    json: bool,
) -> None:
    """Run the experiments on digits and judge them."""
    from sculpt_plugin.reproducing.digit_cells import digit_cells, reproduce_digits
    from sculpt_plugin.reproducing.digit_results import judge_digit_folder
    from sculpt_plugin.reproducing.digit_tables import (
        digits_to_json,
        digits_to_terminal,
        write_digits,
    )

    cells = digit_cells()
    with resumable(out):
        with _progress(console) as watch:
            reproduce_digits(
                cells,
                out,
                data=data,
                device=device,
                bf16=bf16,
                jobs=jobs,
                on_cell=watch,
            )
        rows = judge_digit_folder(out, cells)
    words = ["sculpt", "reproduce", "digits", "--data", str(data), "--jobs", str(jobs)]
    words += ["--device", device] * (device != "cpu") + ["--bf16"] * bf16
    files = write_digits(rows, out, command=shlex.join(words))
    if json:
        typer.echo(digits_to_json(rows))
        return
    console.print(digits_to_terminal(rows))
    say_files(console, out, files)
    say_next(console, "sculpt", "run", "digits-hierarchical", "--data", str(data))


@contextmanager
def _progress(
    console: "Console",
    *,
    done: str = "cells",
    first: str = "cells that are done are kept",
) -> "Iterator[Callable[[CellDone | DigitCellDone], None]]":
    """Show all cells as one bar, with the cell that is done and the time left.

    Args:
        console: Where.
        done: What is counted.
        first: What is said before one is done.
    """
    # Cells differ: only over many of them is their pace a good guess.
    bar = long_bar(console, period=3600)
    row = bar.add_task("", total=1.0, said=first, clock="")

    def watch(now: "CellDone | DigitCellDone") -> None:
        cell = now.outcome.cell
        layers = "-".join(map(str, cell.hidden))
        said = f"{now.done:>3} of {now.total} {done}  \\[{cell.task}] {layers}"
        clock = "left" if now.done < now.total else "in all"
        bar.update(row, completed=now.share, said=said, clock=clock)
        if not console.is_terminal:
            # A log would have no sign of life for hours.
            console.print(said)

    with bar:
        try:
            yield watch
        except BaseException:
            if not bar.tasks[row].completed:
                erase(bar)
            raise
