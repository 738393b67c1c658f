"""Memory is filled again once nobody reads it any more, and never before."""

import random

import pytest
import torch

from sculpt_plugin.pruning.lanes.operations import memory_of
from sculpt_plugin.pruning.lanes.reusing import reusing
from sculpt_plugin.pruning.lanes.tape import _record, repeated

OPERATIONS = [
    lambda x, y: x + y,
    lambda x, y: (x - y.mT.contiguous()).mT,
    lambda x, y: x.relu(),
    lambda x, y: x.mT @ y,
    lambda x, y: torch.where(x > 0, y, x),
    lambda x, y: torch.cat([x[:, :2], y[:, 2:]], dim=1),
    lambda x, y: x.sum(1, keepdim=True).expand(3, 4, 4) * y.mean(),
    lambda x, y: x.softmax(-1),
    lambda x, y: torch.zeros_like(x).add_(y).mul_(x),
    lambda x, y: torch.ones_like(x.neg()) - y,
    lambda x, y: x.clone().copy_(y.mT),
    lambda x, y: (x > y).to(x.dtype),
    lambda x, y: x[:1].expand(3, 4, 4) + y.double().to(x.dtype),
    lambda x, y: x.sort(dim=1).values,
    lambda x, y: (
        torch.nn.functional.layer_norm(x, (4,)) * y.diagonal(dim1=1, dim2=2)[..., None]
    ),
    # Other kinds of numbers in the same memory, and numbers that are conjugated late.
    lambda x, y: torch.view_as_real(torch.fft.fft(x)).sum(-1) - y,
    lambda x, y: (torch.fft.fft(x) * torch.fft.fft(y).conj()).imag,
    lambda x, y: (torch.fft.fft(x).conj().imag + 1) * y,
    lambda x, y: (x.relu().view(torch.int32) & -256).view(x.dtype) + y,
]


def calls_of(step):
    made, done = _record(step)
    assert done is not None
    return reusing(done, [x.detach() for x in made])


@pytest.mark.parametrize("number", range(100))
def test_any_program_gives_the_same_to_the_last_bit(number):
    source = random.Random(number)
    given = [torch.randn(3, 4, 4) for _ in range(2)]
    chosen = [
        (source.choice(OPERATIONS), source.random(), source.random())
        for _ in range(source.randint(2, 25))
    ]
    kept = source.random()

    def step():
        found = list(given)
        for operation, one, two in chosen:
            # The latest more often, so that memory is free early.
            places = [int(len(found) * share**0.3) for share in (one, two)]
            found.append(operation(*(found[place] for place in places)))
        return found[-1], found[int(kept * len(found))].mT

    again = repeated(step)
    again()

    for _ in range(3):
        for x in given:
            x.normal_()
        for x, expected in zip(again(), step(), strict=True):
            assert torch.equal(x, expected)


def test_chain_of_operations_on_single_numbers_needs_one_memory():
    x = torch.randn(3, 4)

    calls, made = calls_of(lambda: ((x * 2).relu().neg().exp(),))

    assert {memory_of(call.made[0]) for call in calls} == {memory_of(made[0])}


def test_chain_of_products_needs_two_memories():
    x = torch.randn(4, 4)

    calls, _ = calls_of(lambda: (x @ x @ x @ x @ x,))

    assert len({memory_of(call.made[0]) for call in calls}) == 2


def test_given_tensors_are_never_overwritten():
    x = torch.randn(3, 4)
    before = x.clone()
    again = repeated(lambda: (x.relu().neg(),))

    again(), again()

    assert torch.equal(x, before)


def test_what_is_still_to_be_read_stays():
    x = torch.randn(3, 4)

    calls, made = calls_of(lambda: ((once := x.exp()).neg() * once, once))

    assert len({memory_of(call.made[0]) for call in calls}) == 2
    assert memory_of(made[1]) == memory_of(calls[0].made[0])


def test_other_layout_is_not_overwritten_as_it_is_read():
    x = torch.randn(4, 4)

    calls, _ = calls_of(lambda: (torch.add((y := x.exp()), y.t()),))

    assert len({memory_of(call.made[0]) for call in calls}) == 2


def test_short_memory_does_not_hold_a_long_one_back():
    x = torch.randn(64, 64)

    calls, _ = calls_of(lambda: ((x.exp().sum() * x).exp(),))

    sizes = sorted(
        {(memory_of(c.made[0]), c.made[0].untyped_storage().nbytes()) for c in calls}
    )
    assert sorted(size for _, size in sizes) == [4, 64 * 64 * 4]
