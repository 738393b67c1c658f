"""What the command `sculpt` shows: a console, progress, and errors of one line."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from sculpt_plugin.errors import SculptError, one_line

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from sculpt_plugin.pruning.grid import Progress
    from sculpt_plugin.pruning.record import Step


def make_console(*, stderr: bool = False) -> "Console":
    """Make a console that colours a terminal and nothing else."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=False)


@contextmanager
def progress(console: "Console") -> Iterator[Callable[["Step"], None]]:
    """Show each stage as a bar of what is gone, with score and density."""
    from rich.progress import (
        BarColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
    )

    bar = Progress(
        TextColumn("{task.description:>8}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
        console=console,
    )
    rows: dict[str, TaskID] = {}

    def watch(step: "Step") -> None:
        if step.stage == "dense":
            return
        name = "edges" if step.stage == "retrain" else step.stage
        if name not in rows:
            rows[name] = bar.add_task(name, total=step.total, said="")
        if step.accepted:
            bar.update(rows[name], completed=step.removed)
        said = (
            f"{step.left:>4} of {step.total} left  score {step.score:.3f}  "
            f"density {step.density:7.2%}  {'kept' if step.accepted else 'undone'}"
        )
        bar.update(rows[name], said=said)

    with bar:
        yield watch


@contextmanager
def sweep_progress(console: "Console") -> Iterator[Callable[["Progress"], None]]:
    """Show a sweep as one bar, with the runs that have ended and the time left."""
    from rich import progress as rich

    bar = rich.Progress(
        rich.BarColumn(bar_width=30),
        rich.TextColumn("{task.fields[said]}"),
        rich.TimeRemainingColumn(elapsed_when_finished=True),
        rich.TextColumn("{task.fields[clock]}"),
        console=console,
        # Rounds differ: only over minutes is their pace a good guess.
        speed_estimate_period=600,
    )
    row = bar.add_task("", total=None, said="training", clock="")

    def watch(now: "Progress") -> None:
        bar.update(
            row,
            total=1.0,
            completed=now.share,
            said=f"{now.share:4.0%}  {now.turns} turns  "
            f"{now.done} of {now.total} runs ended",
            clock="left" if now.share < 1 else "in all",
        )

    with bar:
        try:
            yield watch
        except BaseException:
            # An error before anything was trained stands alone.
            bar.update(row, visible=bar.tasks[row].total is not None)
            raise


class Interrupted(SculptError):
    """Ctrl-C during a command that can be resumed."""

    def __init__(self, out: "Path") -> None:
        super().__init__(
            f"stopped; what was reached is in {out}. Resume with the same command: "
            f"{shlex.join(['sculpt', *sys.argv[1:]])}"
        )


def explained(error: Exception) -> tuple[str, int]:
    """Give text and exit code of an error that is not ours."""
    message = getattr(error, "format_message", None)
    if message is not None:
        command = getattr(getattr(error, "ctx", None), "command_path", "sculpt")
        return f"{message().rstrip('.')}. See: {command} --help", getattr(
            error, "exit_code", 2
        )
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}", 1
    return (
        f"{type(error).__name__}: {one_line(error)}. This is a fault of Sculpt's own; "
        "with SCULPT_DEBUG=1 it shows where.",
        1,
    )


def fail(message: str, code: int) -> NoReturn:
    """Say on one line what went wrong, and leave."""
    plain = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in message)
    sys.stderr.write(f"sculpt: {plain}\n")
    sys.exit(code)
