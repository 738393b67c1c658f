"""Sensitivities of many networks at once are those of each alone."""

import pytest
import torch
from networks import mlp
from tiny_sweep import KINDS, Kind, for_kind
from torch import nn

from sculpt_plugin.coupling import couple
from sculpt_plugin.pruning.lanes.alone import row_of
from sculpt_plugin.pruning.lanes.layout import lay_out
from sculpt_plugin.pruning.lanes.program import program
from sculpt_plugin.pruning.lanes.sensing import unit_scores
from sculpt_plugin.pruning.sensitivity import unit_sensitivity


class Named(nn.Module):
    """A layer that is called with its input by name."""

    shape = (4,)

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.output = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(input=self.hidden(input=x).relu())


class Deep(nn.Module):
    """A chain with two hidden layers."""

    shape = (4,)

    def __init__(self) -> None:
        super().__init__()
        self.layers = mlp(4, 7, 5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


@pytest.mark.parametrize("kind", [Deep, *KINDS, Named])
def test_scores_of_each_lane_are_those_of_the_network_alone(kind):
    recipe = for_kind(kind)
    models = [Kind(kind)(seed) for seed in range(3)]
    coupling = couple(models[0], recipe.inputs)
    layout = lay_out(models[0], coupling)
    made = program(models[0], recipe)

    found = unit_scores(made, layout, torch.stack([row_of(m) for m in models]))

    for scores, model in zip(found, models, strict=True):
        alone = unit_sensitivity(model, coupling, recipe.batches, recipe.loss)
        expected = torch.cat([alone[group.name] for group in coupling.prunable])
        assert expected.max() > 0
        torch.testing.assert_close(scores, expected)


def test_silent_units_score_exactly_zero():
    model, recipe = Kind(Deep)(0), for_kind(Deep)
    nn.init.constant_(model.layers[0].bias[:3], -1e3)
    layout = lay_out(model, couple(model, recipe.inputs))
    made = program(model, recipe)

    (scores,) = unit_scores(made, layout, row_of(model)[None])

    assert scores[:3].tolist() == [0, 0, 0]


def test_sum_over_samples_gives_the_scores_of_their_mean():
    recipe, model = for_kind(Deep), Kind(Deep)(0)
    layout = lay_out(model, couple(model, recipe.inputs))
    added = for_kind(Deep)
    object.__setattr__(added, "loss", lambda a, b: recipe.loss(a, b) * len(b))

    rows = row_of(model)[None]
    mean = unit_scores(program(model, recipe), layout, rows)
    total = unit_scores(program(model, added), layout, rows)

    torch.testing.assert_close(total, mean)
