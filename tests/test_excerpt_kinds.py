"""An excerpt of any kind of network is its live part, and comes back as that."""

import copy

import pytest
import torch
from networks import Chain, Concat, Grouped, Residual, mlp
from pruned_networks import hidden, pruned, step, weights_of
from torch import nn
from torch.nn import functional as F

from sculpt_plugin.pruning.excerpt import excerpt
from sculpt_plugin.pruning.importance import EdgeMagnitude, EdgeSensitivity


class Skip(nn.Module):
    """The last layer also reads the inputs, with a weight of its own."""

    def __init__(self):
        super().__init__()
        self.below = nn.Linear(4, 6)
        self.above = nn.Linear(6, 5)
        self.skip = nn.Linear(4, 5)
        self.output = nn.Linear(5, 2)

    def forward(self, x):
        return self.output((self.above(self.below(x).relu()) + self.skip(x)).relu())


class Joined(nn.Module):
    """Something that is no layer reads the inputs."""

    def __init__(self):
        super().__init__()
        self.below = nn.Linear(4, 6)
        self.output = nn.Linear(10, 2)

    def forward(self, x):
        return self.output(torch.cat([self.below(x).relu(), x], 1))


class Twice(nn.Module):
    """One layer reads the inputs, and then what it made of them."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.output = nn.Linear(4, 2)

    def forward(self, x):
        return self.output(self.layer(self.layer(x).relu()).relu())


class Borrowed(nn.Module):
    """The weight of the layer that reads the inputs is used once more."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 6)
        self.output = nn.Linear(6, 2)

    def forward(self, x):
        outputs = self.output(self.layer(x).relu())
        wide = outputs[:, :1].expand(-1, 4)
        return outputs + F.linear(wide, self.layer.weight).sum(1, keepdim=True)


class Turned(nn.Module):
    """The inputs are turned about and back."""

    def __init__(self):
        super().__init__()
        self.layers = mlp(4, 6, 2)

    def forward(self, x):
        return self.layers(x.T.T)


class Scaled(nn.Module):
    """A parameter that no unit takes along."""

    def __init__(self):
        super().__init__()
        self.layers = mlp(4, 6, 2)
        self.scale = nn.Parameter(torch.tensor([1.5]))

    def forward(self, x):
        return self.layers(x) * self.scale


def pictures(*between):
    return lambda: nn.Sequential(nn.Conv2d(2, 6, 3), *between, nn.Conv2d(6, 2, 1))


# What the model is, and how many inputs its first layer reads in the excerpt.
CASES = {
    "chain": (Chain, 2),
    "deep": (lambda: mlp(4, 8, 7, 6, 2), 2),
    "two branches": (Concat, 2),
    "skip": (Skip, 2),
    "parameter nothing prunes": (Scaled, 2),
    "batch norm": (hidden(nn.BatchNorm1d(6), nn.ReLU()), 2),
    "plain batch norm": (hidden(nn.BatchNorm1d(6, affine=False), nn.ReLU()), 2),
    "slopes": (hidden(nn.PReLU(6)), 2),
    "one slope": (hidden(nn.PReLU()), 2),
    "layer norm": (hidden(nn.LayerNorm(6), nn.ReLU()), 2),
    "no hidden layer": (lambda: nn.Linear(4, 2), 2),
    "concatenated inputs": (Joined, 4),
    "layer called twice": (Twice, 4),
    "borrowed weight": (Borrowed, 4),
    "inputs turned about": (Turned, 4),
    "norm of the inputs": (
        lambda: nn.Sequential(nn.BatchNorm1d(4), *mlp(4, 6, 2)),
        4,
    ),
    "residual pictures": (Residual, 2),
    "pictures": (pictures(nn.BatchNorm2d(6), nn.ReLU()), 2),
    "pictures, plain norm": (pictures(nn.BatchNorm2d(6, affine=False)), 2),
    "grouped pictures": (Grouped, 1),
}


@pytest.fixture(params=CASES)
def case(request):
    build, first = CASES[request.param]
    return *pruned(build), first


@pytest.mark.parametrize("training", [True, False])
def test_excerpt_computes_what_the_masked_model_does(case, training):
    model, inputs, masks, _ = case
    part = excerpt(model, inputs, masks=masks)

    expected = model.train(training)(inputs)

    torch.testing.assert_close(part.model.train(training)(inputs), expected)


def test_dead_inputs_are_cut_off_only_where_linear_layers_alone_read_them(case):
    model, inputs, masks, first = case

    part = excerpt(model, inputs, masks=masks)

    assert weights_of(part.model)[0].shape[1] == first


def test_put_back_gives_the_masked_model_again(case):
    model, inputs, masks, _ = case
    whole = copy.deepcopy(model)

    excerpt(model, inputs, masks=masks).put_back(whole)

    torch.testing.assert_close(whole.eval()(inputs), model.eval()(inputs))
    for name in masks.keep:
        found, was = whole.get_parameter(name), model.get_parameter(name)
        assert torch.equal(torch.where(found == 0, 0, was), found)


@pytest.mark.parametrize("criterion", [EdgeMagnitude, EdgeSensitivity])
def test_edges_score_in_the_excerpt_what_they_do_in_the_whole_model(case, criterion):
    model, inputs, masks, _ = case
    part = excerpt(model, inputs, masks=masks)

    def scores(model):
        def loss(outputs, _):
            return outputs.flatten(1).square().sum(1).mean()

        batches = [(inputs, torch.zeros(len(inputs)))]
        return criterion().measure(model, batches, loss).edge_scores(model)

    found, expected = part.laid_out(scores(part.model), model), scores(model)

    assert found.keys() == expected.keys()
    for name in found:
        # What is not in the excerpt is read by nothing, so nothing is lost without it.
        here = (found[name] != 0) & masks.keep[name]
        assert here.any()
        torch.testing.assert_close(found[name][here], expected[name][here])


def test_training_the_excerpt_trains_the_live_part_of_the_whole(case):
    model, inputs, masks, _ = case
    part = excerpt(model, inputs, masks=masks)
    whole = copy.deepcopy(model)

    step(part.model, inputs, part.masks)
    step(model, inputs, masks)
    part.put_back(whole)

    torch.testing.assert_close(whole.eval()(inputs), model.eval()(inputs))
    trained = dict(model.named_parameters())
    for name, found in whole.named_parameters():
        live = found != 0
        torch.testing.assert_close(found[live], trained[name][live])
    for name, found in part.model.named_buffers():
        if found.ndim:
            cut = part.positions.get(name, {}).get(0, torch.arange(len(found)))
            torch.testing.assert_close(found, model.get_buffer(name)[cut])
            torch.testing.assert_close(found, whole.get_buffer(name)[cut])
        else:
            assert int(found) == int(whole.get_buffer(name)) == 3


def test_whole_model_stays_as_it_was(case):
    model, inputs, masks, _ = case
    before = copy.deepcopy(model.state_dict())

    step((part := excerpt(model, inputs, masks=masks)).model, inputs, part.masks)

    assert all(torch.equal(before[n], x) for n, x in model.state_dict().items())
    assert not model._forward_pre_hooks


def test_names_are_those_of_the_whole_model(case):
    model, inputs, masks, _ = case

    part = excerpt(model, inputs, masks=masks)

    assert part.model.state_dict().keys() == model.state_dict().keys()
    assert type(part.model) is type(model)
