"""`sculpt sweep`: a table or JSON, one-line errors, and sweeps that go on."""

import json
import signal
import subprocess
import sys
import time

import pytest
from small_sweep import engine

from sculpt_plugin import cli, store, sweeping


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def sculpt(capsys, monkeypatch):
    """Run the command and give exit code, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["sculpt", *map(str, arguments)])
        with pytest.raises(SystemExit) as leave:
            cli.main()
        captured = capsys.readouterr()
        return leave.value.code, captured.out, captured.err

    return run


@pytest.fixture
def fake(monkeypatch):
    """Sweeps that are made by hand instead of being trained."""
    monkeypatch.setattr(sweeping, "sweep", engine)


SMALL = [
    *("sweep", "4,1,4", "--hidden", "6", "--unit-steps", "20:60:20"),
    *("--edge-steps", "2", "--seeds", "0,3"),
]


def test_the_sparsest_of_each_seed_and_the_files_are_shown(fake, sculpt, tmp_path):
    code, out, _ = sculpt(*SMALL, "--out", tmp_path / "out")
    assert code == 0
    assert "6 of 6 runs ended with a result" in out
    assert "│    0 │" in out and "│    3 │" in out
    for name in ("sweep.json", "grid.png", "seed-0", "seed-3"):
        assert f"{tmp_path / 'out' / name}" in out
        assert (tmp_path / "out" / name).exists()


def test_json_is_all_that_stdout_has_and_what_the_folder_has(fake, sculpt, tmp_path):
    code, out, err = sculpt(*SMALL, "--out", tmp_path, "--json")
    assert code == 0
    assert json.loads(out) == json.loads((tmp_path / "sweep.json").read_text())
    assert err == ""


def test_the_grid_is_the_papers_where_nothing_else_is_asked_for(
    monkeypatch, sculpt, tmp_path
):
    seen = {}

    def watched(*_, **settings):
        seen.update(settings)
        raise KeyboardInterrupt

    monkeypatch.setattr(sweeping, "sweep", watched)
    sculpt("sweep", "4,2,4", "--out", tmp_path)
    assert seen["unit_steps"] == [step / 100 for step in range(5, 71, 5)]
    assert seen["edge_steps"] == [0.005, 0.01, 0.015, 0.02, 0.025]
    assert seen["seeds"] == (0, 1, 2, 5)
    assert seen["one_by_one"] is False


def test_one_by_one_reaches_the_engine(monkeypatch, sculpt, tmp_path):
    seen = {}

    def watched(*_, **settings):
        seen.update(settings)
        raise KeyboardInterrupt

    monkeypatch.setattr(sweeping, "sweep", watched)
    sculpt("sweep", "4,2,4", "--one-by-one", "--out", tmp_path)
    assert seen["one_by_one"] is True


def test_an_interrupt_says_how_to_go_on(monkeypatch, sculpt, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweeping, "sweep", interrupted)
    code, _, err = sculpt(*SMALL, "--out", tmp_path)
    assert code == 130
    assert "Resume with the same command: sculpt sweep 4,1,4 --hidden 6" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["seed-0", "seed-3/model.safetensors"])
def test_the_network_of_a_seed_is_analyzed_as_it_was(fake, sculpt, tmp_path, name):
    sculpt(*SMALL, "--out", tmp_path)
    both = ("--method", "bidirectional")
    code, out, _ = sculpt("analyze", tmp_path / name, "--json", *both)
    folder = tmp_path / name.split("/", maxsplit=1)[0]
    written = json.loads((folder / "report.json").read_text())
    found = json.loads(out)
    assert code == 0
    for key in ("layers", "modules", "edges"):
        assert found[key] == written[key]


def test_analyze_of_a_whole_sweep_says_to_name_a_network(fake, sculpt, tmp_path):
    sculpt(*SMALL, "--out", tmp_path)
    code, _, err = sculpt("analyze", tmp_path)
    assert code == 1
    assert f"name one of its networks, as in {tmp_path / 'seed-0'}" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--unit-steps", "70:5:5"], 2, "first:last:step, such as 5:70:5, got '70:5:5"),
        (["--unit-steps", "0"], 2, "--unit-steps must be per cent above 0"),
        (["--edge-steps", "a"], 2, "such as 0.5:2.5:0.5, got 'a'"),
        (["--edge-steps", ""], 2, "--edge-steps must be per cent above 0"),
        (["--seeds", "1.5"], 2, "--seeds must be whole numbers"),
        (["--seeds", "1,1"], 2, "name each number once, got 1 twice"),
        (["--hidden", "0"], 2, "must be whole numbers above 0"),
        (["--jobs", "0"], 2, "--jobs"),
        (["--out", "x.txt"], 1, "a file is in the way"),
        (["--hidden", "1", "--seeds", "0"], 1, "none with hidden layers of 1 does"),
    ],
)
def test_wrong_usage_is_one_line_without_a_traceback(
    sculpt, tmp_path, monkeypatch, arguments, code, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.txt").write_text("hello")
    found, _, err = sculpt("sweep", "4,1,4", *arguments)
    assert found == code
    assert message in err
    assert err.count("\n") == 1


def test_an_unknown_task_is_said_before_a_folder_is_made(sculpt, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = sculpt("sweep", "9,9,9")
    assert (code, "`sculpt tasks` lists them" in err) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_an_error_before_the_first_training_shows_no_bar(sculpt, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    code, out, err = sculpt(*SMALL, "--out", tmp_path)
    assert (code, out) == (1, "")
    assert "holds 'notes.txt': choose another folder" in err


def test_a_sweep_that_was_interrupted_ends_like_one_that_was_not(sculpt, tmp_path):
    grid = ["--unit-steps", "10,30", "--edge-steps", "1", "--seeds", "0", "--json"]
    command = ["sweep", "4,2,4", *grid, "--out"]
    _, whole, _ = sculpt(*command, tmp_path / "a")
    process = subprocess.Popen(
        [sys.executable, "-m", "sculpt_plugin", *command, tmp_path / "b"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    begun = tmp_path / "b" / "checkpoint"
    deadline = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Resume with the same command: sculpt sweep 4,2,4" in err
    code, again, _ = sculpt(*command, tmp_path / "b")
    assert code == 0
    assert json.loads(again) == json.loads(whole)


def test_a_sweep_that_is_asked_to_end_stops_its_workers(tmp_path):
    grid = ["--seeds", "0,1", "--jobs", "2", "--out", tmp_path]
    process = subprocess.Popen(
        [sys.executable, "-m", "sculpt_plugin", "sweep", "4,2,4", *grid],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    parts = [tmp_path / "checkpoint" / name for name in ("part-000", "part-001")]
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if all((part / store.LOCK).exists() for part in parts):
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert b"Resume with the same command: sculpt sweep 4,2,4" in err
    for part in parts:
        with store.locked(part):
            pass


def test_a_run_in_a_sweeps_folder_is_told_that_it_is_in_use(fake, sculpt, tmp_path):
    sculpt(*SMALL, "--out", tmp_path)

    code, _, err = sculpt("run", "4,1,4", "--out", tmp_path)

    assert code == 1
    assert "must be empty or an earlier run's, but it holds" in err


def test_quiet_writes_everything_and_prints_nothing(fake, sculpt, tmp_path):
    assert sculpt(*SMALL, "--out", tmp_path, "--quiet") == (0, "", "")
    assert (tmp_path / "sweep.json").exists()
