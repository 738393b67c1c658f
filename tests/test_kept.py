import numpy as np
import pytest
import torch
from networks import mlp
from torch import nn
from torch.nn.utils import parametrize, prune

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.errors import ModelError
from sculpt_plugin.exporting.kept import check_fits, kept, unread


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


def test_units_that_lead_to_no_output_are_unread_back_to_the_first():
    # 2 feeds 5, which feeds nothing; 4 feeds nothing; 3 reads nothing but is read.
    edges = [(0, 1), (0, 2), (2, 5), (1, 6), (3, 6), (0, 4), (6, 7)]
    graph = LayeredGraph.from_edges((1, 4, 2, 1), edges, names=("inputs", *"abc"))
    found = unread(graph, covered={"exact": 1.0})
    assert {name: flags.tolist() for name, flags in found.items()} == {
        "a": [False, True, False, True],
        "b": [True, False],
    }


def test_outputs_are_never_unread():
    graph = LayeredGraph.from_edges((1, 2), [(0, 1)])
    assert unread(graph, covered={"exact": 1.0}) == {}


def test_a_unit_that_any_call_of_its_layer_makes_use_of_stays():
    graph = LayeredGraph.from_edges(
        (1, 2, 2, 1), [(0, 1), (1, 4), (4, 5)], names=("inputs", "fc", "fc #2", "out")
    )
    found = unread(graph, covered={"exact": 1.0})
    assert found == {}


@pytest.mark.parametrize("covered", [{"exact": 0.99}, {}])
def test_nothing_is_called_unread_unless_all_is_covered_exactly(covered):
    graph = LayeredGraph.from_edges((1, 2, 1), [(0, 1), (0, 2), (2, 3)])
    assert unread(graph, covered=covered) == {}


def test_only_weights_are_masked_and_only_where_they_are_zero():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[0.0, 1.0], [1.0, 1.0]]))
        model[0].bias.zero_()
    found = kept(model, {})
    assert list(found.keep) == ["0.weight", "2.weight"]
    assert found.weights == ("0.weight", "2.weight")
    assert found.keep["0.weight"].tolist() == [[False, True], [True, True]]
    assert found.gone_count == 1


def test_a_norm_is_masked_where_it_stops_a_unit():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    with torch.no_grad():
        model[1].weight[1] = 0
    found = kept(model, {})
    assert found.keep["1.weight"].tolist() == [True, False]
    assert found.weights == ("0.weight", "2.weight")


def test_a_units_rows_and_bias_go_with_it():
    found = kept(mlp(2, 3, 1), {"0": np.array([False, True, False])})
    assert found.keep["0.weight"].any(1).tolist() == [True, False, True]
    assert found.keep["0.bias"].tolist() == [True, False, True]
    assert found.weights == ("0.weight", "2.weight")


def test_layers_without_bias_lose_their_units_too():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False))
    found = kept(model, {"0": np.array([False, True])})
    assert found.keep["0.weight"].any(1).tolist() == [True, False]


def test_the_channels_of_a_transposed_convolution_are_its_columns():
    model = nn.Sequential(nn.ConvTranspose2d(2, 3, 2, bias=False))
    found = kept(model, {"0": np.array([True, False, False])})
    assert (
        found.keep["0.weight"].flatten(2).any(2).tolist() == [[False, True, True]] * 2
    )
    assert "0.bias" not in found.keep


def test_the_masks_of_torch_count_under_the_parameters_own_name():
    model = mlp(2, 2, 1)
    mask = torch.tensor([[True, False], [True, True]])
    prune.custom_from_mask(model[0], "weight", mask)
    found = kept(model, {})
    assert list(found.keep) == ["0.weight", "2.weight"]
    assert torch.equal(found.keep["0.weight"], mask)


def test_masks_that_were_loaded_count_before_the_model_has_run():
    masked, loaded = mlp(3, 3, 2), mlp(3, 3, 2)
    prune.custom_from_mask(masked[0], "weight", torch.eye(3))
    prune.identity(loaded[0], "weight")

    loaded.load_state_dict(masked.state_dict())

    assert torch.equal(kept(loaded, {}).keep["0.weight"], torch.eye(3).bool())


def test_a_parametrized_weight_counts_as_it_is_computed():
    model = mlp(2, 2, 1)
    with torch.no_grad():
        model[0].weight[0, 1] = 0
    parametrize.register_parametrization(model[0], "weight", Doubled())
    found = kept(model, {})
    assert found.keep["0.weight"].tolist() == [[True, False], [True, True]]


def test_the_weights_of_attention_and_recurrent_layers_are_masked_too():
    model = nn.ModuleDict({"a": nn.MultiheadAttention(4, 2), "r": nn.LSTM(3, 2)})
    names = [
        "a.in_proj_weight",
        "a.out_proj.weight",
        "r.weight_ih_l0",
        "r.weight_hh_l0",
    ]
    assert list(kept(model, {}).keep) == names


def test_the_model_stays_as_it_was():
    model = mlp(2, 3, 1)
    before = {name: x.clone() for name, x in model.state_dict().items()}
    kept(model, {"0": np.array([False, True, False])})
    assert all(torch.equal(x, before[n]) for n, x in model.state_dict().items())


def test_a_model_of_other_sizes_is_refused():
    graph = LayeredGraph.from_edges((2, 3, 1), [], names=("inputs", "0", "2"))
    with pytest.raises(ModelError, match=r"'0' .* has 3 units in the report and 4 in"):
        check_fits(graph, mlp(2, 4, 1))


def test_a_model_without_a_layer_of_the_graph_is_refused():
    graph = LayeredGraph.from_edges((4, 6, 2), [(0, 4)], names=("inputs", "0", "2"))
    with pytest.raises(ModelError, match="has no layer '0'"):
        check_fits(graph, nn.Linear(4, 2))
