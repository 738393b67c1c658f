"""The command `sculpt`: read, call, show.

Exit codes: 0 done, 1 could not be done, 2 wrong usage, 3 refused a file that asks for
code to be run, 130 interrupted.
"""

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from sculpt_plugin.analyze_command import analyze
from sculpt_plugin.arguments import whole_numbers
from sculpt_plugin.errors import SculptError, UnsafeFileError
from sculpt_plugin.reproduce_command import reproduce
from sculpt_plugin.sweep_command import sweep
from sculpt_plugin.terminal import (
    Interrupted,
    explained,
    fail,
    make_console,
    progress,
)

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Prune a network to an accuracy threshold, and read its modules off the rest.",
    epilog="Exit codes: 0 done, 1 could not be done, 2 wrong usage, 3 refused a file "
    "that asks for code to be run, 130 interrupted.",
)

Out = Annotated[Path, typer.Option("--out", help="Folder for all results.")]


def main() -> NoReturn:
    """Run the command; every error is one line on stderr."""
    try:
        # Some versions of typer give the exit code of an interrupt back.
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except Interrupted as error:
        fail(str(error), 130)
    except SculptError as error:
        fail(str(error), 3 if isinstance(error, UnsafeFileError) else 1)
    except (typer.Abort, KeyboardInterrupt):
        fail("interrupted", 130)
    except typer.Exit as leave:
        sys.exit(leave.exit_code)
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # has moved between versions
            typer.echo(str(error))
            sys.exit(2)
        if os.environ.get("SCULPT_DEBUG"):
            raise
        fail(*explained(error))
    if code == 130:
        fail("interrupted", 130)
    sys.exit(code if isinstance(code, int) else 0)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.")
    ] = False,
) -> None:
    """Hold the options that come before a command."""
    if version:
        from sculpt_plugin import __version__

        typer.echo(f"sculpt {__version__}")
        raise typer.Exit


@app.command()
def demo(out: Out = Path("sculpt-demo")) -> None:
    """Train a small network, prune it, and explain what is left. Takes seconds."""
    console = make_console()
    console.print(
        "A network learns three outputs of six inputs: with p = x0 and x1, "
        "q = x2 and x3, r = x4 and x5, the outputs are\n"
        "  y0 = p or q,  y1 = p or r,  y2 = q or r.\n"
        "Nobody tells it about p, q and r. Pruning lets it show them.\n"
    )
    _run(console, "6,3,3,3", (24, 24), DEMO_UNIT_STEP, DEMO_EDGE_STEP, DEMO_SEED, out)


DEMO_UNIT_STEP, DEMO_EDGE_STEP, DEMO_SEED = 50.0, 1.5, 0


@app.command()
def tasks() -> None:
    """List the tasks of the paper."""
    from rich.table import Table

    from sculpt_plugin import tasks as boolean

    table = Table("task", "family", "inputs", "outputs", "true modules")
    for name in boolean.names():
        task = boolean.get(name)
        table.add_row(
            name,
            ", ".join(task.families),
            str(len(task.graph.inputs)),
            str(len(task.graph.outputs)),
            str(len(task.truth.modules)),
        )
    console = make_console()
    console.print(table)
    console.print("Sculpt one with: sculpt run 4,2,4", style="dim")


@app.command()
def run(
    task: Annotated[str, typer.Argument(help="A task, as `sculpt tasks` lists them.")],
    hidden: Annotated[
        str, typer.Option(help="Widths of the hidden layers, as 24,24.")
    ] = "24,24",
    unit_step: Annotated[
        float,
        typer.Option(help="Per cent of all units to remove per turn."),
    ] = 65,
    edge_step: Annotated[
        float,
        typer.Option(help="Per cent of all edges to remove per turn."),
    ] = 1.5,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="Names the random numbers.")
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for all results; sculpt-TASK if left out."),
    ] = None,
) -> None:
    """Train a network for a task, prune it, and explain it. Can be resumed."""
    widths = whole_numbers(hidden, name="--hidden", example="24,24")
    for name, step in (("--unit-step", unit_step), ("--edge-step", edge_step)):
        if not 0 < step <= 100:
            raise typer.BadParameter(
                f"{name} must be above 0 and at most 100 per cent, got {step:g}."
            )
    folder = out or Path(f"sculpt-{task.strip('[]').replace(', ', ',')}")
    _run(make_console(), task, widths, unit_step, edge_step, seed, folder)


app.command()(sweep)
app.command()(reproduce)
app.command()(analyze)


def _run(
    console: "Console",
    name: str,
    hidden: tuple[int, ...],
    unit_step: float,
    edge_step: float,
    seed: int,
    out: Path,
) -> None:
    """Run a task with a progress bar, then show what was found and where it is."""
    import signal

    import torch
    from rich.text import Text

    from sculpt_plugin import tasks as boolean
    from sculpt_plugin.running import run_task

    task = boolean.get(name)
    # Truth tables are too small to share among threads.
    torch.set_num_threads(1)
    # From here on an interrupt can say how to go on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with progress(console) as watch:
        try:
            finished = run_task(
                task,
                out,
                hidden=hidden,
                unit_step=unit_step,
                edge_step=edge_step,
                seed=seed,
                on_step=watch,
            )
        except KeyboardInterrupt:
            raise Interrupted(out) from None
    sculpture = finished.sculpture
    kept, total = sculpture.masks.edge_count, sculpture.masks.edge_total
    console.print(
        f"Kept {kept} of {total} edges ({sculpture.density:.2%}) in "
        f"{len(sculpture.record) - 1} turns; score {sculpture.score:g} on the whole "
        "truth table.\n"
    )
    console.print(finished.report)
    console.print()
    for file, what in finished.files.items():
        place = Text(f"{out / file}", style="cyan")
        console.print(place, Text(what, style="dim"), soft_wrap=True)
    following = shlex.join(["sculpt", "analyze", str(out), "--json"])
    console.print(Text(f"Next: {following}", style="dim"), soft_wrap=True)
