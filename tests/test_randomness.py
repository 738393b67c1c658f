"""Seeding inside a block: repeatable, and without a trace on the caller."""

import random

import numpy as np
import pytest
import torch

from sculpt_plugin.errors import DataError
from sculpt_plugin.randomness import seeded


def drawn() -> tuple[float, float, float]:
    """Draw one number of each kind."""
    return random.random(), float(np.random.random()), float(torch.rand(()))


def seed_all(seed: int):
    """Seed every generator for good."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def test_equal_seeds_draw_equal_numbers_and_the_caller_notices_nothing():
    seed_all(3)
    expected = drawn()
    seed_all(3)
    inside = []
    for seeds in ((1, 2), (1, 2), (2, 1)):
        with seeded(*seeds):
            inside.append(drawn())
    assert inside[0] == inside[1] != inside[2]
    assert drawn() == expected


def test_a_gpu_that_is_not_in_use_yet_keeps_its_own_seed(monkeypatch):
    seen = []
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seen.append)
    with seeded(1):
        there = torch.rand(1)
    assert not seen
    # Once it is in use it is seeded like everything else.
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with seeded(1):
        assert torch.equal(torch.rand(1), there)
    assert len(seen) == 1


def test_seeds_count_from_0():
    with pytest.raises(DataError, match="seed must be 0 or above, got -1"), seeded(-1):
        pass
