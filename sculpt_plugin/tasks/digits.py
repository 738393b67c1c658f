"""The paper's two tasks on pairs of MNIST digits, side by side in one image."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from sculpt_plugin import store
from sculpt_plugin.errors import CheckpointError, TaskError, one_line
from sculpt_plugin.vision import import_torchvision

DigitTaskName = Literal["digits-hierarchical", "digits-pair"]
SIDE = 28
"""Height of the image, and width of each of its two frames, in pixels."""

_PAIRS = {"training": 800, "validation": 200}
_FORMAT = "sculpt-digits/1"


class Samples(NamedTuple):
    """Images with what a network shall say of them.

    Attributes:
        pixels: The images, row by row, from 0 to 255.
        bits: The outputs, 0 or 1.
    """

    pixels: UInt8[Tensor, "image pixel"]
    bits: Float[Tensor, "image output"]


@dataclass(frozen=True, eq=False)
class DigitTask:
    """Two handwritten digits in one image, and questions about them.

    Attributes:
        name: `digits-hierarchical` or `digits-pair`.
        training: 800 images for each ordered pair of digits, made of MNIST's training
            images.
        validation: 200 for each, made of MNIST's test images, so that no digit that is
            scored on was trained on.
    """

    name: DigitTaskName
    training: Samples
    validation: Samples

    @property
    def input_count(self) -> int:
        """How many inputs a network for it has, one for each pixel."""
        return 2 * SIDE * SIDE

    @property
    def output_count(self) -> int:
        """How many outputs a network for it has."""
        return len(self.outputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        """What each output says."""
        if self.name == "digits-hierarchical":
            return tuple(f"bit {bit} of left xor right" for bit in (2, 1, 0))
        return tuple(f"{side} is {n}" for side in ("left", "right") for n in range(10))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Name each pixel by its frame, row and column."""
        return tuple(
            f"{side} {row},{column}"
            for row in range(SIDE)
            for side in ("left", "right")
            for column in range(SIDE)
        )

    @property
    def input_label(self) -> tuple[int, ...]:
        """For each pixel the true module, that of its frame."""
        return tuple(
            frame for _ in range(SIDE) for frame in (0, 1) for _ in range(SIDE)
        )

    @property
    def output_label(self) -> tuple[int, ...]:
        """For each output the true module, each bit's own or that of its digit."""
        if self.name == "digits-hierarchical":
            return (2, 3, 4)
        return (0,) * 10 + (1,) * 10


def digit_names() -> tuple[DigitTaskName, ...]:
    """List the tasks on digits.

    Example:
        >>> digit_names()
        ('digits-hierarchical', 'digits-pair')
    """
    return get_args(DigitTaskName)


def digits(
    name: str,
    *,
    data: str | Path,
    download: bool = False,
    seed: int = 0,
    cache: str | Path | None = None,
    on_progress: Callable[[str], object] | None = None,
) -> DigitTask:
    """Make a task of pairs of MNIST digits, the same for the same seed.

    In the hierarchical task both digits are below 8, and the three outputs are the bits
    of left XOR right: each needs both digits, which nothing but the wiring says. In the
    pair task 20 outputs name each digit, and the two digits have nothing in common.

    The images are put together once and kept in a cache, outside of any project.

    Args:
        name: One of `digit_names()`.
        data: A folder with MNIST as `torchvision.datasets.MNIST` lays it out.
        download: Whether to fetch it into the folder where it is not there.
        seed: Decides which images are paired.
        cache: Folder for what was put together. None: `sculpt` in the user's folder for
            such things (`XDG_CACHE_HOME`, or `~/.cache`).
        on_progress: Told in a few words what is being done, where it takes seconds.

    Returns:
        The task with all its images in memory: some 125 MB.

    Raises:
        TaskError: There is no such task, or MNIST is not in the folder; it says how to
            get it.
        ModelError: torchvision is not installed.

    Reference:
        Patil, Michael and Dovrolis, "Neural Sculpting", NeurIPS 2023,
        https://arxiv.org/abs/2305.18402
    """
    if name not in digit_names():
        raise TaskError(
            f"A task on digits must be one of {', '.join(digit_names())}, got {name!r}."
        )
    known: DigitTaskName = name  # pyright: ignore[reportAssignmentType]
    say = on_progress or (lambda what: None)
    source = _source(Path(data), download=download, say=say)
    path = _cache_folder(cache) / f"{known}-{seed}-{source}.safetensors"
    found = _read(path)
    if found is None:
        say("pairing digits")
        found = _paired(known, Path(data), seed)
        _keep(path, found)
    return DigitTask(
        known,
        Samples(found["training.pixels"], found["training.bits"].float()),
        Samples(found["validation.pixels"], found["validation.bits"].float()),
    )


def _source(data: Path, *, download: bool, say: Callable[[str], object]) -> str:
    """Name the MNIST in a folder by the sizes and times of its files."""
    raw = data / "MNIST" / "raw"
    parts = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3")
    needed = [raw / f"{part}-ubyte" for part in (*parts, "t10k-labels-idx1")]
    if download and not all(path.is_file() for path in needed):
        say("downloading MNIST")
        _download(data)
    missing = [path.name for path in needed if not path.is_file()]
    if missing:
        raise TaskError(
            f"{data} must hold MNIST, in MNIST/raw/, and {missing[0]} is not there: "
            "pass --data FOLDER with the folder that "
            "torchvision.datasets.MNIST(FOLDER, download=True) fills, or --download."
        )
    known = repr([(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in needed])
    return sha256(known.encode()).hexdigest()[:12]


def _download(data: Path) -> None:
    """Let torchvision fetch MNIST."""
    import_torchvision()
    from torchvision.datasets import MNIST

    try:
        MNIST(str(data), download=True)
    except (OSError, RuntimeError) as error:
        raise TaskError(
            f"MNIST could not be fetched into {data}: {one_line(error)}. Fetch it "
            "elsewhere, and pass its folder as --data."
        ) from error


def _cache_folder(cache: str | Path | None) -> Path:
    """Say where to keep what was put together."""
    if cache is not None:
        return Path(cache)
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sculpt"


def _read(path: Path) -> dict[str, Tensor] | None:
    """Read what was put together before, if it is there and whole."""
    try:
        found, metadata = store.read_tensors(path)
    except CheckpointError:
        return None
    return found if metadata.get("format") == _FORMAT else None


def _keep(path: Path, found: dict[str, Tensor]) -> None:
    """Keep what was put together; where that cannot be, it is made anew each time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        store.write_tensors(path, found, metadata={"format": _FORMAT})
    except (CheckpointError, OSError):
        return


def _paired(name: DigitTaskName, data: Path, seed: int) -> dict[str, Tensor]:
    """Put the images together."""
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, Tensor] = {}
    for part, count in _PAIRS.items():
        images, labels = _mnist(data, training=part == "training")
        limit = 8 if name == "digits-hierarchical" else 10
        left, right = _drawn(labels, limit, count, generator)
        pixels = torch.cat([images[left], images[right]], dim=2)
        found[f"{part}.pixels"] = pixels.flatten(1)
        found[f"{part}.bits"] = _bits(name, labels[left], labels[right])
    return found


def _mnist(
    data: Path, *, training: bool
) -> tuple[UInt8[Tensor, "image row column"], Int[Tensor, " image"]]:
    """Read MNIST."""
    import_torchvision()
    from torchvision.datasets import MNIST

    try:
        mnist = MNIST(str(data), train=training)
        if mnist.data.shape != (len(mnist.targets), SIDE, SIDE):
            raise ValueError(
                f"images of shape {list(mnist.data.shape)} "
                f"for {len(mnist.targets)} labels"
            )
        if missing := set(range(10)) - set(mnist.targets.tolist()):
            raise ValueError(f"no image of a {min(missing)}")
    # torchvision asserts some of it, and looks some up.
    except (
        AssertionError,
        LookupError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise TaskError(
            f"The MNIST in {data} must be readable, and is not: "
            f"{one_line(error)}. Fetch it again."
        ) from error
    return mnist.data, mnist.targets


def _drawn(
    labels: Int[Tensor, " image"], limit: int, count: int, generator: torch.Generator
) -> tuple[Int[Tensor, " pair"], Int[Tensor, " pair"]]:
    """Draw images for each ordered pair of digits below a limit."""
    images = [(labels == digit).nonzero().flatten() for digit in range(limit)]
    left, right = [], []
    for one in images:
        for other in images:
            left.append(_some(one, count, generator))
            right.append(_some(other, count, generator))
    return torch.cat(left), torch.cat(right)


def _some(
    images: Int[Tensor, " image"], count: int, generator: torch.Generator
) -> Int[Tensor, " drawn"]:
    """Draw images, each as often as it comes."""
    return images[torch.randint(len(images), (count,), generator=generator)]


def _bits(
    name: DigitTaskName, left: Int[Tensor, " pair"], right: Int[Tensor, " pair"]
) -> UInt8[Tensor, "pair output"]:
    """Say what the outputs shall be."""
    if name == "digits-hierarchical":
        bits = [(left ^ right) >> bit & 1 for bit in (2, 1, 0)]
    else:
        bits = [digit == n for digit in (left, right) for n in range(10)]
    return torch.stack(bits, dim=1).to(torch.uint8)
