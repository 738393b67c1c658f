"""Mini-batches are those of a loop written out by hand."""

import copy

import pytest
import torch
from networks import mlp
from torch.nn import functional as F

from sculpt_plugin.training.mini_batches import shuffled, train_in_batches

INPUTS = torch.linspace(-1, 1, 7 * 3).view(7, 3)
TARGETS = (INPUTS.sum(1, keepdim=True) > 0).float()


def named(seed):
    return torch.Generator().manual_seed(seed)


def loss_of(model, samples):
    return F.mse_loss(model(INPUTS[samples]), TARGETS[samples])


def rate(step, steps):
    return 0.1 * (1 - 0.9 * step / steps)


def train(model, **changes):
    settings = {
        "count": 7,
        "batch_size": 3,
        "epochs": 4,
        "rate": rate,
        "weight_decay": 0.01,
        "generator": named(5),
        "after_epoch": lambda epoch: False,
    }
    train_in_batches(model, loss_of, **{**settings, **changes})


@pytest.mark.parametrize(
    ("count", "size", "lengths"),
    [
        (5, 2, [2, 3]),
        (8, 3, [3, 3, 2]),
        (7, 3, [3, 4]),
        (4, 3, [4]),
        (6, 3, [3, 3]),
        (3, 1, [1, 1, 1]),
        (4, 4, [4]),
        (4, 9, [4]),
        (1, 3, [1]),
    ],
)
def test_epoch_visits_each_sample_once(count, size, lengths):
    batches = shuffled(count, size, named(0))

    assert [len(batch) for batch in batches] == lengths
    assert sorted(torch.cat(batches).tolist()) == list(range(count))


def test_order_is_named_by_the_seed_and_new_in_each_epoch():
    source = named(3)
    first, second = (torch.cat([*shuffled(50, 8, source)]).tolist() for _ in "ab")
    again = torch.cat([*shuffled(50, 8, named(3))]).tolist()
    other = torch.cat([*shuffled(50, 8, named(4))]).tolist()

    assert first == again
    assert first not in (second, other)


@pytest.mark.parametrize("batch_size", [1, 4, 5, 7, 20])
def test_training_is_a_plain_loop_with_torch_adam_to_the_bit(batch_size):
    model = mlp(3, 5, 1)
    twin = copy.deepcopy(model)
    adam = torch.optim.Adam(twin.parameters(), weight_decay=0.01, fused=True)
    source, step = named(5), 0
    steps = 4 * -(-7 // batch_size)
    for _ in range(4):
        order = torch.randperm(7, generator=source)
        for start in range(0, 7, batch_size):
            step += 1
            adam.param_groups[0]["lr"] = rate(step, steps)
            adam.zero_grad()
            loss_of(twin, order[start : start + batch_size]).backward()
            adam.step()

    train(model, batch_size=batch_size)

    for found, expected in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(found, expected)


def test_rate_is_asked_for_each_step_of_all_there_may_be():
    asked = []

    def note(step, steps):
        asked.append((step, steps))
        return 0.1

    train(mlp(3, 5, 1), rate=note, epochs=2)

    assert asked == [(step, 4) for step in range(1, 5)]


def test_training_ends_where_it_is_told_to():
    epochs = []
    steps = []

    def after_epoch(epoch):
        epochs.append(epoch)
        return epoch == 2

    def note(step, _):
        steps.append(step)
        return 0.1

    train(mlp(3, 5, 1), after_epoch=after_epoch, rate=note)

    assert epochs == [1, 2]
    assert steps[-1] == 4


def test_frozen_parameters_stay():
    model = mlp(3, 5, 1)
    model[0].weight.requires_grad_(False)
    before = copy.deepcopy(model)

    train(model)

    assert torch.equal(model[0].weight, before[0].weight)
    assert not torch.equal(model[2].weight, before[2].weight)


def test_callers_random_numbers_stay_as_they_were():
    state = torch.get_rng_state()

    train(model := mlp(3, 5, 1).requires_grad_())
    torch.set_rng_state(state)
    again = mlp(3, 5, 1)
    before = torch.get_rng_state()
    train(again)

    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(model[0].weight, again[0].weight)


def test_a_batch_norm_never_sees_a_sample_alone():
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))
    train(model, batch_size=3)
    assert model[0].num_batches_tracked == 2 * 4
