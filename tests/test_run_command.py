"""What `sculpt run` and `sculpt demo` print: for people, for programs, or nothing."""

import json
import sys

import pytest

from sculpt_plugin import cli

SMALL = ("run", "4,1,4", "--hidden", "12")


@pytest.fixture
def sculpt(capsys, monkeypatch, tmp_path):
    """Run the command in a folder of its own; give exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["sculpt", *arguments])
        with pytest.raises(SystemExit) as leave:
            cli.main()
        captured = capsys.readouterr()
        return leave.value.code, captured.out, captured.err

    return run


def test_json_is_one_document_with_result_and_report(sculpt, tmp_path):
    code, out, err = sculpt(*SMALL, "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert (found["schema"], found["score"]) == ("sculpt-run/1", 1.0)
    assert found["density"] == found["edges"] / found["edge_total"]
    folder = tmp_path / found["folder"]
    assert all((folder / name).exists() for name in found["files"])
    assert found["report"] == json.loads((folder / "report.json").read_text())


def test_quiet_writes_everything_and_prints_nothing(sculpt, tmp_path):
    assert sculpt(*SMALL, "--quiet") == (0, "", "")
    assert (tmp_path / "sculpt-4,1,4" / "report.json").exists()


def test_progress_ends_on_what_was_kept_and_all_on_the_next_command(sculpt):
    _, out, _ = sculpt(*SMALL)
    assert "score 1.000, density" in out
    assert "undone" not in out
    assert out.endswith("\nNext: sculpt sweep 4,1,4 --hidden 12\n")


@pytest.mark.parametrize("how", [(), ("--json",), ("--quiet",)])
def test_an_error_is_one_line_and_nothing_else(sculpt, how):
    code, out, err = sculpt("run", "4,1,4", "--hidden", "1", *how)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("sculpt: A network must learn")


def test_demo_is_one_document_for_programs_too(sculpt):
    found = json.loads(sculpt("demo", "--json")[1])
    assert len(found["report"]["modules"]) == 6
