"""Work spread over processes: every result, and errors as the work gave them."""

import os
import signal
from pathlib import Path

import pytest

from sculpt_plugin.errors import TaskError, TrainError
from sculpt_plugin.reproducing.spreading import spread


def refuse(what):
    raise TaskError(f"A number must be even, got {what}.")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_call_is_made_once(jobs):
    calls = [(base, power) for base in range(4) for power in range(3)]
    found = spread(pow, calls, jobs=jobs, kept=Path("here"))
    assert sorted(found) == sorted(base**power for base, power in calls)


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_work_gives_no_results(jobs):
    assert list(spread(pow, [], jobs=jobs, kept=Path("here"))) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_the_work_stays_what_it_was(jobs):
    with pytest.raises(TaskError, match=r"^A number must be even, got 3\.$"):
        list(spread(refuse, [(3,)], jobs=jobs, kept=Path("here")))


def test_a_worker_that_is_killed_is_one_line_that_says_where_the_rest_is():
    with pytest.raises(
        TrainError, match=r"are in here\. Run the same command"
    ) as error:
        list(spread(die, [()], jobs=2, kept=Path("here")))
    assert "\n" not in str(error.value)
