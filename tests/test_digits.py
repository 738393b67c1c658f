"""The tasks on digits, on a small MNIST of bars and, where it is there, a true one."""

from pathlib import Path

import numpy as np
import pytest
import torch
from fake_mnist import FILES, idx, make_small, write_mnist
from torch import Tensor

from sculpt_plugin import store
from sculpt_plugin.errors import TaskError
from sculpt_plugin.tasks import DigitTask, digit_names, digits
from sculpt_plugin.tasks.digits import _bits, _drawn

TRUE = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_mnist(tmp_path_factory.mktemp("data"))


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Few pairs, and a cache that is this test's own."""
    make_small(monkeypatch, tmp_path / "cache", training=3, validation=2)
    return tmp_path / "cache" / "sculpt"


def tensors(task: DigitTask) -> list[Tensor]:
    return [*task.training, *task.validation]


def same(one: DigitTask, other: DigitTask) -> bool:
    pairs = zip(tensors(one), tensors(other), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def in_both_frames(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """The left and the right image of each pair."""
    whole = pixels.view(-1, 28, 2, 28)
    return whole[:, :, 0], whole[:, :, 1]


def digit_of_bars(images: Tensor) -> Tensor:
    """Read the digits of the small MNIST off their bars."""
    bars = torch.stack([images[:, 3 + 6 * b : 6 + 6 * b] for b in range(4)], dim=1)
    right = bars[..., 15:24].float().mean((2, 3)) > 120
    return (right.long() * torch.tensor([1, 2, 4, 8])).sum(dim=1)


@pytest.mark.parametrize(
    ("left", "right", "bits"),
    [
        (0, 0, (0, 0, 0)),
        (7, 0, (1, 1, 1)),
        (5, 3, (1, 1, 0)),
        (6, 6, (0, 0, 0)),
        (4, 5, (0, 0, 1)),
        (1, 3, (0, 1, 0)),
    ],
)
def test_bits_are_those_of_left_xor_right_the_highest_first(left, right, bits):
    found = _bits("digits-hierarchical", torch.tensor([left]), torch.tensor([right]))
    assert tuple(found[0].tolist()) == bits


@pytest.mark.parametrize(("left", "right"), [(0, 9), (3, 3), (9, 0)])
def test_each_digit_of_a_pair_has_ten_outputs_of_its_own(left, right):
    found = _bits("digits-pair", torch.tensor([left]), torch.tensor([right]))
    assert found[0].nonzero().flatten().tolist() == [left, 10 + right]


def test_images_are_drawn_for_each_ordered_pair_below_the_limit():
    labels = torch.tensor([2, 0, 1, 0, 2, 1, 9])
    left, right = _drawn(labels, 3, 4, torch.Generator().manual_seed(0))
    pairs = list(zip(labels[left].tolist(), labels[right].tolist(), strict=True))
    expected = [(a, b) for a in range(3) for b in range(3) for _ in range(4)]
    assert pairs == expected


def test_all_images_of_a_digit_are_drawn_now_and_then():
    labels = torch.tensor([0, 1, 0, 1, 0])
    left, _ = _drawn(labels, 2, 50, torch.Generator().manual_seed(0))
    assert set(left.tolist()) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize(
    ("name", "pairs", "outputs"),
    [("digits-hierarchical", 64, 3), ("digits-pair", 100, 20)],
)
def test_a_task_has_so_many_images_and_outputs(data, small, name, pairs, outputs):
    task = digits(name, data=data)
    assert task.training.pixels.shape == (3 * pairs, 1568)
    assert task.validation.bits.shape == (2 * pairs, outputs)
    assert (task.input_count, task.output_count) == (1568, outputs)
    assert len(task.outputs) == len(task.output_label) == outputs


@pytest.mark.parametrize("part", ["training", "validation"])
def test_outputs_say_what_the_images_show(data, small, part):
    samples = getattr(digits("digits-hierarchical", data=data), part)
    left, right = map(digit_of_bars, in_both_frames(samples.pixels))
    found = (samples.bits.long() * torch.tensor([4, 2, 1])).sum(dim=1)
    assert torch.equal(found, left ^ right)
    assert left.max() == right.max() == 7


def test_outputs_of_a_pair_say_what_the_images_show(data, small):
    samples = digits("digits-pair", data=data).training
    left, right = map(digit_of_bars, in_both_frames(samples.pixels))
    said = samples.bits.view(-1, 2, 10)
    assert (said.sum(dim=2) == 1).all()
    assert torch.equal(said.argmax(dim=2), torch.stack([left, right], dim=1))


def test_training_images_come_from_one_half_of_mnist_and_validation_from_the_other(
    tmp_path, small
):
    raw = write_mnist(tmp_path / "data") / "MNIST" / "raw"
    labels = np.arange(10, dtype=np.uint8)
    for name, shade in (("train", 7), ("t10k", 9)):
        images = np.full((10, 28, 28), shade, dtype=np.uint8)
        (raw / f"{name}-images-idx3-ubyte").write_bytes(idx(images))
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))
    task = digits("digits-pair", data=tmp_path / "data")
    assert task.training.pixels.unique().tolist() == [7]
    assert task.validation.pixels.unique().tolist() == [9]


def test_pixels_of_the_two_frames_have_names_and_labels_of_their_own(data, small):
    task = digits("digits-hierarchical", data=data)
    assert task.inputs[:2] == ("left 0,0", "left 0,1")
    assert (task.inputs[28], task.inputs[56]) == ("right 0,0", "left 1,0")
    sides = [("left", "right")[label] for label in task.input_label]
    assert [name.split()[0] for name in task.inputs] == sides
    assert task.output_label == (2, 3, 4)
    assert digits("digits-pair", data=data).output_label == (0,) * 10 + (1,) * 10


def test_the_seed_decides_which_images_are_paired(data, small, tmp_path):
    first = digits("digits-pair", data=data, seed=3)
    torch.rand(5)
    again = digits("digits-pair", data=data, seed=3, cache=tmp_path / "other")
    assert same(first, again)
    assert not same(first, digits("digits-pair", data=data, seed=4))


def test_what_was_kept_is_what_was_made(data, small):
    told = []
    first = digits("digits-hierarchical", data=data, on_progress=told.append)
    assert len(list(small.glob("*.safetensors"))) == 1
    again = digits("digits-hierarchical", data=data, on_progress=told.append)
    assert same(first, again)
    assert told == ["pairing digits"]


def test_other_data_is_not_taken_for_what_was_kept(data, small, tmp_path):
    first = digits("digits-pair", data=data)
    write_mnist(tmp_path / "other", seed=1)
    assert not same(first, digits("digits-pair", data=tmp_path / "other"))


@pytest.mark.parametrize("how", ["cut", "empty", "text", "foreign"])
def test_a_file_that_is_not_what_was_kept_is_made_anew(data, small, how):
    first = digits("digits-hierarchical", data=data)
    (path,) = small.iterdir()
    whole = path.read_bytes()
    if how == "foreign":
        store.write_tensors(path, {"x": torch.ones(2)}, metadata={"format": "other/1"})
    else:
        content = {"cut": whole[:-1000], "empty": b"", "text": b"{}"}[how]
        path.write_bytes(content)
    assert same(first, digits("digits-hierarchical", data=data))
    assert path.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_no_error(data, small, tmp_path):
    (tmp_path / "file").write_text("in the way")
    there = digits("digits-pair", data=data)
    assert same(there, digits("digits-pair", data=data, cache=tmp_path / "file"))
    assert same(there, digits("digits-pair", data=data, cache=tmp_path / "file" / "x"))
    assert (tmp_path / "file").read_text() == "in the way"


def test_an_unknown_task_is_refused(data):
    with pytest.raises(TaskError, match="digits-hierarchical, digits-pair, got '4,2"):
        digits("4,2,4", data=data)
    assert digit_names() == ("digits-hierarchical", "digits-pair")


@pytest.mark.parametrize("name", FILES)
def test_missing_data_says_what_and_how_to_get_it(tmp_path, small, name):
    write_mnist(tmp_path / "data", each=1)
    (tmp_path / "data" / "MNIST" / "raw" / name).unlink()
    with pytest.raises(TaskError, match=f"{name} is not there.*--download") as error:
        digits("digits-pair", data=tmp_path / "data")
    assert "\n" not in str(error.value)


def test_a_download_that_fails_is_one_line(tmp_path, small, monkeypatch):
    from torchvision.datasets import MNIST

    told = []
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(TaskError, match="MNIST could not be fetched into") as error:
        digits("digits-pair", data=tmp_path, download=True, on_progress=told.append)
    assert "\n" not in str(error.value)
    assert "pass its folder as --data" in str(error.value)
    assert told == ["downloading MNIST"]


def test_data_that_is_there_is_not_downloaded(data, small):
    told = []
    digits("digits-pair", data=data, download=True, on_progress=told.append)
    assert told == ["pairing digits"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>not here</html>",
        idx(np.zeros((3, 28, 28), dtype=np.uint8))[:-100],
        idx(np.zeros((3, 28, 28), dtype=np.uint8)),
        idx(np.zeros((120, 20, 20), dtype=np.uint8)),
        idx(np.zeros(120, dtype=np.uint8)),
    ],
    ids=["empty", "html", "cut", "too few", "other size", "labels"],
)
def test_images_that_are_not_mnist_are_one_line(tmp_path, small, content):
    raw = write_mnist(tmp_path / "data") / "MNIST" / "raw"
    (raw / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(TaskError, match="must be readable, and is not") as error:
        digits("digits-hierarchical", data=tmp_path / "data")
    assert "\n" not in str(error.value)


def test_digits_that_are_missing_are_one_line(tmp_path, small):
    raw = write_mnist(tmp_path / "data") / "MNIST" / "raw"
    labels = np.tile(np.arange(5, dtype=np.uint8), 24)
    (raw / "train-labels-idx1-ubyte").write_bytes(idx(labels))
    with pytest.raises(TaskError, match="must be readable, and is not"):
        digits("digits-hierarchical", data=tmp_path / "data")


@pytest.fixture
def true_mnist():
    if not (TRUE / "MNIST" / "raw" / FILES[0]).exists():
        pytest.skip("MNIST is not beside this checkout")
    from torchvision.datasets import MNIST

    return {
        part: MNIST(str(TRUE), train=part == "training")
        for part in ("training", "validation")
    }


@pytest.mark.parametrize(
    ("name", "limit"), [("digits-hierarchical", 8), ("digits-pair", 10)]
)
def test_true_digits_are_what_a_loop_over_mnist_gives(true_mnist, small, name, limit):
    task = digits(name, data=TRUE, seed=1)
    generator = torch.Generator().manual_seed(1)
    for part, count in (("training", 3), ("validation", 2)):
        mnist = true_mnist[part]
        labels = mnist.targets.numpy()
        samples = getattr(task, part)
        row = 0
        for one in range(limit):
            for other in range(limit):
                chosen = []
                for digit in (one, other):
                    own = np.flatnonzero(labels == digit)
                    places = torch.randint(len(own), (count,), generator=generator)
                    chosen.append(own[places.numpy()])
                for left, right in zip(*chosen, strict=True):
                    images = [np.asarray(mnist[i][0]) for i in (left, right)]
                    pixels = np.concatenate(images, axis=1).ravel()
                    assert (samples.pixels[row].numpy() == pixels).all()
                    if limit == 8:
                        bits = [int(c) for c in f"{one ^ other:03b}"]
                    else:
                        bits = [*np.eye(10)[one], *np.eye(10)[other]]
                    assert samples.bits[row].tolist() == bits
                    row += 1
        assert row == len(samples.bits)


def test_there_are_as_many_true_images_as_the_paper_has(true_mnist, tmp_path):
    task = digits("digits-hierarchical", data=TRUE, cache=tmp_path)
    assert (len(task.training.bits), len(task.validation.bits)) == (51200, 12800)
    assert task.training.bits.mean(dim=0).tolist() == [0.5, 0.5, 0.5]
