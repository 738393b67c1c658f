"""A recipe trains as torch's Adam would, and keeps the best epoch."""

import copy
from types import SimpleNamespace

import pytest
import torch
from small_recipe import INPUTS, TARGETS, network, recipe, right, weights_of_each_epoch
from torch import nn

from sculpt_plugin.errors import DataError, ModelError, TrainError
from sculpt_plugin.training.recipe import Recipe
from sculpt_plugin.training.settings import check_settings


@pytest.mark.parametrize(
    ("changes", "best_epoch"),
    [
        ({"epochs": 1}, 1),
        ({"epochs": 12}, 12),
        ({"epochs": 12, "noise": 2.0}, 9),
        ({"epochs": 12, "l1_decay": 0.02}, 12),
    ],
)
def test_training_keeps_the_best_epoch_of_torch_adam(changes, best_epoch):
    how = recipe(learning_rate=0.3, weight_decay=0.01, seed=4, **changes)
    model = network()
    twin = copy.deepcopy(model)
    history = weights_of_each_epoch(twin, how)
    scores = {}
    for epoch, weights in enumerate(history, start=1):
        if how.looks(epoch, how.epochs):
            twin.load_state_dict(weights)
            loss = how.loss(twin(INPUTS), TARGETS).item()
            scores[epoch] = (how.evaluate(twin), -loss)

    how.train(model)

    assert max(scores, key=lambda epoch: scores[epoch]) == best_epoch
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(
            weight, history[best_epoch - 1][name], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(("epochs", "first"), [(1, 1), (2, 2), (3, 2), (12, 7)])
def test_validation_set_is_looked_at_in_the_second_half(epochs, first):
    looked = [e for e in range(epochs + 1) if recipe().looks(e, epochs)]

    assert looked == list(range(first, epochs + 1))


def test_training_is_a_function_of_the_weights_and_the_seed():
    first, second, third = network(), network(), network()

    recipe(seed=7).train(first)
    torch.rand(3)
    recipe(seed=7).train(second)
    recipe(seed=8).train(third)

    assert torch.equal(first[0].weight, second[0].weight)
    assert not torch.equal(first[0].weight, third[0].weight)


def test_training_does_not_touch_the_callers_random_numbers():
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)

    recipe().train(network_kept := nn.Linear(2, 1).requires_grad_())
    torch.manual_seed(5)

    assert torch.equal(torch.rand(2), expected)
    assert network_kept.weight.grad is None


@pytest.mark.parametrize("mode", [True, False])
def test_training_leaves_no_gradients_and_keeps_the_mode(mode):
    model = network(nn.Dropout(0.1)).train(mode)

    recipe().train(model)

    assert all(module.training == mode for module in model.modules())
    assert all(item.grad is None for item in model.parameters())


@pytest.mark.parametrize(
    ("extra", "apart"),
    [
        (nn.Identity(), True),
        (nn.BatchNorm1d(8), False),
        # Nothing but the other samples tells that it mixes them.
        (nn.BatchNorm1d(8, track_running_stats=False), False),
    ],
)
def test_model_that_mixes_samples_gets_passes_of_its_own(extra, apart):
    assert recipe().sees_rows_apart(network(extra)) is apart


def test_buffers_are_those_of_the_best_epoch():
    how = recipe(epochs=1)
    model = network(nn.BatchNorm1d(8))
    source = torch.Generator().manual_seed(how.seed)
    noisy = INPUTS + how.noise * torch.randn(INPUTS.shape, generator=source)
    mean = model[0](noisy).mean(0).detach()

    how.train(model)

    torch.testing.assert_close(model[1].running_mean, 0.1 * mean)


def test_validation_set_decides_when_it_is_given():
    how = recipe(validation=(INPUTS[:1], TARGETS[:1]))

    assert how.batches[0][0].tolist() == [[0, 0]]


def test_learning_rate_falls_in_a_straight_line_to_its_final_share():
    how = recipe(learning_rate=1.0, final_share=0.2)

    assert [how.rate(epoch, 4) for epoch in (1, 2, 4)] == pytest.approx([0.8, 0.6, 0.2])


def test_learning_rate_rises_first_where_it_is_to_warm_up():
    how = recipe(learning_rate=1.0, final_share=0.0, warm_up=2)

    rates = [how.rate(step, 4) for step in (1, 2, 3, 4)]
    assert rates == pytest.approx([0.5 * 0.75, 0.5, 0.25, 0.0])


@pytest.mark.parametrize("batch_size", [None, 2])
def test_warming_up_is_a_smaller_first_step(batch_size):
    at_once, slowly = network(), network()
    slowly.load_state_dict(at_once.state_dict())
    start = slowly[0].weight.detach().clone()
    settings = {"batch_size": batch_size, "epochs": 1, "final_share": 0.99}

    recipe(**settings).train(at_once)
    recipe(**settings, warm_up=10**6).train(slowly)

    assert (at_once[0].weight - start).abs().max() > 1e-3
    torch.testing.assert_close(slowly[0].weight, start, rtol=0, atol=1e-5)


@pytest.mark.parametrize("steps", [-1, 2.5])
def test_warming_up_takes_a_whole_number_of_steps(steps):
    how = recipe()
    object.__setattr__(how, "warm_up", steps)
    with pytest.raises(DataError, match=f"warm_up must be a whole .* got {steps}"):
        how.__post_init__()


@pytest.mark.parametrize("batch_size", [None, 2])
def test_training_in_bfloat16_is_near_and_its_weights_and_scores_are_not(batch_size):
    precise, rough = network(), network()
    rough.load_state_dict(precise.state_dict())
    start = copy.deepcopy(precise.state_dict())
    seen = []
    rough[0].register_forward_hook(lambda layer, x, y: seen.append(y.dtype))

    recipe(batch_size=batch_size).train(precise)
    how = recipe(batch_size=batch_size, bf16=True)
    how.train(rough)
    # Looks at the validation set are as precise as ever.
    assert set(seen) == {torch.bfloat16, torch.float32}
    seen.clear()
    how.evaluate(rough)

    assert seen == [torch.float32]
    for name, value in rough.state_dict().items():
        wanted = precise.state_dict()[name]
        assert value.dtype == wanted.dtype == torch.float32
        moved = (wanted - start[name]).abs().max()
        assert (value - wanted).abs().max() < 0.2 * moved
    assert any(
        not torch.equal(value, precise.state_dict()[name])
        for name, value in rough.state_dict().items()
    )


def test_model_of_another_dtype_is_trained_in_it():
    model = network().double()

    recipe().train(model)

    assert model[0].weight.dtype == torch.float64


def test_loss_that_is_not_finite_is_an_error():
    model = network()
    nn.init.constant_(model[0].weight, float("nan"))

    with pytest.raises(TrainError, match="must stay finite, got nan: lower learning_r"):
        recipe().train(model)


def test_outputs_that_do_not_fit_are_refused():
    def loss(outputs, targets):
        if outputs.shape != targets.shape:
            raise ValueError("other shapes")
        return (outputs - targets).square().mean()

    how = Recipe(INPUTS, TARGETS, loss, right)

    with pytest.raises(ModelError, match=r"targets of shape \[4, 1\], got \[4, 3\]"):
        how.train(nn.Linear(2, 3))


@pytest.mark.parametrize("name", ["first_epochs", "epochs"])
def test_counts_below_one_are_refused(name):
    with pytest.raises(DataError, match="epochs must be 1 or more, got"):
        recipe(**{name: 0})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 1.5}, r"epochs must be 1 or more, got \d+ and 1.5"),
        ({"learning_rate": 0}, "learning_rate must be a finite number above 0, got 0"),
        ({"learning_rate": float("nan")}, "above 0, got nan"),
        ({"learning_rate": "a"}, "above 0, got 'a'"),
        ({"final_share": -1.0}, "final_share must be a finite number, 0 or more"),
        ({"batch_size": True}, "batch_size must be a whole number"),
        ({"validation": (INPUTS,)}, "None or two of them, got Tensor, Tensor, Tensor"),
        ({"validation": 3}, "None or two of them, got Tensor, Tensor, int"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changes, message):
    # As users call it, without the type checks of the tests.
    known = {**vars(recipe()), **changes}
    with pytest.raises(DataError, match=message):
        check_settings.__wrapped__(SimpleNamespace(**known))


def test_inputs_and_targets_of_other_lengths_are_refused():
    with pytest.raises(DataError, match="one row for each sample, got 4 and 3"):
        Recipe(INPUTS, TARGETS[:3], nn.functional.mse_loss, right)
