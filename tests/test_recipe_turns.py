"""A recipe's mini-batches, and where its trainings end."""

import copy
from dataclasses import replace

import pytest
import torch
from small_recipe import (
    INPUTS,
    TARGETS,
    Counting,
    network,
    recipe,
    weights_of_each_epoch,
)
from torch import nn

from sculpt_plugin.errors import DataError, TrainError
from sculpt_plugin.training.recipe import Recipe


def batches_of_each_epoch(model, how, epochs):
    """The state after each epoch of mini-batches, written out by hand."""
    adam = torch.optim.Adam(
        model.parameters(), weight_decay=how.weight_decay, fused=True
    )
    source = torch.Generator().manual_seed(how.seed)
    history, step, steps = [], 0, epochs * -(-len(INPUTS) // how.batch_size)
    weights = [model[0].weight, model[-1].weight]
    for _ in range(epochs):
        order = torch.randperm(len(INPUTS), generator=source)
        for samples in order.split(how.batch_size):
            step += 1
            adam.param_groups[0]["lr"] = how.rate(step, steps)
            inputs = INPUTS[samples]
            inputs = inputs + how.noise * torch.randn(inputs.shape, generator=source)
            adam.zero_grad()
            loss = how.loss(model.train()(inputs), TARGETS[samples])
            sizes = sum(weight.abs().sum() for weight in weights)
            (loss + how.l1_decay * sizes).backward()
            adam.step()
        history.append(copy.deepcopy(model.state_dict()))
    return history


def best_of(history, how, first=1):
    """The best epoch, from 1, among those looked at."""
    twin, ranks = network(*_extra(history[0])).eval(), {}
    for epoch, state in enumerate(history, start=1):
        twin.load_state_dict(state)
        loss = how.loss(twin(INPUTS), TARGETS).item()
        if epoch >= first:
            ranks[epoch] = (how.evaluate(twin), -loss, epoch)
    return max(ranks, key=lambda epoch: ranks[epoch])


def _extra(state):
    return [nn.BatchNorm1d(8)] if "1.running_mean" in state else []


@pytest.mark.parametrize(
    ("changes", "extra", "best_epoch"),
    [
        ({"epochs": 1}, [], 1),
        ({"epochs": 12}, [], 12),
        ({"epochs": 12}, [nn.BatchNorm1d(8)], 8),
        ({"epochs": 12, "noise": 2.0, "seed": 6}, [nn.BatchNorm1d(8)], 11),
        ({"epochs": 12, "l1_decay": 0.02}, [nn.BatchNorm1d(8)], 12),
    ],
)
def test_mini_batches_keep_the_best_epoch_of_a_plain_loop(changes, extra, best_epoch):
    how = recipe(batch_size=2, learning_rate=0.2, weight_decay=0.01, **changes)
    model = network(*copy.deepcopy(extra))
    history = batches_of_each_epoch(copy.deepcopy(model), how, how.epochs)

    how.train(model)

    assert best_of(history, how, first=how.epochs // 2 + 1) == best_epoch
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, history[best_epoch - 1][name], rtol=0, atol=0)


@pytest.mark.parametrize("batch_size", [None, 2])
def test_the_first_training_has_no_l1_penalty(batch_size):
    models = [network(), network()]
    for model, strength in zip(models, (0.0, 9.0), strict=True):
        recipe(l1_decay=strength, batch_size=batch_size).prepare(model)

    first, second = (model.state_dict() for model in models)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_one_batch_of_all_samples_is_a_step_an_epoch():
    model = network().double()
    twin = copy.deepcopy(model)

    recipe(noise=0.0).train(model)
    recipe(noise=0.0, batch_size=4).train(twin)

    for one, other in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("extra", [[], [nn.BatchNorm1d(8)]])
def test_turn_ends_after_the_first_epoch_that_is_good_enough(batch_size, extra):
    scores = iter([0.5, 0.9, 0.7, 1.0, 0.1, 0.1])
    seen = []

    def score(outputs, targets):
        seen.append(next(scores))
        return torch.tensor(seen[-1])

    model = Counting(*network(*copy.deepcopy(extra)))
    twin = copy.deepcopy(model)
    settings = {"batch_size": batch_size, "learning_rate": 0.05, "noise": 0.1}
    how = Recipe(
        INPUTS, TARGETS, nn.functional.mse_loss, score, epochs=6, **settings,
        early_accept=0.95,
    )  # fmt: skip

    how.train(model)

    assert seen == [0.5, 0.9, 0.7, 1.0]
    steps = 4 * (1 if batch_size is None else 2)
    # Where one pass serves for the look and the next step, one more was begun.
    assert model.passes in (steps, steps + (batch_size is None and not extra))
    if batch_size is not None:
        long = recipe(batch_size=batch_size, epochs=6)
        history = batches_of_each_epoch(twin, long, 6)
        for name, value in model.state_dict().items():
            torch.testing.assert_close(value, history[3][name], rtol=0, atol=0)


@pytest.mark.parametrize("batch_size", [None, 2])
def test_turn_is_trained_for_an_epoch_even_if_it_is_good_enough_before(batch_size):
    model = network()
    before = copy.deepcopy(model)

    recipe(early_accept=0.0, batch_size=batch_size).train(model)

    assert not torch.equal(model[0].weight, before[0].weight)


def test_first_epoch_is_the_same_however_the_turn_ends():
    one, other = network(), network()

    recipe(early_accept=0.0, epochs=40).train(one)
    weights = weights_of_each_epoch(other, recipe(epochs=40))[0]

    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, weights[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("batch_size", [None, 2])
def test_score_that_is_not_reached_leaves_the_best_of_all_epochs(batch_size):
    """Every epoch is looked at then, the first half too."""
    how = recipe(
        early_accept=2.0, epochs=8, noise=3.0, learning_rate=0.3, batch_size=batch_size
    )
    model = network()
    twin = copy.deepcopy(model)
    history = (
        weights_of_each_epoch(twin, how)
        if batch_size is None
        else batches_of_each_epoch(twin, how, 8)
    )

    how.train(model)

    best = best_of(history, how)
    assert best < 8
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, history[best - 1][name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_size", [None, 2])
def test_first_training_has_all_its_epochs(batch_size):
    model, twin = network(), network()

    recipe(early_accept=0.0, first_epochs=6, batch_size=batch_size).prepare(model)
    recipe(first_epochs=6, batch_size=batch_size).prepare(twin)

    assert torch.equal(model[0].weight, twin[0].weight)


@pytest.mark.parametrize("size", [0, -3])
def test_batch_size_that_cannot_be_meant_is_refused(size):
    with pytest.raises(DataError, match=f"batch_size must be .* got {size}") as caught:
        recipe(batch_size=size)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_score_to_stop_at_that_cannot_be_meant_is_refused(score):
    with pytest.raises(DataError, match="early_accept must be a finite score") as found:
        recipe(early_accept=score)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("strength", [-1e-5, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["l1_decay", "weight_decay", "noise"])
def test_strength_that_cannot_be_meant_is_refused(name, strength):
    with pytest.raises(DataError, match=f"{name} must be a finite number, 0 or more"):
        recipe(**{name: strength})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 2.5}, "batch_size must be a whole number, .* got 2.5"),
        ({"batch_size": "8"}, "batch_size must be a whole number, .* got '8'"),
        ({"early_accept": "1"}, "early_accept must be a finite score, .* got '1'"),
        ({"l1_decay": "a lot"}, "l1_decay must be a finite number, .* got 'a lot'"),
        ({"l1_decay": None}, "l1_decay must be a finite number, .* got None"),
    ],
)
def test_values_of_a_wrong_kind_are_refused(changes, message):
    how = recipe()
    # As users call it, without the type checks of the tests.
    for name, value in changes.items():
        object.__setattr__(how, name, value)

    with pytest.raises(DataError, match=message):
        how.__post_init__()


def test_noise_on_whole_numbers_is_refused():
    with pytest.raises(DataError, match=r"noise .* but these are torch\.int64"):
        replace(recipe(), inputs=INPUTS.long(), noise=0.1)


def test_mini_batches_leave_no_gradients_and_the_mode():
    model = network(nn.Dropout(0.1)).eval()

    recipe(batch_size=3).train(model)

    assert not any(module.training for module in model.modules())
    assert all(item.grad is None for item in model.parameters())


@pytest.mark.parametrize("batch_size", [None, 2])
def test_diverging_mini_batches_are_an_error(batch_size):
    model = network()
    nn.init.constant_(model[0].weight, float("nan"))

    with pytest.raises(TrainError, match="must stay finite, got nan"):
        recipe(batch_size=batch_size, early_accept=0.5).train(model)


@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("extra", [[], [nn.BatchNorm1d(8)]])
def test_first_training_tells_of_each_epoch(batch_size, extra):
    told = []
    model = network(*copy.deepcopy(extra))

    recipe(first_epochs=3, batch_size=batch_size).prepare(
        model, on_epoch=lambda epoch, epochs: told.append((epoch, epochs))
    )

    assert told == [(1, 3), (2, 3), (3, 3)]
