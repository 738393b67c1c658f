"""Whether numbers are numbers, also where a sum is not."""

import pytest
import torch

from sculpt_plugin.finite import all_finite

TYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.mark.parametrize("dtype", TYPES)
def test_it_says_what_a_look_at_each_number_says(dtype):
    largest = torch.finfo(dtype).max
    rows = [
        [],
        [1.0, -2.0],
        [largest, largest],
        [largest, largest, torch.nan],
        [1.0, torch.nan],
        [torch.inf, 0.0],
        [torch.inf, -torch.inf],
    ]
    for row in rows:
        x = torch.tensor(row, dtype=dtype)
        assert all_finite(x) == bool(torch.isfinite(x).all())
