"""A Boolean task from a dense network to its modules."""

import pytest

from sculpt_plugin import tasks
from sculpt_plugin.errors import TaskError
from sculpt_plugin.running import sculpt_task


def test_modules_are_found_by_the_method_that_was_asked_for():
    _, report = sculpt_task(
        tasks.get("4,1,4"),
        hidden=(12,),
        unit_step=50,
        edge_step=20,
        method="bidirectional",
    )
    assert report.settings["method"] == "bidirectional"


def test_the_name_of_a_task_is_no_task_and_the_error_says_where_to_get_one():
    unchecked = getattr(sculpt_task, "__wrapped__", sculpt_task)
    with pytest.raises(TaskError, match=r"got '4,1,4': pass tasks\.get\(NAME\)"):
        unchecked("4,1,4")
