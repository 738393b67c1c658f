import copy
import pickle

import pytest
import torch
from networks import ZOO, Chain, Grouped, Residual, warmed
from torch.nn import functional as F
from torch.nn.utils import prune

from sculpt_plugin.coupling import couple
from sculpt_plugin.errors import ModelError
from sculpt_plugin.pruning.masks import Masks, apply, attach


def some_masks(model, inputs):
    """Masks without a third of the units and without some edges."""
    coupling = couple(model, inputs)
    masks = Masks.dense(model, coupling)
    for group in coupling.prunable:
        masks = masks.without_units(group, torch.arange(group.size) % 3 == 1)
    return masks.without_edges(torch.arange(0, masks.edge_total, 5))


@pytest.mark.parametrize("kind", ZOO)
def test_attached_masks_hold_through_training(kind):
    model, inputs = warmed(kind)
    masks = some_masks(model, inputs)
    handle = attach(model.train(), masks)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        F.cross_entropy(model(inputs), torch.zeros(len(inputs)).long()).backward()
        optimizer.step()
    model(inputs)
    for name, keep in masks.keep.items():
        assert (model.get_parameter(name)[~keep] == 0).all()
        assert (model.get_parameter(name)[keep] != 0).any()
    handle.remove()
    assert not model._forward_pre_hooks


def test_names_and_state_dict_stay_as_they_are():
    model, inputs = warmed(Chain)
    before = list(model.state_dict())
    attach(model, some_masks(model, inputs))
    assert list(model.state_dict()) == before


def test_a_masked_model_copies_and_pickles_with_masks_of_its_own():
    model, inputs = warmed(Chain)
    masks = some_masks(model, inputs)
    attach(model, masks)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        with torch.no_grad():
            twin.output.weight.fill_(1.0)
        twin(inputs)
        assert torch.equal(twin.output.weight != 0, masks.keep["output.weight"])
    assert not (model.output.weight == 1.0).any()


def test_masked_entries_are_zero_even_where_weights_have_diverged():
    model, inputs = warmed(Chain)
    masks = some_masks(model, inputs)
    with torch.no_grad():
        model.output.weight.fill_(torch.inf)
    apply(model, masks)
    assert (model.output.weight[~masks.keep["output.weight"]] == 0).all()


def test_density_counts_edges_only():
    model, inputs = warmed(Chain)
    masks = Masks.dense(model, couple(model, inputs))
    assert masks.edge_total == 4 * 7 + 7 * 5 + 5 * 3
    assert masks.without_edges(torch.arange(39)).density == 39 / 78


def test_masks_of_another_model_are_refused():
    model, inputs = warmed(Chain)
    masks = some_masks(model, inputs)
    with pytest.raises(
        ModelError, match=r"'layers.0.weight' of shape \[7, 4\], which is missing"
    ):
        apply(torch.nn.Sequential(torch.nn.Linear(4, 7)), masks)


def test_a_grouped_convolution_loses_only_the_columns_that_read_a_unit():
    model, inputs = warmed(Grouped)
    coupling = couple(model, inputs)
    group = next(g for g in coupling.prunable if g.name == "depthwise")
    masks = Masks.dense(model, coupling)
    masks = masks.without_units(group, torch.arange(6) == 4)
    kept = masks.keep["grouped.weight"].flatten(1).int().tolist()
    assert kept == [[1, 1, 1], [1, 1, 1], [1, 0, 1], [1, 0, 1]]


def test_a_unit_with_many_positions_is_alive_while_any_is():
    model, inputs = warmed(Residual)
    coupling = couple(model, inputs)
    masks = Masks.dense(model, coupling)
    gone = torch.arange(5) == 1
    masks = masks.without_units(coupling.prunable[0], gone)
    assert masks.unit_alive(coupling.prunable[0]).tolist() == (~gone).tolist()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_masks_hold_whatever_the_precision(dtype):
    model, inputs = warmed(Chain)
    model, inputs = model.to(dtype), inputs.to(dtype)
    masks = some_masks(model, inputs)
    attach(model, masks)
    with torch.no_grad():
        model.output.weight.fill_(torch.nan)
    model(inputs)
    kept = masks.keep["output.weight"]
    assert (model.output.weight[~kept] == 0).all()
    assert model.output.weight[kept].isnan().all()


def held_layer():
    layer = torch.nn.Linear(2, 1)
    masks = Masks({"weight": torch.tensor([[True, False]])}, ("weight",))
    attach(layer, masks)
    return layer


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_masks_hold_in_a_model_that_changes_its_precision(dtype):
    layer = held_layer().to(dtype)
    for fill in (1.0, torch.nan):
        layer.weight.data.fill_(fill)
        layer(torch.zeros(1, 2, dtype=dtype))
        assert layer.weight[0, 1] == 0
        assert layer.weight[0, 0] != 0


def test_masks_hold_parameters_that_were_exchanged():
    layer = held_layer()
    state = {"weight": torch.ones(1, 2), "bias": torch.ones(1)}
    layer.load_state_dict(state, assign=True)
    assert layer(torch.ones(1, 2)).item() == 2
    assert layer.weight.tolist() == [[1, 0]]


def test_masks_hold_exchanged_parameters_of_a_copy():
    layer = torch.nn.Sequential(held_layer())
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        twin[0].weight = torch.nn.Parameter(torch.ones(1, 2))
        twin(torch.ones(1, 2))
        assert twin[0].weight.tolist() == [[1, 0]]
    assert layer[0].weight.tolist() != [[1, 0]]


def test_masks_hold_a_weight_that_is_parametrized_later():
    layer = held_layer()
    prune.random_unstructured(layer, "weight", amount=0)
    layer.weight_orig.data.fill_(1)
    layer(torch.ones(1, 2))
    assert layer.weight_orig.tolist() == [[1, 0]]
