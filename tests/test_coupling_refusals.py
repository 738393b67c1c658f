"""Weights with several owners, and what torch-pruning cannot follow."""

import pytest
import torch
from networks import mlp
from torch import nn

from sculpt_plugin.coupling import couple
from sculpt_plugin.errors import ModelError


def test_tied_weights_are_refused_by_name():
    model = mlp(4, 4, 4)
    model[2].weight = model[0].weight
    with pytest.raises(ModelError, match="'0' and '2' share one weight"):
        couple(model, torch.zeros(1, 4))


def test_a_compiled_model_is_refused_in_one_line():
    message = r"^The model must not be compiled.* which is its \._orig_mod\.$"
    with pytest.raises(ModelError, match=message):
        couple(torch.compile(mlp(4, 3, 2), backend="eager"), torch.zeros(1, 4))


def test_a_compiled_part_is_refused_by_name():
    model = nn.Sequential(torch.compile(mlp(4, 3), backend="eager"), mlp(3, 2))
    with pytest.raises(ModelError, match=r"^Layer '0' must not be compiled"):
        couple(model, torch.zeros(1, 4))


class Tied(nn.Module):
    """Reads words and writes words by one table."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(9, 6)
        self.a, self.b = nn.Linear(6, 7), nn.Linear(7, 6)
        self.out = nn.Linear(6, 9, bias=False)
        self.out.weight = self.words.weight

    def forward(self, x):
        return self.out(self.b(self.a(self.words(x).mean(1)).relu()).relu())


def test_a_weight_tied_to_an_embedding_is_refused_by_name():
    message = r"'words' and 'out' share one weight.* with ignore=\['out'\]\.$"
    with pytest.raises(ModelError, match=message):
        couple(Tied(), torch.zeros(2, 3, dtype=int))


@pytest.mark.parametrize("tied_first", [True, False])
def test_what_reads_or_makes_a_tied_weight_that_is_ignored_stays(tied_first):
    model = Tied()
    if tied_first:
        model._modules["words"] = model._modules.pop("words")
    coupling = couple(model, torch.zeros(2, 3, dtype=int), ignore=["out"])
    assert [group.name for group in coupling.prunable] == ["a"]
    assert coupling.weights == ("a.weight", "b.weight")


def test_tied_layers_that_are_both_ignored_stay():
    model = mlp(4, 4, 4, 4, 2)
    model[2].weight = model[0].weight
    coupling = couple(model, torch.zeros(1, 4), ignore=["0", "2"])
    assert [group.name for group in coupling.prunable] == ["4"]


class Steps(nn.Module):
    """A GRU that reads units."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 6), nn.Linear(5, 2)
        self.steps = nn.GRU(6, 5, batch_first=True)

    def forward(self, x):
        return self.b(self.steps(self.a(x))[0][:, -1])


def test_a_group_that_torch_pruning_fails_on_is_one_line():
    with pytest.raises(ModelError, match="fails on it with IndexError") as caught:
        couple(Steps(), torch.zeros(2, 4, 3))
    assert "\n" not in str(caught.value)
