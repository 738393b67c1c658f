"""A recipe trains as torch's Adam would, and keeps the best epoch."""

import copy

import pytest
import torch
from torch import nn

from sculpt_plugin.errors import DataError, ModelError, TrainError
from sculpt_plugin.training.recipe import Recipe

INPUTS = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
TARGETS = (INPUTS[:, :1] != INPUTS[:, 1:]).float()


def right(outputs, targets):
    return ((outputs > 0.5) == (targets > 0.5)).float().mean()


def recipe(**changes) -> Recipe:
    settings = {"learning_rate": 0.05, "noise": 0.1, "epochs": 5}
    return Recipe(INPUTS, TARGETS, nn.functional.mse_loss, right, **settings | changes)


def network(*extra) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(2, 8), *extra, nn.ReLU(), nn.Linear(8, 1))


def weights_of_each_epoch(model, how):
    """The weights after each epoch, with torch's own Adam and no shared passes."""
    optimizer = torch.optim.Adam(model.parameters(), weight_decay=how.weight_decay)
    weights = [model[0].weight, model[-1].weight]
    source = torch.Generator().manual_seed(how.seed)
    history = []
    for epoch in range(how.epochs):
        share = (epoch + 1) / how.epochs
        rate = how.learning_rate * (1 + (how.final_share - 1) * share)
        optimizer.param_groups[0]["lr"] = rate
        noise = torch.randn(len(INPUTS), 2, generator=source)
        noisy = INPUTS + how.noise * noise
        optimizer.zero_grad()
        sizes = sum(weight.abs().sum() for weight in weights)
        (how.loss(model(noisy), TARGETS) + how.l1_decay * sizes).backward()
        optimizer.step()
        history.append(copy.deepcopy(model.state_dict()))
    return history


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


def test_inputs_and_targets_of_other_lengths_are_refused():
    with pytest.raises(DataError, match="one row for each sample, got 4 and 3"):
        Recipe(INPUTS, TARGETS[:3], nn.functional.mse_loss, right)


class Counting(nn.Sequential):
    """Counts the passes it is trained in."""

    passes = 0

    def forward(self, x):
        self.passes += self.training and torch.is_grad_enabled()
        return super().forward(x)


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 2.5}, "batch_size must be a whole number, .* got 2.5"),
        ({"batch_size": "8"}, "batch_size must be a whole number, .* got '8'"),
        ({"early_accept": "1"}, "early_accept must be a finite score, .* got '1'"),
    ],
)
def test_values_of_a_wrong_kind_are_refused(changes, message):
    how = recipe()
    # As users call it, without the type checks of the tests.
    for name, value in changes.items():
        object.__setattr__(how, name, value)

    with pytest.raises(DataError, match=message):
        how.__post_init__()


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
