"""The command `sculpt`: read, call, show.

Exit codes: 0 done, 1 could not be done, 2 wrong usage, 3 refused a file that asks for
code to be run, 130 interrupted.
"""

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from sculpt_plugin.arguments import whole_numbers
from sculpt_plugin.errors import LoadingError, SculptError, UnsafeFileError
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

    from sculpt_plugin.loading import LoadedModel
    from sculpt_plugin.report import Report

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
    seed: Annotated[int, typer.Option(min=0, help="Names the random numbers.")] = 0,
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


@app.command()
def analyze(
    file: Annotated[
        Path,
        typer.Argument(help="A model file, or a folder of `sculpt run` or `sweep`."),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = (
        False
    ),
    plot: Annotated[
        Path | None, typer.Option(help="Draw the layers into a .png or .svg file.")
    ] = None,
    hops: Annotated[
        int | None,
        typer.Option(min=1, help="Edges to look ahead; to the outputs if left out."),
    ] = None,
    merge_threshold: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Share of edges that joins clusters across layers."
        ),
    ] = 0.9,
    modularity_threshold: Annotated[
        float,
        typer.Option(min=0, max=1, help="Modularity that needs no further test."),
    ] = 0.2,
    method: Annotated[
        Literal["agglomerative", "bidirectional"],
        typer.Option(help="The paper's way to find modules, or our own."),
    ] = "agglomerative",
    input_shape: Annotated[
        str | None,
        typer.Option(help="Shape of one input without the batch axis, as 1,28,28."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="pkg.mod:factory that builds the model for a state dict. Runs your "
            "own code."
        ),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(help="A class of yours that a pickled model may hold."),
    ] = None,
    unsafe_load: Annotated[
        bool,
        typer.Option("--unsafe-load", help="Unpickle anything. RUNS CODE IN THE FILE."),
    ] = False,
) -> None:
    """Find the modules of a sparse network in a file."""
    from sculpt_plugin import plot as pictures

    loaded = _load(file, model, allow or [], unsafe_load)
    shape = None
    if input_shape is not None:
        shape = whole_numbers(input_shape, name="--input-shape", example="1,28,28")
    report = _report(
        loaded,
        shape,
        hops=hops,
        merge_threshold=merge_threshold,
        modularity_threshold=modularity_threshold,
        method=method,
    )
    if plot is not None:
        pictures.save(pictures.layered(report.graph, report.hierarchy), plot)
    if json:
        typer.echo(report.to_json())
    else:
        make_console().print(report)


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
        console.print(Text(f"{out / file}", style="cyan"), Text(what, style="dim"))
    following = shlex.join(["sculpt", "analyze", str(out), "--json"])
    console.print(Text(f"Next: {following}", style="dim"))


def _load(
    file: Path, model: str | None, allow: list[str], unsafe: bool
) -> "LoadedModel":
    """Open what the user named, without running what is in it."""
    from sculpt_plugin.files.formats import recognise
    from sculpt_plugin.loading import from_factory, load_model

    if file.is_dir():
        file = _model_of_run(file)
    if model is not None and unsafe:
        raise typer.BadParameter("--model and --unsafe-load cannot go together.")
    if model is not None or allow or unsafe:
        # The user's own modules are looked for where the user stands.
        sys.path.insert(0, str(Path.cwd()))
    if unsafe and recognise(file) in ("torch zip", "torch legacy"):
        make_console(stderr=True).print(f"Loading {file} runs whatever code it holds.")
    if model is not None:
        return from_factory(model, state_path=file)
    return load_model(file, allow=allow, unsafe=unsafe)


def _model_of_run(folder: Path) -> Path:
    """Find the model in a folder that `sculpt run` filled."""
    model = folder / "model.safetensors"
    if model.exists():
        return model
    if (folder / "sweep.json").exists():
        raise LoadingError(
            f"{folder} holds a whole sweep: name one of its networks, as in "
            f"{min(folder.glob('seed-*'), default=folder / 'seed-0')}."
        )
    if (folder / "run.json").exists() or (folder / "checkpoint").exists():
        raise LoadingError(
            f"The run in {folder} has not finished: run the same command again."
        )
    raise LoadingError(
        f"{folder} must be a model file or a folder of `sculpt run`, but is another "
        "folder. Name the file in it."
    )


def _report(
    loaded: "LoadedModel",
    shape: tuple[int, ...] | None,
    **settings: Any,
) -> "Report":
    """Analyze a loaded model on an input of its own shape and dtype."""
    import torch

    from sculpt_plugin.analysis.chain import outputs_alike_in
    from sculpt_plugin.analysis.numbering import renumber
    from sculpt_plugin.analysis.trace import coverage, trace
    from sculpt_plugin.errors import ModelError
    from sculpt_plugin.report import explain

    whole = (1, *shape) if shape is not None else loaded.input_shape
    if whole is None:
        raise ModelError(
            "The shape of an input must be known, and this model does not tell it: "
            "pass --input-shape, as in --input-shape 1,28,28."
        )
    dtype = next((p.dtype for p in loaded.model.parameters()), torch.float32)
    try:
        inputs = torch.zeros(whole, dtype=dtype)
    except (RuntimeError, TypeError, MemoryError) as error:
        raise ModelError(
            f"An input of shape {list(whole)} must fit the memory: pass a smaller "
            "--input-shape."
        ) from error
    graph = trace(loaded.model, inputs)
    both_ways = settings["method"] == "bidirectional"
    alike = outputs_alike_in(loaded.model) if both_ways else None
    return explain(
        renumber(graph, loaded.units, loaded.sizes),
        covered=coverage(loaded.model),
        alike=alike,
        **settings,
    )
