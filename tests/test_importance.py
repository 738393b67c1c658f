import copy

import pytest
import torch
import torch_pruning as tp
from networks import ZOO, Chain, mlp, warmed
from torch.nn import functional as F

from sculpt_plugin.coupling import couple
from sculpt_plugin.errors import DataError
from sculpt_plugin.pruning.importance import (
    EdgeMagnitude,
    EdgeSaliency,
    EdgeSensitivity,
    UnitSensitivity,
)
from sculpt_plugin.pruning.sensitivity import unit_sensitivity

MEASURED = (UnitSensitivity, EdgeSensitivity, EdgeSaliency)
CRITERIA = (*MEASURED, EdgeMagnitude)
PRUNERS = {
    "base, local": lambda *a, **k: tp.pruner.BasePruner(*a, global_pruning=False, **k),
    "base, global": lambda *a, **k: tp.pruner.BasePruner(*a, global_pruning=True, **k),
    "group norm": tp.pruner.GroupNormPruner,
    "bn scale": tp.pruner.BNScalePruner,
}


def example(kind):
    model, inputs = warmed(kind)
    return model, inputs, torch.randint(0, 3, (len(inputs),))


@pytest.mark.parametrize("pruner", PRUNERS)
@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("kind", ZOO)
def test_every_pruner_of_torch_pruning_takes_every_criterion(kind, criterion, pruner):
    model, inputs, targets = example(kind)
    importance = criterion().measure(model, [(inputs, targets)], F.cross_entropy)
    before = sum(p.numel() for p in model.parameters())
    made = PRUNERS[pruner](
        model,
        (inputs,),
        importance=importance,
        pruning_ratio=0.4,
        ignored_layers=[model.output],
        in_channel_groups={},
        out_channel_groups={},
        num_heads={},
    )
    made.step()
    assert sum(p.numel() for p in model.parameters()) < before
    assert model(inputs).shape == (len(inputs), 3)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_regularized_training_of_group_norm_pruner_works(criterion):
    model, inputs, targets = example(Chain)
    importance = criterion().measure(model, [(inputs, targets)], F.cross_entropy)
    pruner = tp.pruner.GroupNormPruner(
        model, (inputs,), importance=importance, ignored_layers=[model.output]
    )
    F.cross_entropy(model(inputs), targets).backward()
    pruner.regularize(model)


def test_the_lowest_scores_are_what_a_pruner_removes():
    model, inputs, targets = example(Chain)
    importance = UnitSensitivity().measure(model, [(inputs, targets)], F.cross_entropy)
    coupling = couple(model, inputs)
    scores = unit_sensitivity(model, coupling, [(inputs, targets)], F.cross_entropy)
    keep = scores["layers.0"].argsort(descending=True)[:4].sort().values
    expected = model.layers[0].weight[keep].clone()
    pruner = tp.pruner.BasePruner(
        model,
        (inputs,),
        importance=importance,
        pruning_ratio_dict={model.layers[0]: 3 / 7},
        pruning_ratio=0.0,
        ignored_layers=[model.output],
    )
    pruner.step()
    assert torch.equal(model.layers[0].weight, expected)


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("kind", ZOO)
def test_a_group_over_some_channels_gets_their_scores_and_is_not_touched(
    kind, criterion
):
    model, inputs, targets = example(kind)
    importance = criterion().measure(model, [(inputs, targets)], F.cross_entropy)
    whole = couple(model, inputs).prunable[-1].root
    some = [2, 0]
    root = whole[0].dep
    graph = tp.DependencyGraph().build_dependency(model, (inputs,))
    part = graph.get_pruning_group(root.target.module, root.handler, some)
    before = [(list(item.idxs), list(item.root_idxs)) for item in part]
    assert torch.equal(importance(part), importance(whole)[some])
    assert before == [(list(item.idxs), list(item.root_idxs)) for item in part]


def test_a_units_edge_score_is_the_sum_over_edges_in_and_out():
    model = mlp(2, 2, 1)
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -2.0], [0.5, 0.0]]))
        model[2].weight.copy_(torch.tensor([[4.0, -8.0]]))
    group = couple(model, torch.zeros(1, 2)).prunable[0].root
    assert EdgeMagnitude()(group).tolist() == [7.0, 8.5]


def test_outputs_have_no_unit_sensitivity():
    model, inputs, targets = example(Chain)
    importance = UnitSensitivity().measure(model, [(inputs, targets)], F.cross_entropy)
    assert importance(couple(model, inputs).groups[-1].root) is None


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("kind", ZOO)
def test_measuring_leaves_everything_as_it_was_found(kind, criterion):
    model, inputs, targets = example(kind)
    model.train()
    model.output.eval()
    model.output.weight.requires_grad_(False)
    F.cross_entropy(model(inputs), targets).backward()
    before = copy.deepcopy(model.state_dict())
    gradients = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    modes = [m.training for m in model.modules()]
    loader = torch.utils.data.DataLoader(
        list(zip(inputs, targets, strict=True)), batch_size=4, shuffle=True
    )
    state = torch.get_rng_state()
    criterion().measure(model, loader, F.cross_entropy)
    assert torch.equal(state, torch.get_rng_state())
    assert modes == [m.training for m in model.modules()]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all(torch.equal(before[n], x) for n, x in model.state_dict().items())
    for gradient, parameter in zip(gradients, model.parameters(), strict=True):
        assert (gradient is None) == (parameter.grad is None)
        assert gradient is None or torch.equal(gradient, parameter.grad)
    assert not model.output.weight.requires_grad


@pytest.mark.parametrize("criterion", MEASURED)
def test_scoring_before_measuring_is_refused(criterion):
    group = couple(Chain(), torch.zeros(1, 4)).prunable[0].root
    with pytest.raises(DataError, match=r"call .measure\(model, batches, loss\)"):
        criterion()(group)


@pytest.mark.parametrize("criterion", MEASURED)
def test_scores_of_a_model_that_was_cut_since_are_refused(criterion):
    model, inputs, targets = example(Chain)
    importance = criterion().measure(model, [(inputs, targets)], F.cross_entropy)
    couple(model, inputs).prunable[0].root.prune([0])
    with pytest.raises(DataError, match="again after each pruning step"):
        importance(couple(model, inputs).prunable[0].root)


def test_a_generator_of_batches_is_read_to_its_end():
    model, inputs, targets = example(Chain)
    listed = [(inputs[:4], targets[:4]), (inputs[4:], targets[4:])]
    group = couple(model, inputs).prunable[0].root
    one = UnitSensitivity().measure(model, listed, F.cross_entropy)(group)
    two = UnitSensitivity().measure(model, iter(listed), F.cross_entropy)(group)
    assert torch.equal(one, two)


@pytest.mark.parametrize("size", [1, 42])
@pytest.mark.parametrize("kind", ["linear", "convolution"])
@pytest.mark.parametrize(
    ("criterion", "expected"), [(EdgeSensitivity, 1656 / 42), (EdgeSaliency, 552 / 42)]
)
def test_small_scores_add_up_in_half_precision(criterion, expected, kind, size):
    """Beside two samples of 16 a sample of 1 is less than what bfloat16 tells apart."""
    x = torch.tensor([16.0, -16.0] + 20 * [1.0, -1.0]).bfloat16()
    if kind == "linear":
        model, inputs = mlp(1, 1), x[:, None]
    else:
        layers = torch.nn.Conv1d(1, 1, 1), torch.nn.Flatten()
        model, inputs = torch.nn.Sequential(*layers), x[:, None, None]
    model.bfloat16()
    with torch.no_grad():
        model[0].weight.fill_(1)
        model[0].bias.zero_()
    # What each sample adds: 3 * x * x and x * x.
    targets = -0.5 * x[:, None]
    batches = list(zip(inputs.split(size), targets.split(size), strict=True))
    found = criterion().measure(model, batches, F.mse_loss).edge_scores(model)
    scores = found["0.weight"]
    assert scores.item() == pytest.approx(expected, rel=0.002)


@pytest.mark.parametrize("criterion", MEASURED)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_first_batch_of_one_sample_decides_nothing(reduction, criterion):
    model, inputs, targets = example(Chain)

    def loss(outputs, targets):
        return F.cross_entropy(outputs, targets, reduction=reduction)

    group = couple(model, inputs).prunable[0].root
    parts = [(inputs[:1], targets[:1]), (inputs[1:], targets[1:])]
    one, two = (
        criterion().measure(model, batches, loss)(group)
        for batches in ([(inputs, targets)], parts)
    )
    torch.testing.assert_close(one, two)


@pytest.mark.parametrize("criterion", MEASURED)
def test_samples_without_a_loss_do_not_hide_that_the_rest_is_summed(criterion):
    """No sample of the first batch is within the margin of the hinge."""
    model, inputs, _ = example(Chain)

    def loss(outputs, wanted):
        return (outputs - wanted[:, None]).relu().square().sum()

    wanted = torch.where(torch.arange(len(inputs)) < 4, 100.0, -1.0)
    group = couple(model, inputs).prunable[0].root
    one, two = (
        criterion().measure(model, batches, loss)(group)
        for batches in (
            [(inputs, wanted)],
            [(inputs[:4], wanted[:4]), (inputs[4:], wanted[4:])],
        )
    )
    assert one.any()
    torch.testing.assert_close(one, two)


@pytest.mark.parametrize("criterion", MEASURED)
def test_class_weights_that_a_later_batch_shows_are_refused(criterion):
    model, inputs, targets = example(Chain)
    loss = torch.nn.CrossEntropyLoss(weight=torch.tensor([1.0, 10.0, 3.0]))
    batches = [(inputs, torch.zeros_like(targets)), (inputs, targets)]
    with pytest.raises(DataError, match="leave out class weights"):
        criterion().measure(model, batches, loss)


@pytest.mark.parametrize("criterion", MEASURED)
def test_no_batches_at_all_are_refused(criterion):
    with pytest.raises(DataError, match="got none"):
        criterion().measure(Chain(), [], F.cross_entropy)


def test_another_copy_of_the_measured_model_is_refused():
    model, inputs, targets = example(Chain)
    importance = UnitSensitivity().measure(model, [(inputs, targets)], F.cross_entropy)
    twin = copy.deepcopy(model)
    with pytest.raises(DataError, match="has not measured this model"):
        importance(couple(twin, inputs).prunable[0].root)


def test_the_edges_of_transposed_and_grouped_convolutions_are_summed_per_channel():
    model = torch.nn.Sequential(
        torch.nn.ConvTranspose2d(1, 4, 1, bias=False),
        torch.nn.Conv2d(4, 4, 1, groups=2, bias=False),
    )
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([1.0, 2, 3, 4]).reshape(1, 4, 1, 1))
        model[1].weight.copy_(torch.arange(10.0, 90, 10).reshape(4, 2, 1, 1))
    group = couple(model, torch.zeros(1, 1, 2, 2)).groups[0].root
    assert EdgeMagnitude()(group).tolist() == [41.0, 62.0, 123.0, 144.0]


class TwoFlattened(torch.nn.Module):
    """torch-pruning's columns of the second convolution lie outside the layer."""

    def __init__(self):
        super().__init__()
        self.a, self.b = torch.nn.Conv2d(1, 3, 1), torch.nn.Conv2d(1, 5, 3)
        self.output = torch.nn.Linear(68, 3)

    def forward(self, x):
        return self.output(torch.cat([self.a(x).flatten(1), self.b(x).flatten(1)], 1))


@pytest.mark.parametrize("criterion", [UnitSensitivity, EdgeMagnitude])
def test_channels_that_a_layer_does_not_have_are_refused(criterion):
    model, inputs = TwoFlattened(), torch.randn(4, 1, 4, 4)
    batches = [(inputs, torch.randint(0, 3, (4,)))]
    importance = criterion().measure(model, batches, F.cross_entropy)
    graph = tp.DependencyGraph().build_dependency(model, (inputs,))
    with pytest.raises(DataError, match="follows this model wrongly"):
        for group in graph.get_all_groups(ignored_layers=[model.output]):
            importance(group)
