"""Only a plain chain of Linear and ReLU is read for its outputs' weights."""

import pytest
import torch
from networks import mlp
from torch import nn
from torch.nn.utils import prune

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


def test_outputs_that_weigh_alike_are_one_group():
    assert outputs_alike_in(pair()).tolist() == [0, 1, 0]


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

    assert outputs_alike_in(model).tolist() == [0, 0, 1]


def test_layers_without_bias_have_a_bias_of_zero():
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[1.0], [-3.0]]))

    assert outputs_alike_in(model).tolist() == [0, 0]


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 2)

    def forward(self, x):
        return x + self.first(x)


@pytest.mark.parametrize(
    "model",
    [
        Residual(),
        nn.Sequential(Residual(), nn.ReLU(), nn.Linear(2, 2)),
        nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)),
        nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)),
        nn.Sequential(nn.Linear(2, 2), nn.ReLU()),
        nn.Sequential(nn.Conv2d(1, 2, 1)),
    ],
    ids=["residual", "inside", "tanh", "no activation", "ends in relu", "conv"],
)
def test_other_models_are_not_misread(model):
    assert outputs_alike_in(model) is None


def test_units_that_are_read_in_many_places_are_no_plain_chain():
    layers = [nn.Linear(4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6, 2)]
    model = nn.Sequential(*layers)

    assert outputs_alike_in(model) is None
    assert analyze(model, torch.zeros(1, 2, 4)).graph.sizes[-1] == 2
