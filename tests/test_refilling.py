"""Any operation is done again in the memory that it filled."""

import pytest
import torch
from torch import nn

from sculpt_plugin.pruning.lanes.tape import repeated, repeats


@pytest.mark.parametrize(
    "step",
    [
        lambda x: x.t() @ x,
        lambda x: x.sort(dim=1).values + x.max(1, keepdim=True).values,
        lambda x: torch.cat([x, 2 * x]).to(torch.float64).cumsum(1),
        lambda x: torch.zeros(2, 3).add_(x).mul_(x),
        lambda x: torch.full((3,), 2.0).expand(2, 3) * x,
        lambda x: (x / 3 - 1).relu() / (x + 1) == 0,
        lambda x: nn.functional.layer_norm(x, (3,)).softmax(-1).clone().t(),
        lambda x: torch.where(x > 0, x, x.new_ones(())).std(dim=1),
        lambda x: torch.gather(x, 1, x.argsort(dim=1)),
        lambda x: nn.functional.embedding((x > 0).long(), x),
    ],
)
def test_any_operation_is_repeated_on_new_numbers(step):
    numbers = torch.randn(5, 2, 3)
    x = numbers[0].clone()
    again = repeated(lambda: (step(x),))
    assert repeats(lambda: step(x))

    for now in numbers:
        x.copy_(now)
        assert torch.equal(
            again()[0],
            step(now),
        )
