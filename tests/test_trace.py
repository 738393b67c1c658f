"""The edges of small traced models, worked out by hand."""

import pytest
import torch
from silencing import through_junctions
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, prune
from weighed_by_hand import Net, edges, weigh

from sculpt_plugin.analysis.trace import read, trace


def test_a_chain_gives_an_edge_for_each_weight_that_is_left() -> None:
    model = nn.Sequential(
        weigh(nn.Linear(3, 2), [[1, 0, 2], [0, 0, 3]]),
        nn.ReLU(inplace=True),
        weigh(nn.Linear(2, 2), [[0, 1], [0, 0]]),
        nn.Sigmoid(),
    )
    graph = trace(model, torch.zeros(1, 3))
    assert graph.sizes == (3, 2, 2)
    assert graph.names == ("inputs", "0", "2")
    assert graph.kinds == ("input", "linear", "linear")
    assert graph.channel.tolist() == [0, 1, 2, 0, 1, 0, 1]
    assert edges(graph) == [(0, 3), (2, 3), (2, 4), (4, 5)]
    assert graph.adjacency.dtype == bool and graph.adjacency.format == "csr"


def test_a_residual_add_makes_edges_that_jump_a_layer() -> None:
    def run(net: Net, x: Tensor) -> Tensor:
        h = functional.relu(net.norm(net.first(x)))
        return net.output(functional.relu(net.second(h) + h, inplace=True).flatten(1))

    model = Net(
        run,
        first=weigh(nn.Conv2d(1, 2, 3, padding=1), [[1], [1]]),
        norm=nn.BatchNorm2d(2),
        second=weigh(nn.Conv2d(2, 2, 3, padding=1), [[0, 0], [1, 0]]),
        output=weigh(nn.Linear(8, 1), [[0, 0, 0, 1, 0, 0, 0, 0]]),
    )
    graph = trace(model, torch.zeros(1, 1, 2, 2))
    # Inputs 0; first 1, 2; second 3, 4; output 5, which reads channel 0 of the sum.
    assert edges(graph) == [(0, 1), (0, 2), (1, 4), (1, 5), (3, 5)]


def test_a_concatenation_shifts_columns_and_lets_inputs_jump() -> None:
    model = Net(
        lambda net, x: net.output(torch.cat([x, torch.relu(net.hidden(x))], 1)),
        hidden=weigh(nn.Linear(2, 2), [[1, 0], [0, 1]]),
        output=weigh(nn.Linear(4, 1), [[0, 1, 1, 0]]),
    )
    assert edges(trace(model, torch.zeros(1, 2))) == [(0, 2), (1, 3), (1, 4), (2, 4)]


def test_a_grouped_convolution_reads_its_own_share_of_the_channels() -> None:
    layer = weigh(nn.Conv1d(4, 4, 3, groups=2), [[1, 0], [0, 1], [0, 1], [0, 0]])
    assert edges(trace(layer, torch.zeros(1, 4, 5))) == [(0, 4), (1, 5), (3, 6)]


def test_a_depthwise_convolution_keeps_channels_apart() -> None:
    layer = weigh(nn.Conv2d(2, 4, 3, groups=2), [[1], [0], [1], [1]])
    assert edges(trace(layer, torch.zeros(1, 2, 3, 3))) == [(0, 2), (1, 4), (1, 5)]


def test_flattened_inputs_are_units_position_by_position() -> None:
    layer = weigh(nn.Linear(8, 1), [[0, 0, 0, 0, 0, 1, 0, 0]])
    graph = trace(nn.Sequential(nn.Flatten(), layer), torch.zeros(1, 2, 2, 2))
    assert graph.sizes == (8, 1)
    assert edges(graph) == [(5, 8)]


def test_pooled_inputs_are_units_channel_by_channel() -> None:
    layer = weigh(nn.Linear(4, 1), [[0, 0, 0, 1]])
    model = nn.Sequential(nn.MaxPool2d(2, 1), nn.AvgPool2d((1, 2), 1), nn.Flatten())
    graph = trace(nn.Sequential(model, layer), torch.zeros(1, 2, 3, 3))
    assert graph.sizes == (2, 1)
    assert edges(graph) == [(1, 2)]


def test_inputs_read_both_ways_are_units_channel_by_channel() -> None:
    model = Net(
        lambda net, x: net.output(
            torch.cat([net.pixel(x.flatten(1)), net.channel(x).mean((2, 3))], 1)
        ),
        pixel=nn.Linear(8, 1),
        channel=nn.Conv2d(2, 1, 1),
        output=nn.Linear(2, 1),
    )
    with torch.no_grad():
        model.pixel.weight[:, 4:] = 0.0
        model.channel.weight[:, 0] = 0.0
    # Inputs 0, 1; pixel 2, which reads channel 0; channel 3; output 4.
    graph = trace(model, torch.zeros(1, 2, 2, 2))
    assert graph.sizes == (2, 1, 1, 1)
    assert edges(graph) == [(0, 2), (1, 3), (2, 4), (3, 4)]


def test_a_norm_of_weight_zero_lets_nothing_through() -> None:
    model = nn.Sequential(nn.Linear(1, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    with torch.no_grad():
        model[1].weight[0] = 0.0
    assert edges(trace(model, torch.zeros(2, 1))) == [(0, 1), (0, 2), (2, 3)]


def test_masks_of_torch_prune_are_seen() -> None:
    layer = nn.Linear(2, 2)
    prune.custom_from_mask(layer, "weight", torch.tensor([[1, 0], [0, 1]]))
    graph = trace(nn.Sequential(layer), torch.zeros(1, 2))
    assert edges(graph) == [(0, 2), (1, 3)]


def test_parametrized_weights_are_seen_under_the_name_of_their_layer() -> None:
    layer = parametrizations.weight_norm(nn.Linear(2, 2))
    with torch.no_grad():
        layer.parametrizations.weight.original1.copy_(torch.eye(2))
    graph = trace(nn.Sequential(layer), torch.zeros(1, 2))
    assert graph.kinds == ("input", "linear")
    assert edges(graph) == [(0, 2), (1, 3)]


def test_masks_applied_by_a_hook_of_the_model_are_seen() -> None:
    model = nn.Sequential(nn.Linear(2, 1))

    def mask(model: nn.Module, _: object) -> None:
        model[0].weight.data.mul_(torch.tensor([[0.0, 1.0]]))

    model.register_forward_pre_hook(mask)
    assert edges(trace(model, torch.zeros(1, 2))) == [(1, 2)]


def test_two_paths_between_the_same_units_make_one_edge() -> None:
    model = Net(
        lambda net, x: net.output(torch.cat([x, x * 2 + x], 1)),
        output=nn.Linear(2, 1),
    )
    graph = trace(model, torch.zeros(1, 1))
    assert edges(graph) == [(0, 1)]
    assert graph.adjacency.nnz == 1
    assert graph.adjacency.data.all()


def test_embedded_tokens_are_one_input() -> None:
    table = nn.Embedding(5, 3)
    with torch.no_grad():
        table.weight[:, 1] = 0.0
    graph = trace(table, torch.tensor([[0, 4, 1]]))
    assert graph.kinds == ("input", "embedding")
    assert edges(graph) == [(0, 1), (0, 3)]


def test_features_at_every_step_are_units_whatever_the_length() -> None:
    layer = weigh(nn.Linear(3, 2), [[1, 0, 0], [0, 0, 1]])
    graph = trace(layer, torch.zeros(1, 7, 3))
    assert graph.sizes == (3, 2)
    assert edges(graph) == [(0, 3), (2, 4)]


def test_an_attention_head_passes_its_pattern_on_by_a_unit_of_its_own() -> None:
    attention = nn.MultiheadAttention(2, 2, bias=False, batch_first=True)
    weigh(attention.out_proj, [[1, 0], [0, 0]])
    with torch.no_grad():
        attention.in_proj_weight.copy_(torch.eye(2).repeat(3, 1))
    model = Net(lambda net, x: net.a(x, x, x, need_weights=False)[0], a=attention)
    graph = trace(model, torch.zeros(1, 3, 2))
    # Inputs 0, 1; queries 2, 3, keys 4, 5, values 6, 7; head 0 makes 8 of 2, 4 and 6.
    assert graph.names == ("inputs", "a.in_proj", "a sum", "a.out_proj")
    assert [(a, b) for a, b in edges(graph) if b in (8, 10)] == [
        (2, 8),
        (4, 8),
        (6, 8),
        (8, 10),
    ]


def test_a_recurrent_layer_hears_of_what_its_units_tell_each_other() -> None:
    layer = nn.RNN(2, 2, bias=False, batch_first=True)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.eye(2))
        layer.weight_hh_l0.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    model = Net(lambda net, x: net.rnn(x)[0], rnn=layer)
    found = read(model, torch.zeros(1, 4, 2))
    # Unit 3 hears of input 0 through unit 2, unit 2 of input 0 only.
    assert edges(found.graph) == [(0, 2), (0, 3), (1, 3)]
    assert found.coverage["approximated"] == 1.0


def test_chance_does_not_cut_edges() -> None:
    def run(net: Net, x: Tensor) -> Tensor:
        h = functional.dropout(net.a(x), 0.5, training=True) * (torch.rand(4) > 0.5)
        return net.b(h + torch.bernoulli(torch.sigmoid(net.a(x))))

    model = Net(run, a=nn.Linear(2, 4), b=nn.Linear(4, 1))
    graph = trace(model, torch.zeros(1, 2))
    table = through_junctions(graph)
    assert graph.names[:3] == ("inputs", "a", "a #2")
    assert table[2:10, graph.units(graph.depth - 1)].all()


def test_a_subclass_with_its_own_forward_is_followed_inside() -> None:
    class Longer(nn.RMSNorm):
        def forward(self, x: Tensor) -> Tensor:
            return functional.rms_norm(x, self.normalized_shape) * (1 + self.weight)

    norm = Longer(3)
    nn.init.zeros_(norm.weight)
    found = read(
        nn.Sequential(nn.Linear(2, 3), norm, nn.Linear(3, 1)), torch.zeros(1, 2)
    )
    assert found.graph.live_units().all()


def test_an_exported_program_is_read_like_the_model():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight[1:, 0] = 0
    program = torch.export.export(model, (torch.zeros(1, 3),)).module()
    found, expected = (trace(x, torch.zeros(1, 3)) for x in (program, model))
    assert found.sizes == expected.sizes
    assert (found.adjacency != expected.adjacency).nnz == 0


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_a_scripted_model_is_traced_as_it_was_written() -> None:
    model = torch.jit.script(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).eval())
    found = read(model, torch.zeros(1, 2))
    assert found.graph.sizes == (2, 2)
    assert found.graph.edge_count == 4


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_a_scripted_model_may_read_its_inputs_otherwise_than_position_by_position():
    layers = [nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(8, 2)]
    model = nn.Sequential(*layers)
    found = trace(torch.jit.script(model), torch.zeros(1, 1, 4, 4))
    assert found.sizes == trace(model, torch.zeros(1, 1, 4, 4)).sizes == (1, 2, 2)


def test_a_table_with_a_largest_norm_keeps_its_weights() -> None:
    table = nn.Embedding(4, 3, max_norm=0.1)
    before = table.weight.detach().clone()
    trace(table, torch.tensor([[0, 1]]))
    assert torch.equal(table.weight, before)


def test_a_mask_of_infinities_is_no_weight_that_is_not_finite() -> None:
    model = Net(lambda net, x: net.a(x) + (net.bias + torch.full((2,), -torch.inf)))
    model.a, model.bias = nn.Linear(2, 2), nn.Parameter(torch.zeros(2))
    assert trace(model, torch.zeros(1, 2)).sizes == (2, 2)


def test_rotated_numbers_are_followed_as_complex_ones() -> None:
    def run(net: Net, x: Tensor) -> Tensor:
        pairs = torch.view_as_complex(net.a(x).reshape(1, 2, 2))
        return net.b(torch.view_as_real(pairs * 1j).flatten(1))

    model = Net(run, a=nn.Linear(2, 4), b=weigh(nn.Linear(4, 1), [[1, 0, 0, 0]]))
    graph = trace(model, torch.zeros(1, 2))
    # Inputs 0, 1; a 2 to 5, of which the first two are one number; b 6.
    assert [(i, j) for i, j in edges(graph) if j == 6] == [(2, 6), (3, 6)]


def test_a_constant_graph_of_many_nodes_is_fast() -> None:
    neighbours = torch.eye(2000) + torch.eye(2000).roll(1, 0)
    model = Net(lambda net, x: net.b(neighbours @ net.a(x)), a=nn.Linear(3, 2))
    model.b = nn.Linear(2, 1)
    assert edges(trace(model, torch.zeros(1, 2000, 3))) == edges(
        trace(nn.Sequential(model.a, model.b), torch.zeros(1, 3))
    )
