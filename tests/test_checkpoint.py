import json
import multiprocessing
import os
import random
import shutil
import signal
import stat
import time
from pathlib import Path

import pytest
import torch
from networks import mlp
from small_search import INPUTS, TARGETS, dense, evaluate, search, search_in, train
from torch import nn
from torch.nn import functional as F

from sculpt_plugin import store
from sculpt_plugin.errors import CheckpointError, ThresholdError, TrainError
from sculpt_plugin.pruning.record import Step


class Crash(BaseException):
    """What no code can catch: the machine went away."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return search(checkpoint=folder), folder


def same(one, two):
    weights = zip(one.model.parameters(), two.model.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in weights) and all(
        torch.equal(keep, two.masks.keep[name]) for name, keep in one.masks.keep.items()
    )


def decisions(record):
    return [(s.stage, s.removed, s.left, s.score, s.accepted) for s in record]


def test_a_checkpoint_changes_nothing(undisturbed):
    plain = search()
    assert same(plain, undisturbed[0])
    assert decisions(plain.record) == decisions(undisturbed[0].record)


def test_the_record_on_disk_is_the_record(undisturbed):
    sculpture, folder = undisturbed
    lines = (folder / "record.jsonl").read_text().splitlines()
    assert [Step.from_json(line) for line in lines] == list(sculpture.record)


def test_a_finished_run_trains_no_more(undisturbed):
    def unexpected(model):
        raise AssertionError("trained again")

    sculpture, folder = undisturbed
    assert same(search(checkpoint=folder, train=unexpected), sculpture)


@pytest.mark.parametrize("crash_at", range(32))
def test_a_crash_at_any_write_is_healed(crash_at, undisturbed, tmp_path, monkeypatch):
    """Die before or in the middle of the n-th write to the disk, then run again."""
    writes = 0
    real = os.fsync

    def fsync(descriptor):
        nonlocal writes
        writes += 1
        if writes == crash_at + 1:
            if crash_at % 2 and stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.ftruncate(descriptor, os.fstat(descriptor).st_size - 5)
            raise Crash
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "unlink", lambda *a, **k: None)
    with pytest.raises(Crash):
        search(checkpoint=tmp_path / "c")
    monkeypatch.undo()
    resumed = search(checkpoint=tmp_path / "c")
    assert same(resumed, undisturbed[0])
    assert decisions(resumed.record) == decisions(undisturbed[0].record)


def test_killed_at_thirty_random_points_it_ends_as_if_never_killed(
    tmp_path, monkeypatch
):
    # The server imports torch once, and each process is a fork of it.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch._dynamo", "small_search"])

    def start(folder):
        folder.mkdir(exist_ok=True)
        ready = context.Event()
        process = context.Process(target=search_in, args=(str(folder), ready))
        process.start()
        ready.wait(60)
        return process

    process = start(tmp_path / "plain")
    began = time.monotonic()
    process.join()
    took = time.monotonic() - began
    chance = random.Random(1)
    record = tmp_path / "killed" / "checkpoint" / "record.jsonl"
    kills, lengths = 0, set()
    while kills < 30:
        process = start(tmp_path / "killed")
        process.join(timeout=chance.uniform(0, took / 3))
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            kills += 1
            lengths.add(record.stat().st_size if record.exists() else 0)
        else:
            assert process.exitcode == 0
            shutil.rmtree(record.parent)
    process = start(tmp_path / "killed")
    process.join()
    assert process.exitcode == 0
    assert len(lengths) > 5  # the kills came at many different points
    plain, killed = (torch.load(tmp_path / n / "final.pt") for n in ("plain", "killed"))
    masks = plain.pop("masks"), killed.pop("masks")
    for expected, found in ((plain, killed), masks):
        assert list(expected) == list(found)
        assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_train_that_raises_loses_nothing(undisturbed, tmp_path):
    calls = 0

    def sometimes(model):
        nonlocal calls
        calls += 1
        if calls == 6:
            raise RuntimeError("out of memory")
        train(model)

    with pytest.raises(TrainError, match="out of memory"):
        search(checkpoint=tmp_path, train=sometimes)
    assert same(search(checkpoint=tmp_path), undisturbed[0])


class Remembering(nn.Sequential):
    """Keeps its last outputs, as many as it was given rows."""

    def __init__(self) -> None:
        super().__init__(*dense())
        self.register_buffer("last", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs = super().forward(x)
        self.last = outputs.detach()
        return outputs


@pytest.mark.parametrize("compacting", [False, True])
def test_a_buffer_whose_shape_follows_the_batch_goes_on_as_it_was(compacting, tmp_path):
    calls, settings = 0, {"compacting": compacting}

    def halves(model):
        nonlocal calls
        calls += 1
        train(model)
        model(INPUTS[:8])
        if calls == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(Remembering(), checkpoint=tmp_path, train=halves, **settings)
    resumed = search(Remembering(), checkpoint=tmp_path, train=halves, **settings)

    plain = search(Remembering(), train=halves, **settings)
    assert same(resumed, plain)
    assert torch.equal(resumed.model.last, plain.model.last)


def test_a_full_disk_is_one_line_and_loses_nothing(undisturbed, tmp_path, monkeypatch):
    real, calls = os.fsync, 0

    def full(descriptor):
        nonlocal calls
        calls += 1
        if calls == 9:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    model = dense()
    with pytest.raises(CheckpointError, match=r"No space left on device\. Make room"):
        search(model, checkpoint=tmp_path)
    monkeypatch.undo()
    assert not list(tmp_path.glob(store.PARTIAL + "*"))
    assert same(search(checkpoint=tmp_path), undisturbed[0])


def test_two_runs_at_once_in_one_folder_are_refused(tmp_path):
    def again(step):
        with pytest.raises(CheckpointError, match="in use by another run"):
            search(checkpoint=tmp_path)

    assert search(checkpoint=tmp_path, units=None, edges=[0.5], on_step=again).record


def test_a_threshold_can_be_corrected_in_the_same_folder(tmp_path):
    with pytest.raises(ThresholdError):
        search(checkpoint=tmp_path, min_score=98)
    assert search(checkpoint=tmp_path, min_score=0.98).score >= 0.98


def test_another_models_checkpoint_is_refused_in_one_short_line(undisturbed):
    with pytest.raises(CheckpointError, match="there parameter 0") as caught:
        search(mlp(4, 9, 9, 2), checkpoint=undisturbed[1])
    assert len(str(caught.value)) < 400


def test_another_runs_checkpoint_is_refused(undisturbed):
    message = (
        r"there seed is 5, here it is 6\. .* folder \(checkpoint= in Python, --out"
    )
    with pytest.raises(CheckpointError, match=message):
        search(checkpoint=undisturbed[1], seed=6)


def copied(folder, place):
    for path in folder.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    return place


def test_a_checkpoint_that_scores_otherwise_says_so_where_it_is_enough(
    undisturbed, tmp_path
):
    folder = tmp_path / "copy"
    shutil.copytree(undisturbed[1], folder)
    with pytest.warns(UserWarning, match="scores 1, but here it scores 1.5: it may"):
        search(checkpoint=folder, evaluate=lambda model: 1.5)


def test_a_checkpoint_of_other_data_is_refused_and_the_model_left(undisturbed):
    def other(model):
        with torch.no_grad():
            return ((model(INPUTS) > 0) == (INPUTS[:, 2:] > 0)).float().mean().item()

    model = mlp(4, 10, 10, 2)
    before = {name: x.clone() for name, x in model.state_dict().items()}
    message = r"says that its model scores 1, but here it scores 0\.\d+, below 1: "
    with pytest.raises(CheckpointError, match=message) as caught:
        search(model, checkpoint=undisturbed[1], evaluate=other)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(x, before[name]) for name, x in model.state_dict().items())


def test_a_checkpoint_of_a_model_with_other_activations_is_refused(undisturbed):
    model = dense()
    model[1] = torch.nn.Tanh()
    message = "there layers is {'Linear': 3, 'ReLU': 2}, here it is {'Linear': 3, 'Tan"
    with pytest.raises(CheckpointError, match=message):
        search(model, checkpoint=undisturbed[1])


def test_a_checkpoint_from_before_layers_were_noted_goes_on(undisturbed, tmp_path):
    settings = copied(undisturbed[1], tmp_path) / "settings.json"
    older = json.loads(settings.read_text())
    del older["layers"]
    settings.write_text(json.dumps(older))
    assert same(search(checkpoint=tmp_path), undisturbed[0])


def test_a_score_of_random_draws_is_found_again(tmp_path):
    def noisy(model):
        with torch.no_grad():
            outputs = model(INPUTS + 0.3 * torch.randn_like(INPUTS))
        scores.append(-F.binary_cross_entropy_with_logits(outputs, TARGETS).item())
        return scores[-1]

    scores = []
    settings = {"evaluate": noisy, "min_score": None, "max_drop": 0.5, "edges": None}
    first = search(checkpoint=tmp_path, **settings)
    search(checkpoint=tmp_path, **settings)
    assert scores[-1] == first.score


@pytest.mark.parametrize("mode", [True, False])
def test_a_score_in_the_mode_that_train_left_is_found_again(mode, tmp_path):
    def then(model):
        train(model)
        model.train(mode)

    def in_mode(model):
        return evaluate(model) if model.training is mode else 0.99

    model = dense().train(mode)
    settings = {"train": then, "evaluate": in_mode, "checkpoint": tmp_path}
    first = search(model, **settings)
    assert same(search(dense().train(not mode), **settings), first)


def test_a_folder_with_other_things_is_refused_and_kept(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(CheckpointError, match=r"holds 'thesis.tex'"):
        search(checkpoint=tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CheckpointError, match="must be a folder"):
        search(checkpoint=tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("state.safetensors", b"\x00" * 40, "must be a whole safetensors file"),
        ("state.safetensors", None, "state.safetensors is missing"),
        ("record.jsonl", b"{}\n", "line 1 of record.jsonl"),
        ("record.jsonl", b"", "state.safetensors is not of the last"),
        ("settings.json", b"[]", "settings.json cannot be read"),
    ],
)
def test_a_damaged_checkpoint_is_named(undisturbed, tmp_path, name, content, message):
    copied(undisturbed[1], tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        search(checkpoint=tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["settings.json", "record.jsonl"])
def test_json_nested_too_deep_is_damage(undisturbed, tmp_path, name):
    for path in undisturbed[1].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / name).write_bytes(b"[" * 10**5 + b"\n")
    with pytest.raises(CheckpointError, match="is damaged"):
        search(checkpoint=tmp_path)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(CheckpointError, match="cannot be written: Permission denied"):
        search(checkpoint=tmp_path)


@pytest.mark.parametrize("end", [{"finest": 0.1}, {"one_by_one": True}])
def test_a_run_on_live_parts_goes_on_to_the_same_bits(end, tmp_path):
    settings = {"compacting": True, **end, "checkpoint": tmp_path / "c"}
    plain = search(compacting=True, **end)
    turns = len(plain.record)

    for turn in range(3, turns, max(9, turns // 6)):

        def crash(step, last=turn):
            if step.turn == last:
                raise Crash

        with pytest.raises(Crash):
            search(on_step=crash, **settings)
    resumed = search(**settings)

    assert same(resumed, plain)
    assert decisions(resumed.record) == decisions(plain.record)
    assert resumed.density < 0.3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"compacting": True}, "there compacting is False, here it is True"),
        ({"finest": 0.1}, "there finest is 0.0, here it is 0.1"),
        ({"one_by_one": True}, "there one_by_one is False, here it is True"),
    ],
)
def test_a_run_that_removes_otherwise_is_refused(undisturbed, changes, message):
    with pytest.raises(CheckpointError, match=message):
        search(checkpoint=undisturbed[1], **changes)
