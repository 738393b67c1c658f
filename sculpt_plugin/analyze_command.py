"""The command `sculpt analyze`: open a file, explain it, write what was asked for."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sculpt_plugin.arguments import input_like, path_from
from sculpt_plugin.errors import LoadingError, ModelError
from sculpt_plugin.files.quoting import shown
from sculpt_plugin.options import Json, Quiet
from sculpt_plugin.terminal import console_for, make_console, say_next

if TYPE_CHECKING:
    from torch import Tensor

    from sculpt_plugin.loading import LoadedModel
    from sculpt_plugin.report import Report

_CHAIN = "read as a chain, a ReLU between each two layers; --model builds any other"
"""What a state dict does not tell, and is taken for granted."""


def analyze(
    file: Annotated[
        Path,
        typer.Argument(
            help="A model file, or a folder of `sculpt run` or of a seed of `sweep`.",
            parser=path_from,
        ),
    ],
    json: Json = False,
    quiet: Quiet = False,
    html: Annotated[
        Path | None,
        typer.Option(
            help="Write the report as one page for the browser.", readable=False
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the layers into a .png or .svg file.", readable=False),
    ] = None,
    export: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="<path>",
            help="Save the graph as .graphml, .gexf (Gephi) or .json. Can be repeated.",
            readable=False,
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            help="Save what is kept as safetensors, for torch-pruning.", readable=False
        ),
    ] = None,
    hops: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Edges that the paper's way looks ahead; to the outputs if left out.",
        ),
    ] = None,
    merge_threshold: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Share of edges above which the paper's way joins clusters across "
            "layers; 0.9 if left out.",
        ),
    ] = None,
    modularity_threshold: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Modularity of a layer that the paper's way takes without further "
            "test; 0.2 if left out.",
        ),
    ] = None,
    method: Annotated[
        Literal["agglomerative", "bidirectional", "louvain"] | None,
        typer.Option(
            help="The paper's way to find modules, our own, or Louvain's communities. "
            "Our own if left out, but the paper's where one of its settings is given."
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Change units of the model to check the graph; exit code 1 if wrong.",
        ),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit code 1, after the report, unless all of it is covered exactly.",
        ),
    ] = False,
    input_shape: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<shape>",
            help="Shape of one input without the batch axis, as 1,28,28, or 16:int64 "
            "for 16 tokens. Repeated where the model takes several inputs.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="pkg.mod:factory that builds the model for a state dict. Runs your "
            "own code."
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="Which model is meant, where a file holds several: its key, as "
            "ema.shadow, or what its names begin with, as encoder."
        ),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            help="A class of yours, pkg.mod.Class, that a pickled model may hold, or "
            "a module with such classes. Runs your own code. Can be repeated."
        ),
    ] = None,
    unsafe_load: Annotated[
        bool,
        typer.Option("--unsafe-load", help="Unpickle anything. RUNS CODE IN THE FILE."),
    ] = False,
) -> None:
    """Find the modules of a sparse network in a file."""
    from sculpt_plugin import covered
    from sculpt_plugin import export as exports
    from sculpt_plugin import plot as pictures

    if merge_threshold == 1:
        raise typer.BadParameter(
            "--merge-threshold must be below 1: it is a share of edges that has to be "
            "exceeded."
        )
    shapes = [
        input_like(text, name="--input-shape", example="1,28,28 or 16:int64")
        for text in input_shape or ()
    ]
    for path in export or ():
        exports.check_path(path)
    if masks is not None:
        exports.check_masks_path(masks)
    if plot is not None:
        pictures.check_installed()
        exports.check_place(plot)
    if html is not None:
        from sculpt_plugin import html as pages

        pages.check_path(html)
    source = _source(file)
    targets = (html, plot, *(export or ()), masks)
    _check_targets(source, [path for path in targets if path is not None])
    # What the user's own code prints is no part of the report.
    with contextlib.redirect_stdout(sys.stderr):
        loaded = _load(source, model, key, allow or [], unsafe_load)
        with _typed(given=bool(shapes)):
            report = _report(
                loaded,
                _example_inputs(loaded, shapes),
                verify=verify,
                hops=hops,
                merge_threshold=merge_threshold,
                modularity_threshold=modularity_threshold,
                method=method,
            )
    if html is not None:
        from sculpt_plugin import html as pages

        pages.write(report, html, title=file.name)
    if plot is not None:
        pictures.save(pictures.layered(report.graph, report.hierarchy), plot)
    for path in export or ():
        exports.save(report, path)
    if masks is not None:
        exports.save_masks(report, loaded.model, masks)
    _show(report, json=json, quiet=quiet)
    if loaded.origin == "state dict" and file.is_file():
        console_for(json=json, quiet=quiet or json).print(_CHAIN, style="dim")
    if verify:
        covered.check_verified(report.evidence["coverage"])
    if strict:
        covered.check_exact(report.evidence["coverage"])
    more = ["--html", "report.html"] if html is None else ["--verify"]
    if not (html and verify) and "--" not in sys.argv:
        again = ("sculpt", *sys.argv[1:], *more)
        say_next(console_for(json=json, quiet=quiet or json), *again)


def _show(report: "Report", *, json: bool, quiet: bool) -> None:
    """Print a report, and what it rests on."""
    if json:
        typer.echo(report.to_json())
        return
    console_for(json=json, quiet=quiet).print(report)


def _check_targets(source: Path, targets: Sequence[Path]) -> None:
    """Refuse to write over the file that is read, or twice into one."""
    places = [target.resolve() for target in targets]
    if source.resolve() in places:
        raise typer.BadParameter(
            f"A result must not replace the file that is analyzed, {source}: write it "
            "to another file."
        )
    if len(set(places)) < len(places):
        raise typer.BadParameter(
            "Each result must go to a file of its own, and two go to the same: rename "
            "one."
        )


def _load(
    file: Path, model: str | None, key: str | None, allow: list[str], unsafe: bool
) -> "LoadedModel":
    """Open what the user named, without running what is in it."""
    from sculpt_plugin.files.formats import recognise
    from sculpt_plugin.loading import from_factory, load_model

    if model is not None and unsafe:
        raise typer.BadParameter("--model and --unsafe-load cannot go together.")
    if model is not None or allow or unsafe:
        # The user's own modules are looked for where the user stands.
        sys.path.insert(0, str(Path.cwd()))
    if unsafe and recognise(file) in ("torch zip", "torch legacy"):
        from rich.text import Text

        # A name is no markup: in a warning it must be the one that is opened.
        warning = Text(f"Loading {shown(file)} runs whatever code it holds.")
        make_console(stderr=True).print(warning, soft_wrap=True)
    if model is not None:
        return from_factory(model, state_path=file, key=key)
    return load_model(file, key=key, allow=allow, unsafe=unsafe)


def _source(file: Path) -> Path:
    """Find the file that is meant."""
    try:
        return _model_of_run(file) if file.is_dir() else file
    except OSError as error:
        raise LoadingError(
            f"{shown(file)} cannot be read ({error.strerror or error}). Check the path "
            "and its permissions."
        ) from error


def _model_of_run(folder: Path) -> Path:
    """Find the model in a folder that `sculpt run`, or another program, filled."""
    from sculpt_plugin.files.folders import model_in

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
    return model_in(folder)


def _example_inputs(
    loaded: "LoadedModel", shapes: Sequence[tuple[tuple[int, ...], str | None]]
) -> "tuple[Tensor, ...]":
    """Make inputs of the shapes and dtypes that were typed, or that the model tells."""
    import torch

    own = next((p.dtype for p in loaded.model.parameters()), torch.float32)
    wanted = [((1, *shape), dtype) for shape, dtype in shapes]
    if not wanted and loaded.input_shape is not None:
        wanted = [(loaded.input_shape, None)]
    if not wanted:
        raise ModelError(
            "The shape of an input must be known, and this model does not tell it: "
            "pass --input-shape, as in --input-shape 1,28,28, or 16:int64 for tokens."
        )
    made = []
    for shape, dtype in wanted:
        kind = own if dtype is None else getattr(torch, dtype)
        try:
            made.append(torch.zeros(shape, dtype=kind))
        except (RuntimeError, TypeError, MemoryError) as error:
            raise ModelError(
                f"An input of shape {list(shape)} must fit the memory: pass a smaller "
                "--input-shape."
            ) from error
    return tuple(made)


@contextlib.contextmanager
def _typed(*, given: bool) -> Iterator[None]:
    """Speak of the inputs as they were typed, and not as the library calls them."""
    made = "--input-shape makes" if given else "Without --input-shape there is"
    words = {
        "example_inputs has shape": f"{made} an input of shape",
        "pass a batch of the shape": "pass with --input-shape the shape",
        "pass example_inputs[None]": "give --input-shape one more axis",
        "example_inputs": "the input of --input-shape",
    }
    try:
        yield
    except ModelError as error:
        said = str(error)
        for ours, theirs in words.items():
            said = said.replace(ours, theirs)
        raise ModelError(said) from error


def _report(
    loaded: "LoadedModel",
    inputs: "tuple[Tensor, ...]",
    *,
    verify: bool,
    **settings: Any,
) -> "Report":
    """Analyze a loaded model, its units under their original numbers."""
    from sculpt_plugin.analysis.chain import outputs_alike_in
    from sculpt_plugin.analysis.modules import chosen_method
    from sculpt_plugin.analysis.numbering import renumber
    from sculpt_plugin.analysis.trace import read
    from sculpt_plugin.report import explain

    found = read(loaded.model, inputs, verify=verify)
    method = chosen_method(settings.pop("method"), settings)
    both_ways = method == "bidirectional"
    return explain(
        renumber(found.graph, loaded.units, loaded.sizes),
        covered=found.coverage,
        method=method,
        alike=outputs_alike_in(loaded.model, inputs) if both_ways else None,
        **settings,
    )
