import json
import sys

import pytest
from small_sweep import engine

from sculpt_plugin import cli
from sculpt_plugin.reproducing import experiments, outcome
from sculpt_plugin.reproducing.experiments import Cell

CELLS = (
    Cell("4,2,4", (6,), (0.1,), (0.01,), seeds=(0,)),
    Cell("4,1,2,2", (6,), (0.1,), (0.01,), seeds=(0,)),
)


@pytest.fixture
def sculpt(capsys, monkeypatch):
    """Run the command on tiny experiments; give exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(outcome, "sweep", engine)
    monkeypatch.setattr(
        experiments,
        "cells",
        lambda families: CELLS[:1] if families == ("exemplar",) else CELLS,
    )

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["sculpt", *map(str, arguments)])
        with pytest.raises(SystemExit) as leave:
            cli.main()
        captured = capsys.readouterr()
        return leave.value.code, captured.out, captured.err

    return run


def test_it_shows_tables_and_writes_them(sculpt, tmp_path):
    code, out, _ = sculpt("reproduce", "exemplar", "--out", tmp_path / "out")
    assert code == 0
    assert "1 of 1 cells" in out
    assert "[4,2,4]" in out
    assert (tmp_path / "out" / "results.json").exists()
    text = (tmp_path / "out" / "results.md").read_text()
    assert "`sculpt reproduce exemplar --jobs 1`" in text


def test_a_log_has_a_line_for_each_cell(sculpt, tmp_path):
    _, out, _ = sculpt("reproduce", "--out", tmp_path / "out")
    assert "1 of 2 cells" in out
    assert "2 of 2 cells" in out


def test_json_is_all_that_is_printed(sculpt, tmp_path):
    code, out, err = sculpt("reproduce", "--json", "--out", tmp_path / "out")
    found = json.loads(out)
    assert code == 0
    assert [row["task"] for row in found["rows"]] == ["4,2,4", "4,1,2,2"]
    assert err == ""


def test_the_folder_grows_from_one_family_to_all(sculpt, tmp_path):
    sculpt("reproduce", "exemplar", "--out", tmp_path / "out")
    _, out, _ = sculpt("reproduce", "--out", tmp_path / "out")
    assert "2 of 2 cells" in out
    assert "[4,1,2,2]" in out


def test_an_unknown_family_is_wrong_usage(sculpt, tmp_path):
    code, _, err = sculpt("reproduce", "letters", "--out", tmp_path / "out")
    assert code == 2
    assert err.count("\n") == 1
    assert "overlap" in err


def test_a_folder_in_other_use_is_one_line(sculpt, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    code, _, err = sculpt("reproduce", "exemplar", "--out", tmp_path)
    assert code == 1
    assert err.count("\n") == 1
    assert "choose another folder" in err


def test_an_interrupt_says_how_to_go_on(sculpt, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(outcome, "sweep", stop)
    code, _, err = sculpt("reproduce", "exemplar", "--out", tmp_path / "out")
    assert code == 130
    assert "Resume with the same command: sculpt reproduce exemplar" in err


def test_quiet_writes_everything_and_prints_nothing(sculpt, tmp_path):
    assert sculpt("reproduce", "--quiet", "--out", tmp_path / "out") == (0, "", "")
    assert (tmp_path / "out" / "results.json").exists()
