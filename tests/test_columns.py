"""A model that reads some of its inputs, trained by one who has the data."""

import copy
import pickle

import pytest
import torch
from torch import nn

from sculpt_plugin.tasks.learning import bit_loss, right_bits
from sculpt_plugin.training.columns import ReadSome, hands_on
from sculpt_plugin.training.recipe import Recipe

READ = torch.tensor([4, 1])


def reading(columns: torch.Tensor = READ) -> nn.Linear:
    model = nn.Linear(2, 1)
    model.register_forward_pre_hook(ReadSome(columns))
    return model


def recipe(*, batch_size: int | None = 8, noise: float = 0.0) -> Recipe:
    inputs = torch.rand(24, 6)
    targets = (inputs[:, [4]] > inputs[:, [1]]).float()
    return Recipe(
        inputs,
        targets,
        bit_loss,
        right_bits,
        epochs=4,
        batch_size=batch_size,
        noise=noise,
    )


def test_a_model_reads_the_columns_in_their_order():
    model, inputs = reading(), torch.rand(3, 6)
    expected = nn.functional.linear(inputs[:, [4, 1]], model.weight, model.bias)
    assert torch.equal(model(inputs), expected)


def test_columns_are_along_the_last_axis():
    assert reading()(torch.rand(2, 5, 6)).shape == (2, 5, 1)


def test_other_arguments_are_handed_on():
    hook = ReadSome(torch.tensor([0]))
    values, other = hook(nn.Identity(), (torch.ones(2, 3), "other"))
    assert (values.shape, other) == ((2, 1), "other")


def test_a_model_that_reads_some_can_be_pickled_and_copied():
    model, inputs = reading(), torch.rand(3, 6)
    again = pickle.loads(pickle.dumps(model))
    assert torch.equal(again(inputs), model(inputs))
    assert torch.equal(copy.deepcopy(model)(inputs), model(inputs))


def test_within_the_block_the_caller_hands_on_the_columns():
    model, inputs = reading(), torch.rand(3, 6)
    expected = model(inputs)
    with hands_on(model, wanted=True) as columns:
        assert torch.equal(model(inputs[:, columns]), expected)
    assert torch.equal(model(inputs), expected)


def test_an_error_within_the_block_puts_the_hook_back():
    model = reading()
    with pytest.raises(KeyError), hands_on(model, wanted=True):
        raise KeyError
    assert model(torch.rand(3, 6)).shape == (3, 1)


def test_hooks_run_in_the_same_order_afterwards():
    model, seen = nn.Linear(2, 1), []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(1))
    model.register_forward_pre_hook(ReadSome(READ))
    model.register_forward_pre_hook(lambda module, inputs: seen.append(3))
    before = list(model._forward_pre_hooks.items())
    with hands_on(model, wanted=True):
        assert len(model._forward_pre_hooks) == 2
    assert list(model._forward_pre_hooks.items()) == before


@pytest.mark.parametrize(
    ("model", "wanted"), [(nn.Linear(2, 1), True), (reading(), False)]
)
def test_where_nothing_is_left_out_the_model_stays_as_it_is(model, wanted):
    before = dict(model._forward_pre_hooks)
    with hands_on(model, wanted=wanted) as columns:
        assert columns is None
        assert dict(model._forward_pre_hooks) == before


@pytest.fixture
def wanted(monkeypatch):
    """Leave it to the hook to leave inputs out; note what was wanted."""
    noted = []

    def refused(model, *, wanted):
        noted.append(wanted)
        return hands_on(model, wanted=False)

    def refuse():
        monkeypatch.setattr("sculpt_plugin.training.recipe.hands_on", refused)
        return noted

    return refuse


@pytest.mark.parametrize("batch_size", [8, None])
def test_training_is_the_same_whoever_leaves_the_inputs_out(wanted, batch_size):
    how = recipe(batch_size=batch_size)
    one = reading()
    other = copy.deepcopy(one)
    how.train(one)
    noted = wanted()
    how.train(other)
    assert noted == [True]
    assert torch.equal(one.weight, other.weight)


def test_noise_is_drawn_for_all_inputs_also_those_that_are_not_read(wanted):
    noted = wanted()
    recipe(noise=0.1).train(reading())
    assert noted == [False]
