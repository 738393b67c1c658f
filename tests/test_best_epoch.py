"""The best epoch is what is left of a training, buffers and modes included."""

import pytest
import torch
from torch import nn

from sculpt_plugin.training.best_epoch import (
    BestEpoch,
    as_one_vector,
    better,
    put_buffers,
    reached,
    switched,
)


def network():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout())
    model[2].eval()
    return model


@pytest.mark.parametrize(
    ("rank", "enough", "expected"),
    [
        (None, 0.5, False),
        ((0.6, -1.0), None, False),
        ((0.4, -1.0), 0.5, False),
        ((0.5, -9.0), 0.5, True),
    ],
)
def test_only_a_score_that_was_seen_can_be_enough(rank, enough, expected):
    best = BestEpoch(rank, torch.zeros(1), [])
    assert reached(best, enough) is expected


def test_a_better_or_equal_epoch_takes_over_and_a_worse_one_does_not():
    model = network()
    with as_one_vector(model) as flat:
        best = BestEpoch(None, flat.values.clone(), [])
        # The first one seen, a better one, one with the same rank, a worse one.
        for value, rank in enumerate([(0.5, -2.0), (0.5, -1.0), (0.5, -1.0), (0.4, 0)]):
            flat.values.fill_(float(value))
            model[1].running_mean.fill_(float(value))
            best = better(best, rank, flat, model)
    assert best.rank == (0.5, -1.0)
    assert best.values.unique().tolist() == [2.0]
    assert best.buffers[0].tolist() == [2.0] * 3


def test_what_the_best_epoch_keeps_does_not_change_with_the_model():
    model = network()
    with as_one_vector(model) as flat:
        best = better(BestEpoch(None, flat.values.clone(), []), (1.0, 0.0), flat, model)
        before = best.values.clone()
        flat.values.fill_(7.0)
        model[1].running_mean.fill_(7.0)
    assert torch.equal(best.values, before)
    assert best.buffers[0].tolist() == [0.0] * 3
    put_buffers(model, best.buffers)
    assert model[1].running_mean.tolist() == [0.0] * 3


@pytest.mark.parametrize("training", [True, False])
def test_modes_are_put_back_one_by_one_also_after_an_error(training):
    model = network()
    modes = [module.training for module in model.modules()]
    assert set(modes) == {True, False}
    with pytest.raises(ZeroDivisionError), switched(model, training=training):
        assert {module.training for module in model.modules()} == {training}
        raise ZeroDivisionError
    assert [module.training for module in model.modules()] == modes


def test_a_model_is_trained_with_gradients_wherever_it_is_called_from():
    model = network()
    with torch.no_grad(), as_one_vector(model) as flat:
        assert model.training
        assert torch.is_grad_enabled()
        model(torch.randn(4, 2)).sum().backward()
        assert flat.gradients.abs().sum() > 0
    assert not model[2].training
