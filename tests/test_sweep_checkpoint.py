"""A sweep that was killed goes on where it was, and ends as one never killed."""

import multiprocessing
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
from tiny_sweep import OnTask, for_task, same_runs

from sculpt_plugin import store
from sculpt_plugin.errors import CheckpointError
from sculpt_plugin.pruning.lanes import alone, journal, together
from sculpt_plugin.pruning.sweep import sweep

START = OnTask("4,2,4", (12,))
STEPS = {"seeds": (3, 4), "unit_steps": (0.1, 0.4), "edge_steps": (0.03, 0.1)}


def small(folder, **changes):
    settings = {**STEPS, "checkpoint": folder, **changes}
    return sweep(START, for_task(START), **settings)


def small_in(folder: str, ready) -> None:
    """One process's work in the test that kills it."""
    torch.set_num_threads(1)
    journal._SECONDS = 0.0
    found = small(Path(folder) / "checkpoint", on_progress=lambda seen: ready.set())
    torch.save([run.__dict__ for run in found.runs], Path(folder) / "final.pt")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(journal, "_SECONDS", 0.0)
    with torch.random.fork_rng(devices=[]):
        found = small(folder)
    monkeypatch.undo()
    return found, folder


def copied(undisturbed, folder: Path, *, rounds: int | None = None) -> list[Path]:
    """Copy a finished checkpoint, or what it was after some rounds."""
    inside = folder / "part-000"
    inside.mkdir()
    (folder / "settings.json").write_bytes(
        (undisturbed[1] / "settings.json").read_bytes()
    )
    paths = sorted((undisturbed[1] / "part-000").glob("*.safetensors"))[:rounds]
    for path in paths:
        (inside / path.name).write_bytes(path.read_bytes())
    return [inside / path.name for path in paths]


def no_training(*args, **kwargs):
    raise AssertionError("trained again")


def test_a_checkpoint_changes_nothing(undisturbed):
    assert same_runs(small(None).runs, undisturbed[0].runs)


def test_a_finished_sweep_trains_no_more(undisturbed, monkeypatch):
    monkeypatch.setattr(together, "train_lanes", no_training)

    assert same_runs(small(undisturbed[1]).runs, undisturbed[0].runs)


@pytest.mark.parametrize("rounds", [0, 1, 2, 7, 12])
def test_after_any_round_it_goes_on_to_the_same_end(undisturbed, rounds, tmp_path):
    copied(undisturbed, tmp_path, rounds=rounds)

    assert same_runs(small(tmp_path).runs, undisturbed[0].runs)


def test_one_by_one_goes_on_to_the_same_end(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "_SECONDS", 0.0)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    expected = small(whole, one_by_one=True)
    rounds = len(list((whole / "part-000").glob("*.safetensors")))

    for number in (3 * rounds // 4, rounds - 2):
        shutil.rmtree(cut, ignore_errors=True)
        cut.mkdir()
        copied((expected, whole), cut, rounds=number)
        assert same_runs(small(cut, one_by_one=True).runs, expected.runs)


def test_an_error_on_the_way_loses_no_more_than_seconds(
    undisturbed, tmp_path, monkeypatch
):
    calls = []
    real = together.train_lanes

    def sometimes(*args, **kwargs):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(journal, "_SECONDS", 0.0)
    monkeypatch.setattr(together, "train_lanes", sometimes)
    with pytest.raises(KeyboardInterrupt):
        small(tmp_path)
    before = len(list((tmp_path / "part-000").glob("*.safetensors")))
    found = small(tmp_path)

    assert before == 5
    assert same_runs(found.runs, undisturbed[0].runs)


def test_killed_at_ten_random_moments_it_ends_as_if_never_killed(
    undisturbed, tmp_path, monkeypatch
):
    # The server imports torch once, and each process is a fork of it.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch._dynamo", "test_sweep_checkpoint"])

    def start(folder):
        folder.mkdir(exist_ok=True)
        ready = context.Event()
        process = context.Process(target=small_in, args=(str(folder), ready))
        process.start()
        ready.wait(60)
        return process

    process = start(tmp_path / "plain")
    began = time.monotonic()
    process.join()
    took = time.monotonic() - began
    chance = random.Random(1)
    journal = tmp_path / "killed" / "checkpoint" / "part-000"

    def written():
        return len(list(journal.glob("0*"))) if journal.exists() else 0

    kills, lengths = 0, set()
    while kills < 10:
        process = start(tmp_path / "killed")
        # By what is on disk and not by the clock, whatever else the machine is doing.
        wanted = written() + chance.randrange(3)
        while written() < wanted and process.is_alive():
            time.sleep(0.001)
        process.join(timeout=chance.uniform(0, took / 20))
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            kills += 1
            lengths.add(written())
        else:
            assert process.exitcode == 0
            shutil.rmtree(journal.parent)
    process = start(tmp_path / "killed")
    process.join()
    assert process.exitcode == 0
    assert len(lengths) > 3  # the kills came at many different points
    plain, killed = (
        torch.load(tmp_path / name / "final.pt", weights_only=False)
        for name in ("plain", "killed")
    )
    for one, two, run in zip(plain, killed, undisturbed[0].runs, strict=True):
        assert torch.equal(one["network"].values, two["network"].values)
        assert torch.equal(one["network"].keep, run.network.keep)
        assert [s.score for s in one["record"]] == [s.score for s in two["record"]]
        assert [s.removed for s in run.record] == [s.removed for s in two["record"]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": (3, 5)}, r"there seeds is \[3, 4\], here it is \[3, 5\]"),
        ({"unit_steps": (0.1,)}, "there unit_steps is"),
        ({"edge_steps": (0.03, 0.2)}, "there edge_steps is"),
        ({"min_score": 0.9}, "there min_score is 1.0, here it is 0.9"),
        ({"one_by_one": True}, "there one_by_one is False, here it is True"),
        ({"lanes": False}, "there lanes is True"),
        ({"jobs": 2}, "there jobs is 1, here it is 2. Use the same settings"),
    ],
)
def test_another_sweeps_folder_is_refused_in_one_line(undisturbed, changes, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        small(undisturbed[1], **changes)

    assert "\n" not in str(caught.value)


def test_other_networks_data_and_recipes_are_refused(undisturbed):
    folder = undisturbed[1]

    with pytest.raises(CheckpointError, match="start networks is"):
        sweep(OnTask("4,2,4", (13,)), for_task(START), **STEPS, checkpoint=folder)
    with pytest.raises(CheckpointError, match="there data is"):
        sweep(START, for_task(OnTask("4,1,4")), **STEPS, checkpoint=folder)
    with pytest.raises(CheckpointError, match="there epochs is 20, here it is 30"):
        sweep(START, for_task(START, epochs=30), **STEPS, checkpoint=folder)


def test_a_folder_with_other_things_is_refused_and_kept(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")

    with pytest.raises(CheckpointError, match=r"holds 'thesis.tex'"):
        small(tmp_path)

    assert (tmp_path / "thesis.tex").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_two_sweeps_at_once_in_one_folder_are_refused(tmp_path):
    def again(progress):
        with pytest.raises(CheckpointError, match="in use by another run"):
            small(tmp_path)

    small(tmp_path, seeds=(3,), unit_steps=(0.5,), edge_steps=(0.5,), on_progress=again)


def test_a_part_that_a_worker_still_writes_is_refused(undisturbed, tmp_path):
    """A killed sweep's workers may live on for a while."""
    copied(undisturbed, tmp_path, rounds=2)

    with (
        store.locked(tmp_path / "part-000"),
        pytest.raises(CheckpointError, match="part-000 is in use by another run"),
    ):
        small(tmp_path)


@pytest.mark.parametrize("place", [0, 3])
def test_a_missing_file_is_named(undisturbed, tmp_path, place):
    copied(undisturbed, tmp_path)[place].unlink()

    with pytest.raises(CheckpointError, match="a file before it is missing"):
        small(tmp_path)


def test_a_damaged_file_is_named_in_one_line(undisturbed, tmp_path):
    path = copied(undisturbed, tmp_path)[3]
    path.write_bytes(path.read_bytes()[:-9])

    with pytest.raises(CheckpointError, match=r"000003\.safetensors must be") as caught:
        small(tmp_path)

    assert "\n" not in str(caught.value)


def test_models_one_by_one_go_on_too(tmp_path, monkeypatch):
    steps = {"seeds": (3,), "unit_steps": (0.4,), "edge_steps": (0.2,), "lanes": False}
    expected = small(None, **steps)
    real, calls = alone.try_alone, []

    def sometimes(*args):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(journal, "_SECONDS", 0.0)
    monkeypatch.setattr(alone, "try_alone", sometimes)
    with pytest.raises(KeyboardInterrupt):
        small(tmp_path, **steps)
    found = small(tmp_path, **steps)

    assert same_runs(found.runs, expected.runs)
