import re
from importlib import import_module

import numpy as np
import pytest
import torch

from sculpt_plugin import tasks
from sculpt_plugin.errors import TaskError

# The function of the same name stands before it.
mlp_module = import_module("sculpt_plugin.tasks.mlp")


def test_weights_are_kaiming_normal_and_biases_zero():
    model = tasks.mlp(tasks.get("8,2,16"), hidden=(2000, 50), seed=3)

    weight = model[2].weight
    assert weight.std().item() == pytest.approx((2 / 2000) ** 0.5, rel=0.02)
    assert all(not layer.bias.any() for layer in (model[0], model[2], model[4]))


def test_same_seed_gives_the_same_network_and_leaves_torch_alone():
    before = torch.get_rng_state()

    first, second, other = (
        tasks.mlp(tasks.get("4,2,4"), seed=seed)[0].weight for seed in (1, 1, 2)
    )

    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("hidden", [(), (24, 0), 12, None, (24.0, 24), "24,24"])
@pytest.mark.parametrize("use", [tasks.mlp, tasks.learning])
def test_network_without_hidden_units_is_refused(use, hidden):
    said = f"at least one layer, each 1 or more, got {re.escape(repr(hidden))}: "
    # As users call it, without the type checks of the tests.
    with pytest.raises(TaskError, match=said):
        use.__wrapped__(tasks.get("4,2,4"), hidden=hidden)


@pytest.mark.parametrize("seed", [-1, 2**63, "a", 1.5, None])
def test_what_is_no_seed_is_refused(seed):
    said = re.escape(f"seed must be from 0 to 2**63 - 1, got {seed}.")
    with pytest.raises(TaskError, match=said):
        tasks.mlp.__wrapped__(tasks.get("4,2,4"), seed=seed)


def test_seeds_may_be_any_whole_numbers():
    made = tasks.mlp.__wrapped__(tasks.get("4,2,4"), seed=np.int64(3))
    expected = tasks.mlp(tasks.get("4,2,4"), seed=3)
    assert torch.equal(made[0].weight, expected[0].weight)


def test_widths_may_be_any_whole_numbers():
    model = tasks.mlp.__wrapped__(tasks.get("4,2,4"), hidden=np.array([3, 2]))
    assert [layer.out_features for layer in model[::2]] == [3, 2, 4]


def test_a_network_that_does_not_fit_the_memory_is_refused_before_it_is_made(
    monkeypatch,
):
    parameters = 5 * 6 + 7 * 4
    monkeypatch.setattr(mlp_module, "_room", lambda: 16 * parameters)
    tasks.mlp(tasks.get("4,1,4"), hidden=(6,))
    with pytest.raises(TaskError, match=r"must fit the memory, got \(7,\)"):
        tasks.mlp(tasks.get("4,1,4"), hidden=(7,))


@pytest.mark.parametrize("use", [tasks.mlp, tasks.learning])
def test_a_network_of_thousands_of_layers_is_refused(use):
    use(tasks.get("4,1,4"), hidden=(1,) * 100)
    with pytest.raises(TaskError, match=r"at most 100 layers.*, got 4000: choose"):
        use(tasks.get("4,1,4"), hidden=(1,) * 4000)


@pytest.mark.parametrize("use", [tasks.mlp, tasks.learning])
def test_a_long_number_is_not_told_whole(use):
    with pytest.raises(TaskError, match="must fit the memory") as caught:
        use(tasks.get("4,1,4"), hidden=(10**4000,))
    assert len(str(caught.value)) < 200
