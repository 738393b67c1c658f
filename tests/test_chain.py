"""Only a plain chain of Linear and ReLU is read for its outputs' weights."""

import copy

import pytest
import torch
from networks import mlp
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize, prune

from sculpt_plugin.analysis.chain import outputs_alike_in
from sculpt_plugin.report import analyze


def pair() -> nn.Sequential:
    """Two outputs read the same units with other signs; the third is as the first."""
    model = mlp(2, 2, 3)
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(2))
        model[2].weight.copy_(torch.tensor([[4.0, -2.0], [4.0, 2.0], [8.0, -4.0]]))
        model[0].bias.zero_()
        model[2].bias.zero_()
    return model


def alike(model, *shape):
    found = outputs_alike_in(model, torch.zeros(1, *shape))
    return None if found is None else found.tolist()


def test_outputs_that_weigh_alike_are_one_group():
    assert alike(pair(), 2) == [0, 1, 0]


def test_wiring_alone_cannot_tell_them_apart_but_the_analysis_can():
    by_wiring = analyze(pair(), torch.zeros(1, 2), method="agglomerative")
    both_ways = analyze(pair(), torch.zeros(1, 2))

    assert len({*by_wiring.hierarchy.label[-3:].tolist()}) == 1
    first, second, third = both_ways.hierarchy.label[-3:].tolist()
    assert first == third != second


def test_masks_of_torch_are_in_the_weights():
    model = pair()
    mask = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0]])

    prune.custom_from_mask(model[2], "weight", mask)

    assert alike(model, 2) == [0, 0, 1]


def test_masks_that_were_loaded_are_in_the_weights_before_the_model_has_run():
    masked, loaded = pair(), mlp(2, 2, 3)
    mask = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    prune.custom_from_mask(masked[2], "weight", mask)
    prune.identity(loaded[2], "weight")

    loaded.load_state_dict(masked.state_dict())

    assert alike(loaded, 2) == [0, 0, 1]


class Inside(nn.Module):
    """A chain that another module calls."""

    def __init__(self):
        super().__init__()
        self.chain = pair()

    def forward(self, x):
        return self.chain(x)


class Functional(Inside):
    """A chain of functions."""

    def forward(self, x):
        first, _, last = self.chain
        hidden = functional.linear(x.flatten(1), first.weight, first.bias)
        return functional.linear(hidden.relu_(), last.weight, last.bias)


class AsItIs(nn.Module):
    def forward(self, weight):
        return weight * 1


def parametrized():
    model = pair()
    parametrize.register_parametrization(model[2], "weight", AsItIs())
    return model


@pytest.mark.parametrize(
    "write", [Inside, Functional, parametrized, lambda: nn.DataParallel(pair())]
)
def test_a_chain_is_read_however_it_is_written(write):
    assert alike(write(), 2) == [0, 1, 0]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_chain_is_read_in_any_precision(dtype):
    found = outputs_alike_in(pair().to(dtype), torch.zeros(2, 5, 2, dtype=dtype))
    assert found.tolist() == [0, 1, 0]


def test_a_layer_that_runs_twice_is_two_layers():
    first, between, bend = nn.Linear(3, 3), nn.Linear(3, 3), nn.ReLU()
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, 2, 0], [2, 4, 0], [0, 0, 1]]))
        first.bias.copy_(torch.tensor([1.0, 2, 0]))
        between.weight.copy_(torch.eye(3))
    once = [first, bend, between, bend, copy.deepcopy(first)]

    assert alike(nn.Sequential(*once), 3) == [0, 0, 1]
    assert alike(nn.Sequential(*once[:-1], first), 3) == [0, 0, 1]


def test_layers_without_bias_have_a_bias_of_zero():
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[1.0], [-3.0]]))

    assert alike(model, 1) == [0, 0]


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 2)

    def forward(self, x):
        return x + self.first(x)


class Again(nn.Module):
    """Reads one layer twice."""

    def __init__(self):
        super().__init__()
        self.chain = mlp(2, 2, 2)

    def forward(self, x):
        hidden = self.chain[0](x)
        return self.chain[2](hidden.relu()) + hidden


class Part(Residual):
    """Gives one of two outputs."""

    def forward(self, x):
        return self.first(x)[:, :1]


@pytest.mark.parametrize(
    "model",
    [
        Residual(),
        Again(),
        Part(),
        nn.Sequential(Residual(), nn.ReLU(), nn.Linear(2, 2)),
        nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)),
        nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)),
        nn.Sequential(nn.Linear(2, 2), nn.ReLU()),
        nn.Sequential(nn.Unflatten(1, (2, 1, 1)), nn.Conv2d(2, 2, 1)),
        nn.Sequential(nn.GRU(2, 2)),
    ],
    ids=lambda model: (
        type(model[-1] if type(model) is nn.Sequential else model).__name__
    ),
)
def test_other_models_are_not_misread(model):
    assert alike(model, 2) is None


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_scripted_models_are_chains_or_not():
    other = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2))
    assert alike(torch.jit.script(pair()), 2) == [0, 1, 0]
    assert alike(torch.jit.script(other), 2) is None


def test_units_that_are_read_in_many_places_are_no_plain_chain():
    layers = [nn.Linear(4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6, 2)]
    model = nn.Sequential(*layers)

    assert alike(model, 2, 4) is None
    assert analyze(model, torch.zeros(1, 2, 4)).graph.sizes[-1] == 2
