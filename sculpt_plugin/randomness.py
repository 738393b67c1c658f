"""Randomness that a run can repeat, and that the caller does not notice."""

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch

from sculpt_plugin.errors import DataError


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Restore the random state of Python, numpy and torch after the block.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> with kept():
        ...     inside = torch.rand(1)
        >>> bool(torch.rand(1) == inside)
        True
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    used = torch.cuda.is_initialized()
    devices = list(range(torch.cuda.device_count())) if used else []
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)


@contextlib.contextmanager
def seeded(*seeds: int) -> Iterator[None]:
    """Seed Python, numpy and torch inside the block, and restore them after it.

    Every turn of a long run seeds itself from its own number, so a run that was killed
    goes on with the very numbers it would have drawn.

    Args:
        seeds: Non-negative integers that together name the stream of numbers.

    Raises:
        DataError: A seed is below 0.

    Example:
        >>> with seeded(0, 7):
        ...     first = torch.rand(1)
        >>> with seeded(0, 7):
        ...     bool(torch.rand(1) == first)
        True
    """
    if min(seeds) < 0:
        raise DataError(f"seed must be 0 or above, got {min(seeds)}.")
    seed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
    with kept():
        random.seed(seed)
        np.random.seed(seed)
        # For a GPU that is not in use yet torch would remember the seed, for good.
        idle = torch.backends.cuda.is_built() and not torch.cuda.is_initialized()
        (torch.default_generator if idle else torch).manual_seed(seed)
        yield
