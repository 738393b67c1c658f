"""A model as a function of its parameters gives what the model gives."""

from dataclasses import replace

import pytest
import torch
from tiny_sweep import KINDS, Branching, Kind, for_kind
from torch import nn

from sculpt_plugin.errors import DataError, LaneError
from sculpt_plugin.pruning.lanes import program as module
from sculpt_plugin.pruning.lanes.program import program
from sculpt_plugin.training.mini_batches import shuffled


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_are_those_of_the_model(kind):
    model, other, recipe = Kind(kind)(0), Kind(kind)(1), for_kind(kind)
    made = program(model, recipe)

    found = made.outputs(list(other.parameters()), recipe.inputs)

    torch.testing.assert_close(found, other(recipe.inputs), rtol=0, atol=0)


def test_model_that_is_given_stays_as_it_was():
    model = Kind(KINDS[0])(0).eval()
    before = {name: x.clone() for name, x in model.state_dict().items()}

    program(model, for_kind(KINDS[0]))

    assert not model.training
    assert all(torch.equal(x, before[n]) for n, x in model.state_dict().items())


def test_parameter_with_two_names_is_lent_to_both():
    class Tied(nn.Module):
        shape = (4,)

        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.output = nn.Linear(4, 4), nn.Linear(4, 3)
            self.again = nn.Linear(4, 4)
            self.again.bias = self.hidden.bias

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.output(self.again(self.hidden(x).relu()).relu())

    model, recipe = Kind(Tied)(0), for_kind(Tied)
    other = Kind(Tied)(1)

    found = program(model, recipe).outputs(list(other.parameters()), recipe.inputs)

    assert torch.equal(found, other(recipe.inputs))


@pytest.mark.parametrize("bank", [2**26, 1])
def test_noise_is_what_the_recipe_draws(bank, monkeypatch):
    monkeypatch.setattr(module, "_BANK", bank)
    recipe = for_kind(KINDS[0], noise=0.3)
    made = program(Kind(KINDS[0])(0), recipe)

    for _ in range(2):
        found = list(made.drawn(7, 3))

        source = torch.Generator().manual_seed(7)
        assert len(found) == 3
        for ((inputs, targets),) in found:
            assert torch.equal(inputs, recipe.noisy(source))
            assert torch.equal(targets, recipe.targets)


def test_more_epochs_begin_with_the_same_noise():
    made = program(Kind(KINDS[0])(0), for_kind(KINDS[0], noise=0.3))

    few, many = made.drawn(7, 2), made.drawn(7, 4)

    for ((one, _),), ((two, _),) in zip(few, many, strict=False):
        assert torch.equal(one, two)


@pytest.mark.parametrize("bank", [2**26, 1])
def test_batches_are_drawn_as_a_training_draws_them(bank, monkeypatch):
    monkeypatch.setattr(module, "_BANK", bank)
    recipe = for_kind(KINDS[0], noise=0.3, batch_size=4)
    made = program(Kind(KINDS[0])(0), recipe)

    for _ in range(2):
        found = list(made.drawn(7, 3))

        source = torch.Generator().manual_seed(7)
        for epoch in found:
            assert [len(targets) for _, targets in epoch] == [4, 4, 2]
            for samples, (inputs, targets) in zip(
                shuffled(10, 4, source), epoch, strict=True
            ):
                assert torch.equal(targets, recipe.targets[samples])
                assert torch.equal(inputs, recipe.noisy(source, samples))


def test_model_that_looks_at_numbers_is_refused():
    with pytest.raises(LaneError, match=r"must run under torch\.func\.vmap"):
        program(Kind(Branching)(0), for_kind(Branching))


def test_score_must_be_a_tensor():
    recipe = replace(for_kind(KINDS[0]), score=lambda outputs, targets: 1.0)

    with pytest.raises(LaneError, match="its loss and its score must run under"):
        program(Kind(KINDS[0])(0), recipe)


def test_class_weights_are_refused_also_where_the_first_samples_do_not_show_them():
    recipe = replace(
        for_kind(KINDS[0]),
        targets=(torch.arange(10) > 8).long(),
        loss=nn.CrossEntropyLoss(weight=torch.tensor([1.0, 10.0, 1.0]).double()),
    )

    with pytest.raises(DataError, match="leave out class weights"):
        program(Kind(KINDS[0])(0), recipe)
