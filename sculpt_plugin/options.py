"""Options that several commands have, each with one name and one meaning."""

from pathlib import Path
from typing import Annotated

import typer

from sculpt_plugin.task_names import completed

Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document on stdout, nothing else."),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Print nothing but errors, and JSON where it is asked for.",
    ),
]
# What cannot be read or written is said by us, alike for all commands: typer's own
# check would call it wrong usage.
Out = Annotated[
    Path, typer.Option("--out", help="Folder for all results.", readable=False)
]
Hidden = Annotated[str, typer.Option(help="Widths of the hidden layers, as 24,24.")]
OneByOne = Annotated[
    bool,
    typer.Option(
        "--one-by-one",
        help="Where the smallest edge cannot go, try each other one by itself: fewer "
        "edges for more turns.",
    ),
]
TaskName = Annotated[
    str,
    typer.Argument(
        help="A task, as `sculpt tasks` lists them.", autocompletion=completed
    ),
]
