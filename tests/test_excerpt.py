"""An excerpt computes, trains and comes back as the live part of the whole model."""

import copy
import pickle

import pytest
import torch
from networks import Chain, Concat, Grouped, Residual, mlp
from torch import nn
from torch.nn import functional as F

from sculpt_plugin.coupling import couple
from sculpt_plugin.errors import ModelError
from sculpt_plugin.pruning.excerpt import excerpt
from sculpt_plugin.pruning.importance import EdgeMagnitude, EdgeSensitivity
from sculpt_plugin.pruning.masks import Masks, apply, attach


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


def hidden(*between):
    return lambda: nn.Sequential(nn.Linear(4, 6), *between, nn.Linear(6, 2))


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


def weights_of(model):
    return [p for p in model.parameters() if p.ndim > 1]


def pruned(build, *, ignore=()):
    """A model in float64 without a third of its units and two of its inputs."""
    torch.manual_seed(0)
    model = copy.deepcopy(build()).double()  # parts of it are in `CASES`
    pictured = weights_of(model)[0].ndim == 4
    shape = getattr(model, "shape", (2, 4, 4) if pictured else (4,))
    inputs = torch.randn(9, *shape).double()
    coupling = couple(model, inputs, ignore=ignore)
    masks = Masks.dense(model, coupling)
    for group in coupling.prunable:
        masks = masks.without_units(group, torch.arange(group.size) % 3 == 1)
    keep = {name: mask.clone() for name, mask in masks.keep.items()}
    if not pictured:
        for name in masks.weights:
            if keep[name].shape[1] == 4:
                keep[name][:, [1, 3]] = False
    masks = Masks(keep, masks.weights)
    apply(model, masks)
    return model, inputs, masks


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


def step(model, inputs, masks):
    """One step of training, whose gradients are plain to compare."""
    handle = attach(model, masks)
    model.train()
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        sgd.zero_grad()
        model(inputs).square().mean().backward()
        sgd.step()
    handle.remove()
    apply(model, masks)


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


def test_names_are_those_of_the_whole_model(case):
    model, inputs, masks, _ = case

    part = excerpt(model, inputs, masks=masks)

    assert part.model.state_dict().keys() == model.state_dict().keys()
    assert type(part.model) is type(model)


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
