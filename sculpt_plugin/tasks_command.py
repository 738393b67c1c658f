"""The command `sculpt tasks`: list what can be sculpted."""

import json as text
from typing import TYPE_CHECKING

import typer

from sculpt_plugin.digit_options import DIGIT_TASKS
from sculpt_plugin.options import Json, Quiet
from sculpt_plugin.terminal import console_for, say_next

if TYPE_CHECKING:
    from rich.table import Table

    from sculpt_plugin.tasks import Task

SCHEMA = "sculpt-tasks/1"
_WIDE = 60
_BESIDES = (
    "modules: those of the task itself, to compare a report with\n"
    f"{' and '.join(DIGIT_TASKS)}: on MNIST, with --data"
)


def tasks(json: Json = False, quiet: Quiet = False) -> None:
    """List the tasks of the paper."""
    from sculpt_plugin import tasks as boolean

    found = [boolean.get(name) for name in boolean.names()]
    if json:
        typer.echo(
            text.dumps({"schema": SCHEMA, "tasks": [*map(_told, found)]}, indent=1)
        )
        return
    console = console_for(json=json, quiet=quiet)
    console.print(_table(found, wide=console.width >= _WIDE))
    console.print(_BESIDES, style="dim")
    say_next(console, "sculpt", "run", "4,2,4")


def _told(task: "Task") -> dict[str, object]:
    """Describe a task in plain data."""
    return {
        "name": task.name,
        "families": list(task.families),
        "inputs": len(task.graph.inputs),
        "outputs": len(task.graph.outputs),
        "modules": len(task.truth.modules),
    }


def _table(found: "list[Task]", *, wide: bool) -> "Table":
    """Make a table of the tasks, without their families where there is little room."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("task", no_wrap=True)
    if wide:
        table.add_column("family", no_wrap=True)
    for name in ("inputs", "outputs", "modules"):
        table.add_column(name, justify="right", no_wrap=True)
    for task in found:
        told = _told(task)
        counts = (str(told[name]) for name in ("inputs", "outputs", "modules"))
        families = [", ".join(task.families)] if wide else []
        table.add_row(task.name, *families, *counts)
    return table
