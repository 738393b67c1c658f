"""What the command `sculpt` shows: a console, progress, and errors of one line."""

import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from sculpt_plugin.errors import SculptError, one_line

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.progress import Progress as LongBar

    from sculpt_plugin.pruning.grid import Progress
    from sculpt_plugin.pruning.record import Step

_LOOK = "Check the path and its permissions."
_ROOM_FOR_BARS = 80
"""So many letters a line must have for more than the words beside a bar."""


def open_streams() -> None:
    """Make sure that there is somewhere to print to, and that nothing fails to print.

    A terminal that has no sign for a letter gets the letter's number.

    Raises:
        SystemExit: Standard output is closed, so that nothing would be seen.
    """
    if sys.stderr is None:
        # Kept open: else the next file that is opened would be standard error.
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
    if sys.stdout is None:
        fail("Standard output is closed: open it, or send it to /dev/null.", 1)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def make_console(*, stderr: bool = False, quiet: bool = False) -> "Console":
    """Make a console that colours a terminal and nothing else."""
    from rich.console import Console

    return Console(stderr=stderr, quiet=quiet, highlight=False, soft_wrap=False)


def console_for(*, json: bool, quiet: bool) -> "Console":
    """Make the console for all that is not JSON.

    Beside JSON that is standard error, and only where somebody may be watching it.
    """
    return make_console(stderr=json, quiet=quiet or (json and not sys.stderr.isatty()))


def say_files(console: "Console", folder: "Path", files: Mapping[str, str]) -> None:
    """List what was written, and what it is."""
    from rich.text import Text

    places = {plain(str(folder / file)): what for file, what in files.items()}
    longest = max(map(len, places), default=0)
    for place, what in places.items():
        name = Text(f"{place:<{longest}}", "cyan")
        console.print(name, Text(what, "dim"), soft_wrap=True)


def say_next(console: "Console", *command: str) -> None:
    """Say which command comes next."""
    from rich.text import Text

    line = Text(f"Next: {plain(shlex.join(command))}", "dim")
    console.print(line, soft_wrap=True)


class Watch(NamedTuple):
    """What a run reports to.

    Attributes:
        step: Takes each turn as soon as it is decided.
        epoch: Takes each epoch of a first training, and how many there are.
    """

    step: Callable[["Step"], None]
    epoch: Callable[[int, int], None]


@contextmanager
def progress(console: "Console") -> Iterator[Watch]:
    """Show each stage as a bar of what is gone, with score and density."""
    from rich.progress import BarColumn, Progress, TaskID, TimeElapsedColumn

    wide = console.width >= _ROOM_FOR_BARS
    bar = Progress(
        "{task.description}",
        *([BarColumn(bar_width=20)] if wide else []),
        "{task.fields[said]}",
        *([TimeElapsedColumn()] if wide else []),
        console=console,
    )
    rows: dict[str, TaskID] = {}
    # What a stage has reached: its last trial, as a rule, was one too many.
    reached: dict[str, str] = {}

    def watch(step: "Step") -> None:
        if step.stage == "dense":
            return
        name = "edges" if step.stage == "retrain" else step.stage
        said = f"{step.left} of {step.total} left, score {step.score:.3f}"
        said += f", density {step.density:.2%}" if wide else ""
        if name not in rows:
            settle()
            rows[name] = bar.add_task(name, total=step.total, said="")
        if step.accepted:
            reached[name] = said
            bar.update(rows[name], completed=step.removed)
        said += "" if step.accepted else ", undone"
        bar.update(rows[name], said=said)

    def epoch(now: int, total: int) -> None:
        if "training" not in rows:
            rows["training"] = bar.add_task("training", total=total, said="")
        bar.update(rows["training"], completed=now, said=f"epoch {now} of {total}")

    def settle() -> None:
        for name, said in reached.items():
            bar.update(rows[name], said=said)
            if bar.tasks[rows[name]].stop_time is None:
                bar.stop_task(rows[name])

    with bar:
        try:
            yield Watch(watch, epoch)
        finally:
            settle()
            if not rows:
                erase(bar)
    if not rows:
        console.print("This had been done before, and is shown again.", style="dim")


@contextmanager
def sweep_progress(console: "Console") -> Iterator[Callable[["Progress"], None]]:
    """Show a sweep as one bar, with the runs that have ended and the time left."""
    # Rounds differ: only over minutes is their pace a good guess.
    bar = long_bar(console, period=600)
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
            if bar.tasks[row].total is None:
                erase(bar)
            raise


def long_bar(console: "Console", *, period: float) -> "LongBar":
    """Make a bar for work of minutes or hours, with the time that is left.

    Args:
        console: Where to.
        period: The seconds over which its pace is measured.

    Returns:
        A bar whose tasks have the fields `said` and `clock`.
    """
    from rich import progress as rich

    return rich.Progress(
        *([rich.BarColumn(bar_width=20)] if console.width >= _ROOM_FOR_BARS else []),
        "{task.fields[said]}",
        rich.TimeRemainingColumn(elapsed_when_finished=True),
        "{task.fields[clock]}",
        console=console,
        speed_estimate_period=period,
    )


def erase(bar: "LongBar") -> None:
    """Take away a bar that has nothing to show: an error stands alone, on no blank."""
    bar.live.transient = True
    bar.live.stop()
    # What would stop it once more ends with a line of its own.
    bar.disable = True


class Interrupted(SculptError):
    """Ctrl-C, or a request to end, during a command that can be resumed."""

    def __init__(self, out: "Path", *, code: int) -> None:
        there = out.is_dir() and any(x.name[0] != "." for x in out.iterdir())
        reached = (
            f"what was reached is in {out}" if there else "nothing was reached yet"
        )
        again = "Resume with the same command" if there else "To begin again"
        super().__init__(
            f"stopped; {reached}. {again}: {shlex.join(['sculpt', *sys.argv[1:]])}"
        )
        self.code = code


class _Terminated(BaseException):
    """A request to end, as `kill` and the end of a batch job send it."""


@contextmanager
def resumable(out: "Path") -> Iterator[None]:
    """Let Ctrl-C, and a request to end, stop a command in order and say how to go on.

    Where a request to end would end this process alone, as it does by itself, worker
    processes would go on and keep the folder. A second one ends it at once.

    Args:
        out: The folder of what is reached.

    Raises:
        Interrupted: The command was stopped.
    """
    # Only the main thread may say what a signal does.
    main = threading.current_thread() is threading.main_thread()
    if main:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(out, code=130) from None
    except _Terminated:
        raise Interrupted(out, code=143) from None
    finally:
        if main:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(number: int, frame: object) -> None:
    """Make a request to end an exception, once."""
    signal.signal(number, signal.SIG_DFL)
    raise _Terminated


def explained(error: Exception) -> tuple[str, int]:
    """Give text and exit code of an error that is not ours."""
    message = getattr(error, "format_message", None)
    if message is not None:
        # An option that lacks its value does not tell whose option it is.
        typed = " ".join(["sculpt", *(x for x in sys.argv[1:2] if x[:1] != "-")])
        command = getattr(getattr(error, "ctx", None), "command_path", typed)
        # Some versions of typer leave in what their own checker calls an error.
        said = message().rstrip(".").replace("Value error, ", "")
        stop = "" if said.endswith("?") else "."
        return f"{said}{stop} See: {command} --help", getattr(error, "exit_code", 2)
    if isinstance(error, OSError):
        where = error.filename or "Standard output"
        reason = error.strerror or one_line(error)
        return f"{where} cannot be read or written ({reason}). {_LOOK}", 1
    return (
        f"{type(error).__name__}: {one_line(error)}. This is a fault of Sculpt's own; "
        "with SCULPT_DEBUG=1 it shows where.",
        1,
    )


def fail(message: str, code: int) -> NoReturn:
    """Say on one line what went wrong, and leave."""
    sys.stderr.write(f"sculpt: {plain(message)}\n")
    sys.exit(code)


def plain(message: str) -> str:
    """Spell out what a terminal would obey instead of showing it."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in message)
