import copy

import pytest
import torch
from networks import ZOO, Chain, FixedWidth, Grouped, Residual, mlp, warmed
from test_masks import some_masks
from torch import nn

from sculpt_plugin.coupling import couple
from sculpt_plugin.errors import ModelError
from sculpt_plugin.pruning.compaction import compact
from sculpt_plugin.pruning.masks import Masks, apply, attach
from sculpt_plugin.report import analyze


def masked(kind):
    model, inputs = warmed(kind)
    masks = some_masks(model, inputs)
    apply(model, masks)
    return model, inputs, masks


@pytest.mark.parametrize("kind", (*ZOO, Grouped))
def test_the_compacted_model_computes_the_same(kind):
    model, inputs, masks = masked(kind)
    small = compact(model, inputs, masks=masks)
    others = torch.randn(20, *kind.shape)
    assert torch.allclose(small.model(others), model(others), atol=1e-5)


@pytest.mark.parametrize("kind", ZOO)
def test_units_without_readers_are_gone_and_known_by_their_old_numbers(kind):
    model, inputs, masks = masked(kind)
    small = compact(model, inputs, masks=masks)
    for group in couple(model, inputs).prunable:
        expected = [unit for unit in range(group.size) if unit % 3 != 1]
        assert set(small.units[group.name].tolist()) <= set(expected)
        layer = small.model.get_submodule(group.name)
        assert layer.weight.shape[0] == len(small.units[group.name])
        rows = model.get_submodule(group.name).weight[small.units[group.name]]
        assert rows.shape[0] == layer.weight.shape[0]


@pytest.mark.parametrize("kind", ZOO)
def test_masks_fit_the_smaller_model_and_its_masked_edges_are_exact_zeros(kind):
    model, inputs, masks = masked(kind)
    small = compact(model, inputs, masks=masks)
    for name, keep in small.masks.keep.items():
        parameter = small.model.get_parameter(name)
        assert keep.shape == parameter.shape
        assert (parameter[~keep] == 0).all()
    assert 0 < small.masks.edge_count <= masks.edge_count


def test_cutting_a_unit_frees_the_units_below_it():
    model = mlp(2, 2, 2, 1)
    coupling = couple(model, torch.zeros(1, 2))
    masks = Masks.dense(model, coupling)
    keep = dict(masks.keep)
    keep["2.weight"] = torch.tensor([[True, False], [False, True]])
    keep["4.weight"] = torch.tensor([[True, False]])
    masks = Masks(keep, masks.weights)
    apply(model, masks)
    small = compact(model, torch.zeros(1, 2), masks=masks)
    assert {name: units.tolist() for name, units in small.units.items()} == {
        "0": [0],
        "2": [0],
        "4": [0],
    }


def test_a_unit_with_a_bias_but_no_inputs_stays_while_it_is_read():
    model = mlp(2, 2, 1)
    masks = Masks.dense(model, couple(model, torch.zeros(1, 2)))
    masks = masks.without_edges(torch.tensor([0, 1]))
    with torch.no_grad():
        model[0].bias.fill_(3.0)
    apply(model, masks)
    assert len(compact(model, torch.zeros(1, 2), masks=masks).units["0"]) == 2


def test_one_unit_stays_where_nothing_is_read():
    model = mlp(2, 3, 1)
    masks = Masks.dense(model, couple(model, torch.zeros(1, 2)))
    masks = masks.without_edges(torch.arange(6, 9))
    apply(model, masks)
    small = compact(model, torch.zeros(1, 2), masks=masks)
    assert small.units["0"].tolist() == [0]


def test_layer_norms_keep_their_width_and_their_function():
    model = nn.Sequential(
        nn.Linear(3, 6), nn.LayerNorm(6), nn.ReLU(), nn.Linear(6, 4), nn.ReLU(),
        nn.Linear(4, 2),
    )  # fmt: skip
    inputs = torch.randn(5, 3)
    masks = some_masks(model, inputs)
    apply(model, masks)
    small = compact(model, inputs, masks=masks)
    assert small.model[0].out_features == 6
    assert small.model[3].out_features < 4
    assert torch.allclose(small.model(inputs), model(inputs), atol=1e-6)


def test_activations_that_are_not_zero_at_zero_are_no_obstacle():
    model = nn.Sequential(nn.Linear(3, 6), nn.Sigmoid(), nn.Linear(6, 2))
    inputs = torch.randn(5, 3)
    masks = some_masks(model, inputs)
    apply(model, masks)
    small = compact(model, inputs, masks=masks)
    assert small.model[0].out_features < 6
    assert torch.allclose(small.model(inputs), model(inputs), atol=1e-6)


def test_the_model_that_was_given_is_not_changed():
    model, inputs, masks = masked(Residual)
    before = copy.deepcopy(model.state_dict())
    compact(model, inputs, masks=masks)
    assert all(torch.equal(before[n], x) for n, x in model.state_dict().items())


def test_units_behind_an_operation_over_all_of_them_are_left_alone():
    class Averaged(Chain):
        def forward(self, x):
            hidden = self.layers(x)
            return self.output(hidden / (1 + hidden.abs().mean(1, keepdim=True)))

    model, inputs = warmed(Averaged)
    masks = some_masks(model, inputs)
    apply(model, masks)
    small = compact(model, inputs, masks=masks)
    assert len(small.units["layers.2"]) == 5
    assert torch.allclose(small.model(inputs), model(inputs), atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_an_operation_that_counts_the_units_is_noticed(dtype):
    class Counted(Chain):
        def forward(self, x):
            hidden = self.layers(x)
            return self.output(hidden * hidden.shape[1] / 7)

    model, inputs = warmed(Counted)
    model, inputs = model.to(dtype), inputs.to(dtype)
    masks = some_masks(model, inputs)
    apply(model, masks)
    with pytest.raises(ModelError, match="depends on how many units"):
        compact(model, inputs, masks=masks)


def test_an_operation_that_fails_on_fewer_units_is_noticed():
    model, inputs = warmed(FixedWidth)
    masks = some_masks(model, inputs)
    with pytest.raises(ModelError, match="depends on how many units") as caught:
        compact(model, inputs, masks=masks)
    assert "\n" not in str(caught.value)


def test_a_model_that_fixes_its_precision_is_compacted():
    class InSingle(Chain):
        def forward(self, x):
            return super().forward(x.float())

    model, inputs = warmed(InSingle)
    masks = some_masks(model, inputs)
    apply(model, masks)
    small = compact(model, inputs, masks=masks).model
    assert small.layers[0].out_features < 7
    assert torch.allclose(small(inputs), model(inputs), atol=1e-6)


@pytest.mark.parametrize("column", [0, 1])
def test_a_channel_is_read_while_any_of_its_positions_is(column):
    """After a flatten, channel 0 has columns 0 and 1, and channel 1 has 2 and 3."""
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(4, 1))
    keep = torch.zeros(1, 4, dtype=torch.bool)
    keep[0, column] = True
    masks = Masks({"2.weight": keep}, ("2.weight",))
    apply(model, masks)
    small = compact(model, torch.zeros(1, 1, 2, 1), masks=masks)
    assert small.units["0"].tolist() == [0]
    inputs = torch.randn(5, 1, 2, 1)
    assert torch.allclose(small.model(inputs), model(inputs))


def test_conv_nets_with_few_edges_left_compute_the_same():
    for seed in range(10):
        torch.manual_seed(seed)
        model, inputs = warmed(Residual)
        masks = Masks.dense(model, couple(model, inputs))
        some = torch.randperm(masks.edge_total)[: masks.edge_total * 9 // 10]
        masks = masks.without_edges(some)
        apply(model, masks)
        small = compact(model, inputs, masks=masks)
        assert torch.allclose(small.model(inputs), model(inputs), atol=1e-5)


def test_transposed_convolutions_are_cut():
    model = nn.Sequential(
        nn.ConvTranspose2d(1, 6, 2), nn.ReLU(), nn.ConvTranspose2d(6, 2, 2)
    )
    inputs = torch.randn(3, 1, 4, 4)
    masks = some_masks(model, inputs)
    apply(model, masks)
    small = compact(model, inputs, masks=masks)
    assert small.model[0].out_channels < 6
    assert torch.allclose(small.model(inputs), model(inputs), atol=1e-5)


def test_ignored_layers_keep_their_units_and_frozen_parameters_stay_frozen():
    model, inputs = warmed(Chain)
    model.layers[2].weight.requires_grad_(False)
    masks = some_masks(model, inputs)
    apply(model, masks)
    small = compact(model, inputs, masks=masks, ignore=["layers.0"])
    assert len(small.units["layers.0"]) == 7
    assert len(small.units["layers.2"]) < 5
    assert not small.model.layers[2].weight.requires_grad


def test_a_model_with_masks_on_is_compacted():
    model, inputs = warmed(Chain)
    masks = some_masks(model, inputs)
    attach(model, masks)
    small = compact(model, inputs, masks=masks)
    assert not small.model._forward_pre_hooks
    assert torch.allclose(small.model(inputs), model(inputs), atol=1e-6)


def test_modules_stay_what_they_are_when_dead_units_are_cut_out():
    # What is left has all its edges; two of the outputs weigh them in one way, two in
    # another.
    model = mlp(2, 3, 4)
    reads = torch.tensor([[4.0, -2.0], [4.0, 2.0], [8.0, -4.0], [-8.0, -4.0]])
    with torch.no_grad():
        model[0].weight.fill_(1)
        model[2].weight.copy_(torch.cat([reads, torch.zeros(4, 1)], dim=1))
        model[2].bias.zero_()
    masks = Masks({"2.weight": model[2].weight != 0}, ("2.weight",))
    small = compact(model, torch.zeros(1, 2), masks=masks)
    before, after = (
        analyze(network, torch.zeros(1, 2)).hierarchy
        for network in (model, small.model)
    )
    assert [m.outputs for m in before.modules] == [(0, 1, 2, 3), (0, 2), (1, 3)]
    assert after.label.tolist() == before.label[before.label >= 0].tolist()


class Remembering(nn.Module):
    """Keeps what its hidden layer made."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 3), nn.Linear(3, 1)

    def forward(self, x):
        self.made = [self.first(x).relu()]
        return self.last(self.made[0])


def test_a_model_that_keeps_what_its_last_forward_made_is_compacted():
    model, inputs = Remembering(), torch.randn(4, 2)
    model(inputs)
    masks = Masks(
        {"last.weight": torch.tensor([[True, False, True]])}, ("last.weight",)
    )
    apply(model, masks)
    small = compact(model, inputs, masks=masks).model
    assert small.first.out_features == 2
    assert torch.allclose(small(inputs), model(inputs))
