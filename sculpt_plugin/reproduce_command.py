"""The command `sculpt reproduce`: run the paper's experiments, show the tables."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sculpt_plugin.terminal import Interrupted, make_console

if TYPE_CHECKING:
    from rich.console import Console

    from sculpt_plugin.reproducing.reproduce import CellDone
    from sculpt_plugin.tasks import Family

_FAMILIES: "tuple[Family, ...]" = ("exemplar", "reuse", "overlap", "hierarchy")


def reproduce(
    family: Annotated[
        Literal["exemplar", "reuse", "overlap", "hierarchy"] | None,
        typer.Argument(help="One family of tasks; all four if left out."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for all results.")] = Path(
        "sculpt-reproduce"
    ),
    jobs: Annotated[
        int, typer.Option(min=1, help="Spread the work over so many processes.")
    ] = 1,
    json: Annotated[
        bool, typer.Option("--json", help="Print the results as JSON.")
    ] = False,
) -> None:
    """Run the paper's Boolean experiments and judge them. Can be resumed.

    What is done is never done again: with another family the folder grows, and with
    another version of the detectors its networks are judged anew.
    """
    import signal

    from rich.text import Text

    from sculpt_plugin.reproducing import experiments
    from sculpt_plugin.reproducing.reproduce import reproduce as run
    from sculpt_plugin.reproducing.results import judge_folder
    from sculpt_plugin.reproducing.tables import to_json, to_terminal, write

    families = _FAMILIES if family is None else (family,)
    # From here on an interrupt can say how to go on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    console = make_console(stderr=json)
    try:
        with _progress(console) as watch:
            run(experiments.cells(families), out, jobs=jobs, on_cell=watch)
        console.print("Judging the networks ...", style="dim")
        results = judge_folder(out, families=families, jobs=jobs)
    except KeyboardInterrupt:
        raise Interrupted(out) from None
    named = [] if family is None else [family]
    command = shlex.join(["sculpt", "reproduce", *named, "--jobs", str(jobs)])
    files = write(results, out, command=command)
    if json:
        typer.echo(to_json(results))
        return
    console.print(to_terminal(results))
    for file, what in files.items():
        console.print(Text(f"{out / file}", style="cyan"), Text(what, style="dim"))


@contextmanager
def _progress(console: "Console") -> "Iterator[Callable[[CellDone], None]]":
    """Show all cells as one bar, with the cell that is done and the time left."""
    from rich import progress as rich

    bar = rich.Progress(
        rich.BarColumn(bar_width=30),
        rich.TextColumn("{task.fields[said]}"),
        rich.TimeRemainingColumn(elapsed_when_finished=True),
        rich.TextColumn("{task.fields[clock]}"),
        console=console,
        # Cells differ: only over many of them is their pace a good guess.
        speed_estimate_period=3600,
    )
    row = bar.add_task("", total=1.0, said="cells that are done are kept", clock="")

    def watch(now: "CellDone") -> None:
        cell = now.outcome.cell
        layers = "-".join(map(str, cell.hidden))
        bar.update(
            row,
            completed=now.share,
            said=f"{now.done:>3} of {now.total} cells  \\[{cell.task}] {layers}",
            clock="left" if now.done < now.total else "in all",
        )

    with bar:
        yield watch
