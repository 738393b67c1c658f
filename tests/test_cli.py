import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from networks import mlp
from torch import nn

from sculpt_plugin import cli


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


# Of a network that ends as one module; not all of this task do.
RUN = ("run", "4,1,4", "--hidden", "12", "--seed", "4")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder that `sculpt run 4,1,4` filled."""
    out = tmp_path_factory.mktemp("run") / "out"
    command = [sys.executable, "-m", "sculpt_plugin", *RUN, "--out", out]
    subprocess.run(command, check=True, capture_output=True)
    return out


def halves():
    """Two functions of two inputs each."""
    model = mlp(4, 2, 2)
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]]))
        model[2].weight.copy_(torch.eye(2))
    return model


def test_a_run_writes_report_pictures_record_and_models(finished):
    assert sorted(path.name for path in finished.iterdir()) == [
        ".lock",
        "checkpoint",
        "compact.safetensors",
        "curve.png",
        "hierarchy.png",
        "layers.png",
        "masks.safetensors",
        "model.safetensors",
        "record.jsonl",
        "report.html",
        "report.json",
        "run.json",
    ]
    report = json.loads((finished / "report.json").read_text())
    assert report["schema"] == "sculpt-report/1"
    assert (finished / "layers.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_command_again_trains_no_more_and_ends_the_same(finished, sculpt):
    before = (finished / "checkpoint" / "record.jsonl").read_bytes()
    report = json.loads((finished / "report.json").read_text())
    code, out, _ = sculpt(*RUN, "--out", finished)
    assert code == 0
    assert "One module: no structure here\n" in out
    assert (finished / "checkpoint" / "record.jsonl").read_bytes() == before
    assert json.loads((finished / "report.json").read_text()) == report


@pytest.mark.parametrize("name", ["", "model.safetensors", "compact.safetensors"])
def test_what_a_run_wrote_is_analyzed_under_original_numbers(finished, sculpt, name):
    code, out, _ = sculpt("analyze", finished / name, "--json")
    found, written = json.loads(out), json.loads((finished / "report.json").read_text())
    assert code == 0
    for key in ("layers", "modules", "edges"):
        assert found[key] == written[key]


def test_a_run_that_reached_nothing_leaves_its_folder_to_the_next(sculpt, tmp_path):
    out = tmp_path / "out"
    assert sculpt("run", "4,1,4", "--hidden", "1", "--out", out)[0] == 1
    assert sculpt("run", "4,1,4", "--hidden", "12", "--out", out)[0] == 0


def test_a_damaged_run_is_named(finished, sculpt, tmp_path):
    (tmp_path / "run.json").write_text('{"format"')
    code, _, err = sculpt("run", "4,1,4", "--out", tmp_path)
    assert (code, "run.json is damaged" in err) == (1, True)


def test_another_runs_folder_is_refused(finished, sculpt):
    code, _, err = sculpt("run", "4,1,4", "--hidden", "13", "--out", finished)
    assert code == 1
    assert "there hidden is [12], here it is [13]" in err


def test_a_folder_with_other_things_is_refused(sculpt, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    code, _, err = sculpt("run", "4,1,4", "--out", tmp_path)
    assert code == 1
    assert err.count("\n") == 1
    assert "holds 'notes.txt': choose another folder" in err


def test_a_state_dict_is_analyzed_and_drawn(sculpt, tmp_path):
    torch.save(halves().state_dict(), tmp_path / "model.pt")
    picture = tmp_path / "layers.svg"
    code, out, _ = sculpt("analyze", tmp_path / "model.pt", "--plot", picture)
    assert code == 0
    assert "M1" in out and "x2, x3" in out
    assert "<svg" in picture.read_text()


def test_a_pickled_model_is_analyzed(sculpt, tmp_path):
    torch.save(halves(), tmp_path / "whole.pt")
    code, out, _ = sculpt("analyze", tmp_path / "whole.pt", "--json", "--hops", 1)
    assert code == 0
    assert json.loads(out)["settings"]["hops"] == 1
    assert len(json.loads(out)["modules"]) == 2


def test_a_convolution_asks_for_the_shape_and_takes_it(sculpt, tmp_path):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2))
    torch.save(model, tmp_path / "conv.pt")
    code, _, err = sculpt("analyze", tmp_path / "conv.pt")
    assert (code, err.count("\n")) == (1, 1)
    assert "pass --input-shape" in err
    assert sculpt("analyze", tmp_path / "conv.pt", "--input-shape", "1,4,4")[0] == 0


def test_a_model_of_the_users_own_code_is_built_from_where_the_user_stands(
    sculpt, tmp_path, monkeypatch
):
    (tmp_path / "mine_for_cli.py").write_text(
        "from torch import nn\ndef build():\n    return nn.Sequential("
        "nn.Linear(4, 2), nn.Tanh(), nn.Linear(2, 2))\n"
    )
    torch.save(halves().state_dict(), tmp_path / "state.pt")
    monkeypatch.chdir(tmp_path)
    code, out, _ = sculpt("analyze", "state.pt", "--model", "mine_for_cli:build")
    assert (code, "M1" in out) == (0, True)


class Bomb:
    def __reduce__(self):
        return os.system, ("touch canary",)


def test_a_bare_pickle_is_refused_with_the_same_exit_code(sculpt, tmp_path):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(Bomb()))
    code, _, err = sculpt("analyze", tmp_path / "x.pkl")
    assert (code, err.count("\n")) == (3, 1)


def test_an_interrupt_at_the_very_start_is_one_line_and_130():
    for delay in (0.1, 0.4, 0.9):
        command = [sys.executable, "-m", "sculpt_plugin", "tasks"]
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        if process.returncode == -signal.SIGINT:
            continue  # Python itself had not started yet
        assert (process.returncode, err) in [(130, "sculpt: interrupted\n"), (0, "")]


def test_a_fault_of_our_own_is_one_line(sculpt, monkeypatch):
    def broken():
        raise KeyError("x")

    monkeypatch.setattr("sculpt_plugin.tasks.names", broken)
    code, _, err = sculpt("tasks")
    assert (code, err.count("\n")) == (1, 1)
    assert "SCULPT_DEBUG=1" in err


def test_a_file_that_asks_for_code_is_refused_with_its_own_exit_code(
    sculpt, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Bomb()}, "bomb.pt")
    code, _, err = sculpt("analyze", "bomb.pt")
    assert (code, err.count("\n")) == (3, 1)
    assert "Nothing was run" in err
    assert not Path("canary").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "4,2,5"], 1, "4,2,4"),
        (["run", "4,2,4", "--hidden", "a"], 2, "must be whole numbers above 0"),
        (["run", "4,2,4", "--hidden", "0"], 2, "must be whole numbers above 0"),
        (["run", "4,2,4", "--unit-step", "0", "--out", "x"], 2, "at most 100 per cent"),
        (
            ["run", "4,2,4", "--unit-step", "nan", "--out", "x"],
            2,
            "at most 100 per cent",
        ),
        (["run", "4,2,4", "--edge-step", "200", "--out", "x"], 2, "got 200"),
        (["run", "4,2,4", "--seed", "9" * 20, "--out", "x"], 2, "--seed"),
        (["run", "4,2,4", "--hidden", "9" * 20, "--out", "x"], 1, "fit the memory"),
        (["run", "4,2,4", "--hidden", "2", "--out", "x"], 1, "choose wider hidden"),
        (["run", "9,9,9", "--out", "x"], 1, "A task must be one of the paper's"),
        (["run", "4,2,4", "--seed", "-1", "--out", "x"], 2, "--seed"),
        (["analyze", "nothing.pt"], 1, "is not there"),
        (["analyze", "x.txt"], 1, "x.txt"),
        (["analyze", "m.pt", "--plot", "a.gif"], 1, "must end in .png or .svg"),
        (["analyze", "m.pt", "--hops", "0"], 2, "--hops"),
        (["analyze", "m.pt", "--merge-threshold", "2"], 2, "--merge-threshold"),
        (["analyze", "m.pt", "--input-shape", ""], 2, "1,28,28"),
        (["analyze", "m.pt", "--input-shape", "9" * 20], 1, "fit the memory"),
        (
            ["analyze", "m.pt", "--model", "a:b", "--unsafe-load"],
            2,
            "go together",
        ),
        (["analyze", "."], 1, "Name the file."),
        (["analyze", "dead.pt"], 1, "every hidden unit is dead"),
        (["analyze", "m.pt", "--input-shape", "7"], 1, "7"),
        (["analyze", "m.pt", "--model", "no_such:thing"], 1, "no_such"),
        (["analyze", "m.pt", "--html", "x.pdf"], 1, "must end in .html or .htm"),
        (["analyze", "m.pt", "--merge-threshold", "1"], 2, "--merge-threshold must be"),
        (["analyze", "/dev/null"], 1, "sculpt: /dev/null must be a model file, but is"),
        (["analyze", "m.pt", "--key", "x"], 1, "but one model, which needs no key."),
        (["analyze", "m.pt", "--allow", "json"], 1, "but none is made in 'json'"),
        (["run", "4,2,4", "--hidden"], 2, "an argument. See: sculpt run --help"),
        (["scuplt"], 2, "No such command"),
    ],
)
def test_wrong_usage_is_said_without_a_traceback(
    sculpt, tmp_path, monkeypatch, arguments, code, message
):
    monkeypatch.chdir(tmp_path)
    Path("x.txt").write_text("hello")
    torch.save(halves().state_dict(), "m.pt")
    dead = mlp(3, 1, 2)
    nn.init.zeros_(dead[2].weight)
    torch.save(dead, "dead.pt")
    found, _, err = sculpt(*arguments)
    assert found == code
    assert message in err
    assert "Traceback" not in err
    assert err.count("\n") == 1


def test_a_chain_that_only_the_weights_tell_of_is_said_to_be_one(sculpt, tmp_path):
    torch.save(halves().state_dict(), tmp_path / "state.pt")
    torch.save(halves(), tmp_path / "whole.pt")
    assert "read as a chain" in sculpt("analyze", tmp_path / "state.pt")[1]
    assert "read as a chain" not in sculpt("analyze", tmp_path / "whole.pt")[1]


@pytest.mark.parametrize("arguments", [["-h"], ["run", "-h"], ["analyze", "-h"]])
def test_help_has_a_short_name(sculpt, arguments):
    code, out, _ = sculpt(*arguments)
    assert code == 0
    assert out.startswith("Usage: sculpt")


def test_control_characters_in_names_stay_out_of_the_terminal(sculpt, tmp_path):
    torch.save({"\x1b[31mred": 1}, tmp_path / "m.pt")
    _, _, err = sculpt("analyze", tmp_path / "m.pt")
    assert "\x1b" not in err


def test_tasks_are_listed(sculpt):
    code, out, _ = sculpt("tasks")
    assert code == 0
    assert "8,2,1,2,16" in out and "6,3,3,3" in out


def test_the_version_is_told(sculpt):
    code, out, _ = sculpt("--version")
    assert code == 0
    assert out.startswith("sculpt 0.1.0\npython 3.")


def test_an_interrupted_run_says_how_to_resume_and_resumes(tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "sculpt_plugin", "run", "4,2,4", "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    record = out / "checkpoint" / "record.jsonl"
    deadline = time.monotonic() + 60
    while not record.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Resume with the same command: sculpt run 4,2,4" in err
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert (out / "report.json").exists()


def test_without_a_command_the_help_is_shown(sculpt):
    code, out, _ = sculpt()
    assert code == 2 and "Usage: " in out and len(out.splitlines()) > 5


@pytest.mark.parametrize("command", ["tasks", "analyze nothing.pt"])
def test_closed_standard_output_is_one_line(command):
    shell = f"{sys.executable} -m sculpt_plugin {command} >&-"
    done = subprocess.run(shell, shell=True, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "sculpt: Standard output is closed: open it, or send it to /dev/null.\n"
    )


def test_closed_standard_error_changes_nothing_else():
    shell = f"{sys.executable} -m sculpt_plugin tasks --nonsense 2>&-"
    assert subprocess.run(shell, shell=True, capture_output=True).returncode == 2


def test_full_disk_behind_standard_output_is_one_line():
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    shell = f"{sys.executable} -m sculpt_plugin tasks --json >/dev/full"
    done = subprocess.run(shell, shell=True, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "Standard output cannot be read or written (No space left" in done.stderr


def test_terminal_that_knows_ascii_only_gets_ascii(tmp_path):
    model = nn.Sequential()
    model.add_module("größe", nn.Linear(2, 2))
    torch.save(model, tmp_path / "m.pt")
    done = subprocess.run(
        [sys.executable, "-m", "sculpt_plugin", "analyze", tmp_path / "m.pt"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "80"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"gr\\xf6\\xdfe  x0, x1 -> y0, y1" in done.stdout
