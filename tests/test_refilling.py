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
        lambda x: torch.ops.aten.mul.Scalar(x, 1),
        lambda x: torch.ops.aten.mul.Scalar((x > 0).long(), 1.0),
    ],
)
def test_any_operation_is_repeated_on_new_numbers(step):
    numbers = torch.randn(5, 2, 3)
    x = numbers[0].clone()
    again = repeated(lambda: (x + 1, step(x)))
    assert repeats(lambda: step(x))

    for now in numbers:
        x.copy_(now)
        first, found = again()
        assert torch.equal(first, now + 1)
        assert torch.equal(found, step(now))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "shapes",
    [
        ((5, 1, 3), (5, 16, 3)),
        ((5, 1, 64), (5, 8, 64)),
        ((5, 1, 3), (5, 12, 3)),
        ((5, 1, 65), (5, 8, 65)),
        ((1, 1, 3), (5, 8, 3)),
        ((5, 16, 3), (5, 1, 3)),
        ((5, 8, 1), (5, 8, 3)),
        ((3,), (5, 8, 3)),
        ((5, 8, 3), (5, 8, 3)),
    ],
)
def test_rows_are_added_to_the_last_bit(shapes, dtype):
    some, others = (torch.randn(shape, dtype=dtype) for shape in shapes)
    turned = others.mT.contiguous().mT

    def sums():
        return some + others, others + some, some + turned, some.add(others, alpha=2)

    again = repeated(sums)
    again()
    some.normal_()

    for found, expected in zip(again(), sums(), strict=True):
        assert torch.equal(found, expected)
