import copy

import pytest
import torch
from torch import nn

from sculpt_plugin.training.flat_adam import (
    FlatParameters,
    flattened,
    start_adam,
    step_adam,
)


def small_network():
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3))


def test_steps_are_those_of_torch_adam():
    model = small_network()
    twin = copy.deepcopy(model)
    batches = torch.randn(20, 11, 5)
    optimizer = torch.optim.Adam(twin.parameters(), lr=0.03, weight_decay=1e-2)
    for batch in batches:
        optimizer.zero_grad()
        twin(batch).square().mean().backward()
        optimizer.step()

    with flattened(model) as flat:
        moments = start_adam(flat)
        for step, batch in enumerate(batches, start=1):
            model(batch).square().mean().backward()
            step_adam(flat, moments, step=step, learning_rate=0.03, weight_decay=1e-2)

    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


def test_model_gets_its_own_memory_and_gradients_back():
    model = small_network()
    model(torch.ones(1, 5)).sum().backward()
    memory = [item.data_ptr() for item in model.parameters()]
    gradients = [item.grad for item in model.parameters()]

    with flattened(model) as flat:
        flat.values.fill_(2.0)

    assert [item.data_ptr() for item in model.parameters()] == memory
    assert all(
        item.grad is gradient
        for item, gradient in zip(model.parameters(), gradients, strict=True)
    )
    assert all((item == 2.0).all() for item in model.parameters())


def test_memory_comes_back_after_an_error():
    model = small_network()
    memory = [item.data_ptr() for item in model.parameters()]

    with pytest.raises(KeyError), flattened(model):
        raise KeyError

    assert [item.data_ptr() for item in model.parameters()] == memory


def test_frozen_parameters_stay_out():
    model = small_network()
    model[0].requires_grad_(False)

    with flattened(model) as flat:
        assert flat.values.numel() == 7 * 3 + 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_roots_of_nothing_are_as_nothing_to_the_last_bit(dtype):
    count = 1003
    values = torch.randn(count, dtype=dtype)
    gradients = torch.randn(count, dtype=dtype) * 10.0 ** torch.randint(
        -40, 1, (count,)
    )
    gradients[::3] = 0
    flat = FlatParameters(values.clone(), gradients.clone())
    moments = start_adam(flat)

    step_adam(flat, moments, step=1, learning_rate=0.1, weight_decay=0.0)

    spread = moments.second.sqrt().div_((1 - 0.999) ** 0.5).add_(1e-8)
    values.addcdiv_(moments.first, spread, value=-0.1 / (1 - 0.9))
    assert torch.equal(flat.values, values)
