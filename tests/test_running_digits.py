"""A task on digits from a dense network to its modules, on a small MNIST of bars."""

import json
from dataclasses import replace

import pytest
import torch
from fake_mnist import SHORT, make_small, write_mnist

from sculpt_plugin import running_digits, store
from sculpt_plugin.errors import CheckpointError, ModelError, ThresholdError
from sculpt_plugin.running_digits import (
    DigitSearch,
    learn_digits,
    run_digits,
    sculpt_digits,
)
from sculpt_plugin.tasks import digits
from sculpt_plugin.tasks.digits import Samples

HIDDEN = (16, 12)


class Killed(BaseException):
    """What stops a run in the middle of it."""


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    place = tmp_path_factory.mktemp("digits")
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch, place / "cache", training=20, validation=10)
        return digits("digits-hierarchical", data=write_mnist(place / "data"))


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Fewer turns than in earnest."""
    monkeypatch.setattr(running_digits, "SEARCH", SHORT)


@pytest.fixture(scope="module")
def whole(task, tmp_path_factory):
    """A run that nobody stopped."""
    out = tmp_path_factory.mktemp("whole") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running_digits, "SEARCH", SHORT)
        return run_digits(task, out, hidden=HIDDEN), out


def steps(finished) -> list:
    return [replace(step, seconds=0.0) for step in finished.sculpture.record]


def same_ending(one, other) -> bool:
    masks = one.sculpture.masks.keep
    return (
        steps(one) == steps(other)
        and one.report.to_dict() == other.report.to_dict()
        and all(
            torch.equal(kept, other.sculpture.masks.keep[name])
            for name, kept in masks.items()
        )
    )


def stopped(task, out, *, turns: int = 0, epochs: int = 0) -> None:
    """Run until so many turns or epochs are done, then die."""
    left = {"turns": turns, "epochs": epochs}

    def count(what: str) -> None:
        left[what] -= 1
        if left[what] == 0:
            raise Killed

    with pytest.raises(Killed):
        run_digits(
            task,
            out,
            hidden=HIDDEN,
            on_epoch=lambda epoch, epochs: count("epochs"),
            on_step=lambda step: count("turns"),
        )


def test_a_run_writes_networks_report_and_pictures(whole):
    finished, out = whole
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [
            *(".lock", "checkpoint", "dense.safetensors", "run.json"),
            *(name for name in finished.files),
        ]
    )
    pictures = [out / name for name in finished.files if name.endswith(".png")]
    assert out / "pixels.png" in pictures
    for picture in pictures:
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_is_left_holds_the_score_and_is_sparse(whole):
    finished, out = whole
    sculpture = finished.sculpture
    assert sculpture.score >= sculpture.min_score
    assert sculpture.min_score == pytest.approx(sculpture.record[0].score - 0.01)
    assert sculpture.density < 0.5
    assert finished.scored_on == "on 640 validation images"
    assert json.loads((out / "report.json").read_text())["settings"]["method"] == (
        "bidirectional"
    )


def test_the_same_run_again_trains_no_more_and_ends_the_same(whole, task):
    finished, out = whole
    trained = []
    again = run_digits(
        task, out, hidden=HIDDEN, on_epoch=lambda *epochs: trained.append(epochs)
    )
    assert same_ending(finished, again)
    assert not trained


@pytest.mark.parametrize("killed", [{"epochs": 2}, {"turns": 1}, {"turns": 3}])
def test_a_run_that_was_killed_goes_on_and_ends_the_same(whole, task, tmp_path, killed):
    stopped(task, tmp_path / "out", **killed)
    assert (tmp_path / "out" / "dense.safetensors").exists() == ("turns" in killed)
    again = run_digits(task, tmp_path / "out", hidden=HIDDEN)
    assert same_ending(whole[0], again)


def test_a_dense_network_that_is_kept_is_not_trained_again(task, tmp_path):
    path, trained = tmp_path / "dense.safetensors", []

    def learn():
        return learn_digits(
            task, hidden=HIDDEN, kept=path, on_epoch=lambda *x: trained.append(x)
        )

    first, second = learn(), learn()
    assert trained == [(epoch, 6) for epoch in range(1, 7)]
    assert first.score == second.score
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name])


def test_turns_end_as_far_below_the_dense_score_as_the_search_says(task):
    search = replace(SHORT, drop=0.03125, early_drop=0.015625)
    dense = learn_digits(task, hidden=HIDDEN, search=search)
    assert dense.min_score == dense.score - 0.03125
    assert dense.recipe.early_accept == dense.score - 0.015625


def test_shares_that_are_gone_follow_from_the_steps():
    search = DigitSearch(unit_step=0.5, unit_turns=2, fewest_units=10, edge_step=0.75)
    assert search.units((80,)) == (0, 0.5, 0.75)
    assert search.units((80, 39)) == (0, 0.5)
    assert search.units((80, 19)) is search.units((5,)) is None
    assert search.edges[:3] == (0, 0.75, 0.9375)
    assert 1e-9 < 1 - search.edges[-1] < 16e-9


def test_the_seed_names_the_network(task):
    scores = [learn_digits(task, hidden=(8,), seed=seed) for seed in (0, 0, 1)]
    weights = [next(dense.model.parameters()) for dense in scores]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_pairs_of_digits_are_sculpted_too(tmp_path, monkeypatch):
    make_small(monkeypatch, tmp_path, training=5, validation=2)
    task = digits("digits-pair", data=write_mnist(tmp_path / "data"))
    dense = learn_digits(task, hidden=(16,))
    sculpture = sculpt_digits(dense)
    assert sculpture.score >= dense.min_score
    assert sculpture.density < 1


def test_a_task_that_is_not_learned_says_so(task, tmp_path):
    nothing = Samples(torch.zeros_like(task.training.pixels), task.training.bits)
    hopeless = replace(task, training=nothing)
    with pytest.raises(ThresholdError, match=r"layers of 4 with seed 3 reach [45]"):
        run_digits(hopeless, tmp_path / "out", hidden=(4,), seed=3)


@pytest.mark.parametrize("device", ["nonsense", "cuda:99", "meta", ""])
def test_a_device_that_cannot_be_used_is_one_line(task, device):
    with pytest.raises(ModelError, match="device must be one that") as error:
        learn_digits(task, hidden=(4,), device=device)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("changes", [{"seed": 1}, {"hidden": (16,)}])
def test_another_runs_folder_is_refused(whole, task, changes):
    with pytest.raises(CheckpointError, match="belongs to another run"):
        run_digits(task, whole[1], **{"hidden": HIDDEN} | changes)


def test_a_folder_with_other_things_is_refused(task, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(CheckpointError, match="choose another folder"):
        run_digits(task, tmp_path, hidden=HIDDEN)


def test_a_dense_network_of_other_widths_is_refused(task, tmp_path):
    path = tmp_path / "dense.safetensors"
    learn_digits(task, hidden=(8,), kept=path)
    with pytest.raises(CheckpointError, match="holds another: choose another folder"):
        learn_digits(task, hidden=(9,), kept=path)


def test_a_damaged_dense_network_is_named(task, tmp_path):
    path = tmp_path / "dense.safetensors"
    path.write_bytes(b"half")
    with pytest.raises(CheckpointError, match=r"dense\.safetensors must be a whole"):
        learn_digits(task, hidden=(8,), kept=path)


def test_a_second_run_in_the_folder_is_refused_and_writes_nothing(task, tmp_path):
    with (
        store.locked(tmp_path),
        pytest.raises(CheckpointError, match="in use by another run"),
    ):
        run_digits(task, tmp_path, hidden=HIDDEN)
    assert [path.name for path in tmp_path.iterdir()] == [store.LOCK]
