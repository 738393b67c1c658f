"""The experiments on digits, on a small MNIST: killed, resumed, kept."""

import shutil
from dataclasses import replace

import pytest
import torch
from fake_mnist import SHORT, make_small, write_mnist

from sculpt_plugin import running_digits, store
from sculpt_plugin.errors import CheckpointError, ModelError, TaskError
from sculpt_plugin.reproducing import digit_cells as module
from sculpt_plugin.reproducing.digit_cells import (
    DigitCell,
    digit_cells,
    find_digits,
    read_digit_network,
    reproduce_digits,
)

ONE = DigitCell("digits-hierarchical", (12,), 0)
OTHER = DigitCell("digits-hierarchical", (12,), 1)
CELLS = (ONE, OTHER)


class Killed(BaseException):
    """What stops a run in the middle of it."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("digits")


@pytest.fixture(scope="module", autouse=True)
def small(place):
    """Few images, few turns, and torch left as it was."""
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch, place / "cache", training=20, validation=5)
        patch.setattr(running_digits, "SEARCH", SHORT)
        yield
    torch.set_flush_denormal(False)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data(place):
    return write_mnist(place / "data")


@pytest.fixture(scope="module")
def whole(place, data, small):
    """A folder that nobody stopped the filling of, and what it came to."""
    return place / "whole", reproduce_digits(CELLS, place / "whole", data=data)


def timeless(outcome):
    return replace(outcome, seconds=0.0, dense_seconds=0.0)


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_the_paper_s_networks_are_listed_by_task_depth_width_and_seed():
    cells = digit_cells()
    assert len(set(cells)) == 2 * 4 * 2 * 4
    assert {cell.seed for cell in cells} == {0, 1, 2, 5}
    assert {len(cell.hidden) for cell in cells} == {2, 3, 4, 5}
    assert digit_cells(["digits-pair"], [1568])[0].hidden == (1568, 1568)


def test_a_cell_costs_more_the_wider_and_deeper_it_is():
    small, wide = (DigitCell("digits-pair", (w, w), 0) for w in (392, 784))
    deep = replace(small, hidden=(392,) * 5)
    assert small.cost < deep.cost < wide.cost
    assert small.cost > replace(small, task="digits-hierarchical").cost


def test_outcomes_and_networks_are_kept_and_nothing_else(whole):
    folder, outcomes = whole
    cells = [
        f"cells/{cell.name}{end}" for cell in CELLS for end in (".json", ".safetensors")
    ]
    assert names(folder) == sorted([".lock", "cells", "reproduce.json", *cells])
    assert [outcome.cell for outcome in outcomes] == list(CELLS)


def test_an_outcome_is_that_of_the_network_that_is_kept(whole):
    folder, (outcome, _) = whole
    network = read_digit_network(folder, ONE)
    assert network.sizes == (1568, 12, 3)
    assert network.density == pytest.approx(outcome.density)
    assert outcome.score >= outcome.dense_score - 0.01
    assert outcome.turns > 1
    assert outcome.problem is None


def test_what_was_written_is_read_back(whole):
    folder, outcomes = whole
    assert tuple(find_digits(folder, cell) for cell in CELLS) == outcomes
    assert find_digits(folder, replace(ONE, seed=7)) is None


def test_what_is_done_is_not_done_again(whole, data, monkeypatch):
    folder, outcomes = whole
    monkeypatch.setattr(module, "run_digit_cell", pytest.fail)
    seen = []
    again = reproduce_digits(CELLS, folder, data=data, on_cell=seen.append)
    assert again == outcomes
    assert seen == []


def test_the_folder_grows_and_says_how_far_it_is(whole, data, tmp_path):
    seen = []
    reproduce_digits(CELLS[:1], tmp_path, data=data, on_cell=seen.append)
    reproduce_digits(CELLS, tmp_path, data=data, on_cell=seen.append)
    assert [(now.outcome.cell, now.done, now.total) for now in seen] == [
        (ONE, 1, 1),
        (OTHER, 2, 2),
    ]
    assert [now.share for now in seen] == [1.0, 1.0]


@pytest.mark.parametrize("turns", [0, 2])
def test_a_cell_that_was_killed_goes_on_and_ends_the_same(
    whole, data, tmp_path, monkeypatch, turns
):
    def killed(dense, *, seed, checkpoint):
        left = [turns]

        def count(step):
            left[0] -= 1
            if left[0] < 0:
                raise Killed

        return running_digits.sculpt_digits(
            dense, seed=seed, checkpoint=checkpoint, on_step=count
        )

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(module, "sculpt_digits", killed)
        reproduce_digits(CELLS[:1], tmp_path, data=data)
    assert (tmp_path / "cells" / ONE.name / "dense.safetensors").exists()
    folder, outcomes = whole
    (again,) = reproduce_digits(CELLS[:1], tmp_path, data=data)
    assert timeless(again) == timeless(outcomes[0])
    file = f"cells/{ONE.name}.safetensors"
    assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()
    assert not (tmp_path / "cells" / ONE.name).exists()


def test_a_cell_that_was_killed_while_it_cleared_up_is_cleared_up(
    whole, data, tmp_path
):
    reproduce_digits(CELLS[:1], tmp_path, data=data)
    left = tmp_path / "cells" / ONE.name
    (left / "checkpoint").mkdir(parents=True)
    (left / "dense.safetensors").write_bytes(b"left")
    reproduce_digits(CELLS[:1], tmp_path, data=data)
    assert not left.exists()


def test_a_network_that_does_not_learn_is_noted_with_why_and_leaves_nothing(
    data, tmp_path
):
    search = replace(SHORT, drop=0.6)
    (outcome,) = reproduce_digits(CELLS[:1], tmp_path, data=data, search=search)
    assert outcome.problem is not None
    assert outcome.problem.startswith("A network must learn digits-hierarchical")
    assert names(tmp_path / "cells") == [f"{ONE.name}.json"]
    assert find_digits(tmp_path, ONE) == outcome


def test_networks_that_were_pruned_otherwise_are_another_s(whole, data):
    folder, _ = whole
    for other in (replace(SHORT, edge_step=0.4), replace(SHORT, drop=0.02)):
        with pytest.raises(
            CheckpointError, match=r"there (edge_step|drop) is 0\.\d+, "
        ):
            reproduce_digits(CELLS, folder, data=data, search=other)


def test_networks_that_were_trained_in_bfloat16_are_kept_apart(data, tmp_path):
    settings = {"data": data, "search": SHORT}
    (outcome,) = reproduce_digits(CELLS[:1], tmp_path, bf16=True, **settings)
    assert outcome.problem is None
    with pytest.raises(CheckpointError, match="there bf16 is True, here it is"):
        reproduce_digits(CELLS[:1], tmp_path, **settings)


def test_a_device_that_is_not_there_is_named(data, tmp_path):
    with pytest.raises(ModelError, match=r"device must be one .* got 'nowhere'"):
        reproduce_digits(CELLS[:1], tmp_path, data=data, device="nowhere")


def test_processes_side_by_side_come_to_the_same(whole, data, tmp_path):
    _, outcomes = whole
    again = reproduce_digits(CELLS, tmp_path, data=data, search=SHORT, jobs=2)
    assert list(map(timeless, again)) == list(map(timeless, outcomes))


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "null", '{"score": 1}', b"\xff\xfe\x00"),
        pytest.param("[" * 10**5, id="deep"),
    ],
)
def test_a_damaged_outcome_is_named(data, tmp_path, content):
    path = tmp_path / "cells" / f"{ONE.name}.json"
    path.parent.mkdir()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CheckpointError, match="but it is damaged: delete it") as error:
        find_digits(tmp_path, ONE)
    assert str(path) in str(error.value)


def test_a_cell_whose_network_is_lost_is_not_done(whole, tmp_path):
    folder, _ = whole
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "cells" / f"{ONE.name}.safetensors").unlink()
    assert find_digits(tmp_path / "copy", ONE) is None


def test_a_damaged_network_is_named(whole, tmp_path):
    (tmp_path / "cells").mkdir()
    with pytest.raises(CheckpointError, match=ONE.name):
        read_digit_network(tmp_path, ONE)
    (tmp_path / "cells" / f"{ONE.name}.safetensors").write_bytes(b"half")
    with pytest.raises(CheckpointError, match=ONE.name):
        read_digit_network(tmp_path, ONE)


def test_a_folder_of_another_kind_is_refused(data, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(CheckpointError, match="choose another folder"):
        reproduce_digits(CELLS, tmp_path, data=data)


def test_missing_data_is_said_before_anything_is_trained(tmp_path):
    with pytest.raises(TaskError, match="must hold MNIST"):
        reproduce_digits(CELLS, tmp_path / "out", data=tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_second_run_in_the_folder_is_refused_and_writes_nothing(data, tmp_path):
    with (
        store.locked(tmp_path),
        pytest.raises(CheckpointError, match="in use by another run"),
    ):
        reproduce_digits(CELLS, tmp_path, data=data)
    assert names(tmp_path) == [store.LOCK]
