"""The list of tasks, as a table and as data."""

import json
import sys

import pytest

from sculpt_plugin import cli, tasks


@pytest.fixture
def sculpt(capsys, monkeypatch):
    """Run `sculpt tasks`; give exit code, stdout and stderr."""

    def run(*arguments, columns=80):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys, "argv", ["sculpt", "tasks", *arguments])
        with pytest.raises(SystemExit) as leave:
            cli.main()
        captured = capsys.readouterr()
        return leave.value.code, captured.out, captured.err

    return run


def test_data_name_every_task(sculpt):
    code, out, err = sculpt("--json")
    found = json.loads(out)
    assert (code, err, found["schema"]) == (0, "", "sculpt-tasks/1")
    assert [task["name"] for task in found["tasks"]] == list(tasks.names())
    assert found["tasks"][1] == {
        "name": "4,1,2,16",
        "families": ["exemplar", "reuse"],
        "inputs": 4,
        "outputs": 16,
        "modules": 3,
    }


def test_quiet_prints_nothing(sculpt):
    assert sculpt("--quiet") == (0, "", "")


def test_narrow_terminal_keeps_names_and_headers_whole(sculpt):
    _, out, _ = sculpt(columns=40)
    assert max(map(len, out.splitlines())) <= 40
    assert all(f"{name} " in out for name in tasks.names())
    assert "outputs" in out and "modules" in out


def test_tasks_on_digits_are_named_and_what_they_need(sculpt):
    _, out, _ = sculpt()
    assert "digits-hierarchical and digits-pair: on MNIST, with --data\n" in out


def test_next_command_is_the_last_line(sculpt):
    assert sculpt()[1].endswith("\nNext: sculpt run 4,2,4\n")


def test_wide_terminal_has_room_for_the_families(sculpt):
    assert "exemplar, reuse" in sculpt(columns=60)[1]
