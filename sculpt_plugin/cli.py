"""The command `sculpt`: its commands, and one line for whatever goes wrong.

Exit codes: 0 done, 1 could not be done, 2 wrong usage, 3 refused a file that asks for
code to be run, 130 interrupted, 143 asked to end by a signal.
"""

import os
import sys
from typing import Annotated, NoReturn

import typer

from sculpt_plugin.analyze_command import analyze
from sculpt_plugin.errors import SculptError, UnsafeFileError
from sculpt_plugin.reproduce_command import reproduce
from sculpt_plugin.run_command import demo, run
from sculpt_plugin.sweep_command import sweep
from sculpt_plugin.tasks_command import tasks
from sculpt_plugin.terminal import Interrupted, explained, fail, open_streams

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Prune a network to an accuracy threshold, and read its modules off the rest.",
    epilog="Exit codes: 0 done, 1 could not be done, 2 wrong usage, 3 refused a file "
    "that asks for code to be run, 130 interrupted, 143 asked to end by a signal.",
)


def main() -> NoReturn:
    """Run the command; every error is one line on stderr."""
    open_streams()
    try:
        # Some versions of typer give the exit code of an interrupt back.
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except Interrupted as error:
        fail(str(error), error.code)
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
        bool, typer.Option("--version", help="Say which versions are at work.")
    ] = False,
) -> None:
    """Hold the options that come before a command."""
    if version:
        from sculpt_plugin.versions import versions

        for name, number in versions().items():
            typer.echo(f"{name} {number}")
        raise typer.Exit


for _command in (demo, tasks, run, sweep, reproduce, analyze):
    app.command()(_command)
