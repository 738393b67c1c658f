"""What a search refuses, it refuses in one line, and gives the model back."""

import numpy as np
import pytest
import torch
from networks import mlp
from small_search import INPUTS, dense, search, train
from torch import nn

from sculpt_plugin.coupling.couple import _check_layers
from sculpt_plugin.errors import DataError, ModelError, ThresholdError, TrainError
from sculpt_plugin.pruning import refusals
from sculpt_plugin.pruning.masks import _pairs


def failing(model):
    raise ZeroDivisionError("no samples")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"min_score": None}, ThresholdError, "Exactly one .* got neither"),
        ({"max_drop": 0.1}, ThresholdError, "Exactly one .* got both"),
        ({"min_score": None, "max_drop": -1.0}, ThresholdError, "0 or above, got -1"),
        ({"min_score": None, "max_drop": 1.0}, ThresholdError, "any model would do"),
        ({"min_score": float("nan")}, ThresholdError, "finite, got nan"),
        ({"min_score": 98.0}, ThresholdError, "a fraction, pass min_score=0.98"),
        ({"units": None, "edges": None}, DataError, "At least one of units and edges"),
        ({"units": 3.0}, DataError, "units must be a share"),
        ({"seed": -1}, DataError, "seed must be a whole number"),
        ({"one_by_one": True, "finest": 0.1}, DataError, "got finest=0.1: leave one"),
        ({"one_by_one": True, "edges": None}, DataError, "got edges=None: leave one"),
        ({"train": failing}, TrainError, r"train raised ZeroDivisionError in turn 1"),
        ({"evaluate": failing}, TrainError, r"evaluate raised .* in turn 0 \(dense\)"),
        ({"evaluate": lambda m: float("nan")}, DataError, "finite number, got nan"),
        ({"evaluate": lambda m: "good"}, DataError, "one number, got str"),
        ({"batches": []}, DataError, "at least one"),
        ({"batches": [(INPUTS,) * 3]}, DataError, r"got tuple of 3: .* \(\(a, b\), ta"),
        ({"loss": torch.nn.MSELoss}, DataError, r"the class MSELoss: pass MSELoss\(\)"),
        ({"loss": lambda y, t: y.sum() / 0}, DataError, "loss must be finite"),
        ({"ignore": ["0", "2", "4"]}, ModelError, "no hidden units .* is ignored"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(changes, error, message):
    with pytest.raises(error, match=message) as caught:
        search(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("what", ["buffer", "module"])
def test_numbers_that_come_while_training_are_refused_and_the_model_is_put_back(what):
    def growing(model):
        train(model)
        with torch.no_grad():
            model[0].weight.zero_()
        if what == "buffer":
            model.register_buffer("mean", torch.zeros(1))
        else:
            model.append(nn.Linear(2, 2))

    model = dense()
    before = model[0].weight.detach().clone()
    with pytest.raises(TrainError, match=r"in turn 1 \(units\) '.*' came or went"):
        search(model, train=growing)
    assert torch.equal(model[0].weight, before)


def test_an_unpruned_model_below_the_threshold_is_refused():
    with pytest.raises(
        ThresholdError, match=r"but the unpruned model scores 0\.\d+: tr"
    ):
        search(mlp(4, 10, 10, 2))


def test_a_network_without_hidden_layer_is_refused_with_the_remedy():
    with pytest.raises(ModelError, match="Pass units=None"):
        search(mlp(4, 2))


def test_a_seed_may_come_from_numpy():
    assert type(refusals.seed_of(np.int64(3))) is int


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda: refusals.seed_of(1.5), DataError, "whole number, 0 or above, got 1.5"),
        (lambda: refusals.folder_of(3), DataError, "a folder's path or None, got 3"),
        (
            lambda: _check_layers.__wrapped__(nn.Linear(1, 1), None),
            ModelError,
            "a list of names, got NoneType: leave it out",
        ),
        (
            lambda: _pairs.__wrapped__(nn.Linear(1, 1), 3),
            ModelError,
            "must be Masks, got int: take those of a sculpture",
        ),
    ],
)
def test_what_is_of_another_kind_is_refused_in_one_line(call, error, told):
    with pytest.raises(error, match=told):
        call()
