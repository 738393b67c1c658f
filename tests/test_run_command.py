"""What `sculpt run` and `sculpt demo` print: for people, for programs, or nothing."""

import json
import sys

import pytest
import torch
from fake_mnist import SHORT, make_small, write_mnist

from sculpt_plugin import cli, running_digits

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


def test_one_by_one_goes_on_where_the_search_ends(sculpt, tmp_path):
    small = ("run", "4,2,4", "--hidden", "12", "--edge-step", "10", "--json")
    short = json.loads(sculpt(*small, "--out", "short")[1])
    long = json.loads(sculpt(*small, "--out", "long", "--one-by-one")[1])

    records = [
        (tmp_path / name / "record.jsonl").read_text() for name in ("short", "long")
    ]
    decisions = [
        [{**json.loads(line), "seconds": 0} for line in record.splitlines()]
        for record in records
    ]
    assert decisions[1][: len(decisions[0])] == decisions[0]
    assert long["edges"] <= short["edges"]
    assert long["turns"] >= short["turns"] + long["edges"] - 1


def test_quiet_writes_everything_and_prints_nothing(sculpt, tmp_path):
    assert sculpt(*SMALL, "--quiet") == (0, "", "")
    assert (tmp_path / "sculpt-4,1,4" / "report.json").exists()
    assert "<title>sculpt-4,1,4" in (tmp_path / "sculpt-4,1,4/report.html").read_text()


def test_progress_ends_on_what_was_kept_and_all_on_the_next_command(sculpt):
    _, out, _ = sculpt(*SMALL)
    assert "score 1.000, density" in out
    assert "undone" not in out
    assert "witnesses: this network alone" in out
    assert out.endswith("\nNext: sculpt sweep 4,1,4 --hidden 12\n")


def test_a_run_that_had_ended_says_so(sculpt):
    said = "This had been done before"
    first, again = sculpt(*SMALL)[1], sculpt(*SMALL)[1]
    assert said not in first and said in again
    # All else is the same, but for the bars.
    assert again.split("\n", 1)[1] == first[first.index("Kept ") :]


def test_another_seed_in_the_same_folder_is_told_how_to_name_another(sculpt):
    sculpt(*SMALL)
    code, _, err = sculpt(*SMALL, "--seed", "1")
    assert code == 1
    assert "there seed is 0, here it is 1" in err
    assert "--out" in err


@pytest.mark.parametrize("how", [(), ("--json",), ("--quiet",)])
def test_an_error_is_one_line_and_nothing_else(sculpt, how):
    code, out, err = sculpt("run", "4,1,4", "--hidden", "1", *how)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("sculpt: A network must learn")


def test_demo_is_one_document_for_programs_too(sculpt):
    found = json.loads(sculpt("demo", "--json")[1])
    assert len(found["report"]["modules"]) == 6
    # As README and its picture have it.
    assert (found["edges"], found["edge_total"]) == (15, 792)


@pytest.fixture
def digits(monkeypatch, tmp_path):
    """A small MNIST in `data`, few turns, and torch left as it was."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    make_small(monkeypatch, tmp_path / "cache", training=20, validation=5)
    monkeypatch.setattr(running_digits, "SEARCH", SHORT)
    write_mnist(tmp_path / "data")
    yield ("run", "digits-hierarchical", "--data", "data", "--hidden", "16,16")
    torch.set_flush_denormal(False)


def test_digits_are_one_document_with_result_and_report(sculpt, digits, tmp_path):
    code, out, err = sculpt(*digits, "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert found["schema"] == "sculpt-run/1"
    assert found["score"] >= found["min_score"]
    assert found["scored_on"] == "on 320 validation images"
    folder = tmp_path / "sculpt-digits-hierarchical"
    assert found["report"] == json.loads((folder / "report.json").read_text())
    pictures = [folder / name for name in found["files"] if name.endswith(".png")]
    assert folder / "pixels.png" in pictures
    for picture in pictures:
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_digits_can_be_quiet(sculpt, digits, tmp_path):
    there = ("--device", "cpu", "--bf16")
    assert sculpt(*digits, "--quiet", "--out", "x", *there) == (0, "", "")
    assert (tmp_path / "x" / "pixels.png").exists()


def test_digits_say_what_was_kept_and_which_command_is_next(sculpt, digits):
    _, out, _ = sculpt(*digits)
    assert "on 320 validation images" in out
    assert "the pixels that are still read, by module" in out
    assert out.endswith("\nNext: sculpt reproduce digits --data data\n")


PAIR = ("run", "digits-pair")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (PAIR, 2, "--data must name the folder that has MNIST"),
        ((*PAIR, "--download"), 2, "--data must name the folder that has MNIST"),
        ((*PAIR, "--data", "nowhere"), 1, "nowhere must hold MNIST"),
        (
            (*PAIR, "--data", "data", "--unit-step", "5"),
            2,
            "--unit-step is only for tasks other than digits-pair: leave it out",
        ),
        ((*PAIR, "--data", "data", "--edge-step", "5"), 2, "--edge-step is only for"),
        ((*PAIR, "--data", "data", "--one-by-one"), 2, "--one-by-one is only for"),
        ((*PAIR, "--data", "data", "--hidden", "0"), 2, "must be whole numbers above"),
        (
            (*PAIR, "--data", "data", "--hidden", "9", "--device", "nonsense"),
            1,
            "device must be one that torch can use here, got 'nonsense'",
        ),
        (("run", "4,1,4", "--data", "data"), 2, "--data is only for tasks on digits"),
        (("run", "4,1,4", "--download"), 2, "--download is only for tasks on digits"),
        (("run", "4,1,4", "--device", "cpu"), 2, "--device is only for tasks on dig"),
        (("run", "4,1,4", "--bf16"), 2, "--bf16 is only for tasks on digits"),
        (("run", "digits-nonsense", "--data", "data"), 1, "must be one of digits-hi"),
        (("run", "digits-nonsense"), 1, "digits-pair, got 'digits-nonsense'"),
    ],
)
def test_wrong_options_for_digits_are_one_line(
    sculpt, digits, arguments, code, message
):
    found, out, err = sculpt(*arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert message in err
