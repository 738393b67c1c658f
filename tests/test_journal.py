"""What a sweep found out is on disk, whole, and damage is named."""

import pytest
import torch
from tiny_sweep import Kind
from torch import nn

from sculpt_plugin import store
from sculpt_plugin.coupling import couple
from sculpt_plugin.errors import CheckpointError
from sculpt_plugin.pruning.lanes.journal import entries, read_entries, write_entry
from sculpt_plugin.pruning.lanes.layout import lay_out
from sculpt_plugin.pruning.lanes.state import State, Trial, Tried
from sculpt_plugin.pruning.lanes.walking import Known


class Small(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))


def laid_out():
    model = Kind(Small)(0)
    return lay_out(model, couple(model, torch.randn(2, 2).double()))


def tried(layout, score) -> Tried:
    keep = torch.rand(layout.size) < 0.5
    values = torch.randn(layout.size).double() * keep
    alive = torch.tensor([True, False, True])
    return Tried(State(values, keep, alive, int((keep & layout.is_edge).sum())), score)


def known_of(layout, *rounds) -> tuple[Known, list[list[Trial]]]:
    known, noted = Known(), []
    for trials in rounds:
        noted.append([trial for trial, _ in trials])
        for trial, score in trials:
            known.note(trial, tried(layout, score), min_score=1.0, seconds=0.5)
    return known, noted


ROUNDS = (
    [(Trial(0, "dense", 0), 1.0)],
    [(Trial(0, "units", 1), 0.5), (Trial(0, "units", 2), float("nan"))],
    [(Trial(0, "retrain", 0), 1.0), (Trial(0, "edges", 3), 1.0)],
)


@pytest.fixture
def written(tmp_path):
    layout = laid_out()
    known, noted = known_of(layout, *ROUNDS)
    for trials in noted:
        write_entry(tmp_path, known, trials)
    return tmp_path, known, layout


def test_all_comes_back_bit_for_bit(written):
    folder, known, layout = written

    found = read_entries(folder, layout)

    assert list(found.outcomes) == list(known.outcomes)
    assert repr(found.outcomes) == repr(known.outcomes)
    assert list(found.states) == list(known.states) == [0, 3, 4]
    for number, state in known.states.items():
        again = found.states[number]
        assert again.edge_count == state.edge_count
        for name in ("values", "keep", "alive"):
            one, two = getattr(again, name), getattr(state, name)
            assert torch.equal(one, two)
            assert one.dtype == two.dtype


def test_dense_network_that_scored_too_little_is_kept(tmp_path):
    layout = laid_out()
    known, ((trial,),) = known_of(layout, [(Trial(0, "dense", 0), 0.5)])
    known.states[0] = tried(layout, 0.5).state

    write_entry(tmp_path, known, [trial])

    found = read_entries(tmp_path, layout)
    assert torch.equal(found.states[0].values, known.states[0].values)


def test_networks_that_were_dropped_are_not_written(tmp_path):
    layout = laid_out()
    known, noted = known_of(layout, *ROUNDS)
    del known.states[3]

    write_entry(tmp_path, known, [trial for trials in noted for trial in trials])

    assert list(read_entries(tmp_path, layout).states) == [0, 4]


def test_half_written_file_is_no_entry(written):
    folder, known, layout = written
    (folder / ".partial-1234").write_bytes(b"torn")

    assert len(entries(folder)) == 3
    assert list(read_entries(folder, layout).outcomes) == list(known.outcomes)


@pytest.mark.parametrize("number", [0, 1])
def test_missing_file_is_named(written, number):
    folder, _, layout = written
    entries(folder)[number].unlink()

    with pytest.raises(CheckpointError, match=r"is damaged \(a file before it is"):
        read_entries(folder, layout)


@pytest.mark.parametrize("size", [0, 40, -1])
def test_cut_file_is_named_in_one_line(written, size):
    folder, _, layout = written
    path = entries(folder)[1]
    path.write_bytes(path.read_bytes()[:size])

    with pytest.raises(CheckpointError, match=r"000001\.safetensors must be") as caught:
        read_entries(folder, layout)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"values": torch.ones(3)}, "values"),
        ({"keep": torch.zeros(9, 1, dtype=torch.uint8)}, "keep"),
        ({"keep": None}, "keep"),
        ({"trials": 7}, "trials"),
        ({"trials": [[0, "units"]]}, "trials"),
        ({"states": [0, 1, 2, 3]}, "states"),
    ],
)
def test_file_with_something_else_is_named_in_one_line(written, change, what):
    folder, _, layout = written
    tensors, metadata = store.read_tensors(entries(folder)[0])
    found = {**tensors, **metadata, **change}
    tensors = {n: x for n, x in found.items() if isinstance(x, torch.Tensor)}
    metadata = {n: x for n, x in found.items() if n in ("trials", "states")}
    store.write_tensors(entries(folder)[0], tensors, metadata=metadata)

    with pytest.raises(
        CheckpointError, match=r"000000\.safetensors is damaged"
    ) as caught:
        read_entries(folder, layout)

    assert "\n" not in str(caught.value)


def test_full_disk_is_one_line_and_leaves_what_was_there(written, monkeypatch):
    folder, known, layout = written

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        write_entry(folder, known, list(known.outcomes))
    monkeypatch.undo()

    assert len(entries(folder)) == 3
    read_entries(folder, layout)
