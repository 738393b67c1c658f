"""What an excerpt cuts, keeps and refuses, on small chains."""

import copy
import pickle

import pytest
import torch
from networks import mlp
from pruned_networks import hidden, pruned, step, weights_of
from torch import nn

from sculpt_plugin.coupling import couple
from sculpt_plugin.errors import ModelError
from sculpt_plugin.pruning.excerpt import excerpt
from sculpt_plugin.pruning.masks import Masks, apply


def test_units_and_inputs_are_cut_as_worked_out_by_hand():
    """Input 1 is read by unit 1 only, which nothing reads, and input 3 by none."""
    model = mlp(4, 3, 2)
    keep = {
        "0.weight": torch.tensor([[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0]]).bool(),
        "2.weight": torch.tensor([[True, False, True], [False, False, True]]),
    }
    first, last = model[0].weight.detach().clone(), model[2].weight.detach().clone()

    part = excerpt(model, torch.zeros(1, 4), masks=Masks(keep, tuple(keep)))

    wanted = torch.stack([first[0, [0, 2]], first[2, [0, 2]]])
    wanted[0, 1] = 0
    assert torch.equal(part.model[0].weight, wanted)
    assert part.masks.keep["0.weight"].tolist() == [[True, False], [True, True]]
    assert torch.equal(
        part.model[2].weight, last[:, [0, 2]] * part.masks.keep["2.weight"]
    )
    assert part.positions["0.weight"][0].tolist() == [0, 2]
    assert part.positions["0.weight"][1].tolist() == [0, 2]


def test_what_was_left_out_comes_back_as_zero():
    model = mlp(4, 3, 2)
    read = torch.ones(2, 3, dtype=torch.bool)
    read[:, 1] = False
    masks = Masks({"2.weight": read}, ("2.weight",))

    excerpt(model, torch.zeros(1, 4), masks=masks).put_back(model)

    assert (model[0].weight[1] == 0).all()
    assert model[0].bias[1] == 0
    assert (model[0].weight[[0, 2]] != 0).all()


def test_unit_that_nothing_feeds_keeps_its_bias():
    model = mlp(4, 3, 2)
    fed = torch.ones(3, 4, dtype=torch.bool)
    fed[1] = False
    masks = Masks({"0.weight": fed}, ("0.weight",))

    part = excerpt(model, torch.zeros(1, 4), masks=masks)

    assert torch.equal(part.model[0].bias, model[0].bias)


@pytest.mark.parametrize("name", ["0.weight", "2.weight", "4.weight"])
def test_layer_that_reads_nothing_leaves_constant_outputs(name):
    model = mlp(4, 3, 3, 2)
    masks = Masks({name: torch.zeros_like(model.get_parameter(name)).bool()}, (name,))
    apply(model, masks)
    inputs = torch.randn(5, 4)

    part = excerpt(model, inputs, masks=masks)
    step(part.model, inputs, part.masks)
    part.put_back(model)

    # A layer without inputs or units would have no shape.
    assert min(min(weight.shape) for weight in weights_of(part.model)) >= 1
    assert torch.equal(model(inputs), model(inputs)[:1].expand(5, 2))
    torch.testing.assert_close(part.model(inputs), model(inputs))


def test_kept_edges_of_weight_zero_are_there_to_be_trained():
    model = mlp(4, 3, 2)
    nn.init.zeros_(model[2].weight)
    masks = Masks.dense(model, couple(model, torch.zeros(1, 4)))

    part = excerpt(model, torch.zeros(1, 4), masks=masks)

    assert part.model[0].out_features == 3


def test_ignored_layer_keeps_its_units_and_inputs():
    model, inputs, masks = pruned(lambda: mlp(4, 6, 5, 2), ignore=["0"])

    part = excerpt(model, inputs, masks=masks, ignore=["0"])

    assert part.model[0].weight.shape == (6, 4)
    assert part.model[2].weight.shape[0] < 5
    torch.testing.assert_close(part.model(inputs), model(inputs))


@pytest.mark.parametrize("training", [True, False])
def test_modes_and_frozen_parameters_stay_so(training):
    model, inputs, masks = pruned(hidden(nn.BatchNorm1d(6), nn.ReLU()))
    model.train(training)[1].eval()
    model[0].weight.requires_grad_(False)

    part = excerpt(model, inputs, masks=masks)

    modes = [module.training for module in model.modules()]
    assert [module.training for module in part.model.modules()] == modes
    flags = [p.requires_grad for p in model.parameters()]
    assert [p.requires_grad for p in part.model.parameters()] == flags


def test_dropout_after_a_narrower_layer_runs():
    model, inputs, masks = pruned(hidden(nn.ReLU(), nn.Dropout()))

    part = excerpt(model, inputs, masks=masks)

    assert part.model.train()(inputs).shape == (9, 2)
    torch.testing.assert_close(part.model.eval()(inputs), model.eval()(inputs))


def test_excerpt_takes_the_whole_inputs_after_a_copy_too():
    model, inputs, masks = pruned(lambda: mlp(4, 6, 2))
    part = excerpt(model, inputs, masks=masks).model

    for twin in (copy.deepcopy(part), pickle.loads(pickle.dumps(part))):
        assert torch.equal(twin(inputs), part(inputs))


def test_random_numbers_stay_as_they_were():
    model, inputs, masks = pruned(lambda: mlp(4, 6, 2))
    state = torch.get_rng_state()

    excerpt(model, inputs, masks=masks)

    assert torch.equal(torch.get_rng_state(), state)


def test_tied_weights_are_refused_by_name():
    model = mlp(4, 4, 4, 2)
    model[2].weight = model[0].weight

    with pytest.raises(ModelError, match="'0' and '2' share one weight"):
        excerpt(model, torch.zeros(1, 4), masks=Masks({}, ()))


@pytest.mark.parametrize("seed", range(8))
def test_random_masks_of_edges_leave_the_function(seed):
    source = torch.Generator().manual_seed(seed)
    model = mlp(5, 7, 6, 3).double()
    masks = Masks.dense(model, couple(model, torch.zeros(1, 5).double()))
    keep = {
        name: torch.rand(mask.shape, generator=source) < 0.15
        for name, mask in masks.keep.items()
        if name in masks.weights
    }
    masks = Masks(keep, masks.weights)
    apply(model, masks)
    inputs = torch.randn(11, 5).double()

    part = excerpt(model, inputs, masks=masks)
    whole = copy.deepcopy(model)
    step(part.model, inputs, part.masks)
    step(model, inputs, masks)
    part.put_back(whole)

    torch.testing.assert_close(whole(inputs), model(inputs))
    assert sum(p.numel() for p in part.model.parameters()) < 5 * 7 + 7 * 6 + 6 * 3
