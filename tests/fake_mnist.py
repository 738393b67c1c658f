"""A small MNIST as torchvision lays it out, whose digits are bars and easily told."""

from pathlib import Path

import numpy as np
import pytest

from sculpt_plugin.running_digits import DigitSearch
from sculpt_plugin.tasks.digits import _PAIRS

# Fewer turns than in earnest.
SHORT = DigitSearch(unit_turns=1, fewest_units=4, edge_step=0.5, finest=0.3)

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def fake_images(
    each: int, numbers: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """So many images of each digit: for each bit of it a bar of its own, and noise."""
    labels = numbers.permutation(np.repeat(np.arange(10, dtype=np.uint8), each))
    images = numbers.integers(0, 60, (len(labels), 28, 28), dtype=np.uint8)
    for bit in range(4):
        # The bar is on the left where the bit is 0, and on the right where it is 1.
        for value in (0, 1):
            of_it = np.flatnonzero(labels >> bit & 1 == value)
            columns = slice(4 + 11 * value, 13 + 11 * value)
            images[of_it, 3 + 6 * bit : 6 + 6 * bit, columns] += 180
    return images, labels


def idx(values: np.ndarray) -> bytes:
    """Write unsigned bytes down as MNIST's files do."""
    shape = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, 8, values.ndim]) + shape + values.tobytes()


def write_mnist(folder: Path, *, each: int = 12, seed: int = 0) -> Path:
    """Fill a folder as `torchvision.datasets.MNIST(folder, download=True)` would."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    numbers = np.random.default_rng(seed)
    training, validation = fake_images(each, numbers), fake_images(each, numbers)
    for name, values in zip(FILES, (*training, *validation), strict=True):
        (raw / name).write_bytes(idx(values))
    return folder


def make_small(
    patch: pytest.MonkeyPatch, cache: Path, *, training: int = 30, validation: int = 10
) -> None:
    """Let tasks on digits have few images of each pair, and keep them in a folder."""
    patch.setitem(_PAIRS, "training", training)
    patch.setitem(_PAIRS, "validation", validation)
    patch.setenv("XDG_CACHE_HOME", str(cache))
