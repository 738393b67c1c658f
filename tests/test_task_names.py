"""Completion knows the tasks, and does not load torch for them."""

import os
import subprocess
import sys

from sculpt_plugin import tasks
from sculpt_plugin.task_names import completed


def test_names_are_those_of_the_tasks() -> None:
    assert tuple(completed("")) == tasks.names() + tasks.digit_names()


def test_a_shell_is_answered_without_torch() -> None:
    script = (
        "import atexit, sys; atexit.register(lambda: print('torch' in sys.modules));"
        "sys.argv = ['sculpt']; from sculpt_plugin.cli import main; main()"
    )
    asked = {
        "_SCULPT_COMPLETE": "complete_bash",
        "COMP_WORDS": "sculpt run 4,2",
        "COMP_CWORD": "2",
    }
    command = [sys.executable, "-c", script]
    out = subprocess.check_output(command, env={**os.environ, **asked}, text=True)
    assert out.split() == ["4,2,4", "False"]
