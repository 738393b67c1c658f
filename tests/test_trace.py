"""Hand-worked graphs, and an oracle: silencing units in the real model."""

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, prune

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.trace import read, trace


class Net(nn.Module):
    """Layers by name and a forward given as a function of the net and its input."""

    def __init__(self, run: Callable[..., Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def weigh(layer: nn.Linear | nn.Conv1d | nn.Conv2d, weight: list) -> nn.Module:
    """Set the weights of a layer; a convolution gets them at one kernel position."""
    with torch.no_grad():
        layer.weight.zero_()
        positions = layer.weight.view(*layer.weight.shape[:2], -1)
        positions[..., -1] = torch.tensor(weight, dtype=layer.weight.dtype)
    return layer


def edges(graph: LayeredGraph) -> list[tuple[int, int]]:
    rows, columns = graph.adjacency.nonzero()
    return sorted(zip(rows.tolist(), columns.tolist(), strict=True))


def edges_by_silencing(
    model: nn.Module, inputs: Tensor, graph: LayeredGraph
) -> np.ndarray:
    """Find the edges of a traced model by silencing each unit in the real model.

    While one unit is silenced, every layer hands on what it handed on before, so only
    what the unit changes directly can be seen: the outputs that the layers compute.
    """
    names = [
        n
        for n, kind in zip(graph.names, graph.kinds, strict=True)
        if kind != "junction"
    ]
    layers = [model.get_submodule(name) for name in names[1:]]
    computed: dict[nn.Module, Tensor] = {}
    handed_on: dict[nn.Module, Tensor] = {}

    def swap(layer: nn.Module, _: object, output: Tensor) -> Tensor | None:
        computed[layer] = output.clone()
        return handed_on[layer].clone() if layer in handed_on else None

    def outputs(values: Tensor) -> list[Tensor]:
        model(values.clone())
        return [computed[layer].movedim(1, 0).flatten(1) for layer in layers]

    sizes = [
        n
        for n, kind in zip(graph.sizes, graph.kinds, strict=True)
        if kind != "junction"
    ]
    starts = np.cumsum([0, *sizes])
    found = np.zeros((starts[-1], starts[-1]), dtype=bool)
    handles = [layer.register_forward_hook(swap) for layer in layers]
    training = model.training
    model.eval()
    with torch.no_grad():
        before = outputs(inputs)
        handed_on |= {layer: computed[layer] for layer in layers}

        def compare(unit: int, values: Tensor) -> None:
            after = outputs(values)
            changed = [
                (a - b).abs().amax(1) > 1e-10
                for a, b in zip(after, before, strict=True)
            ]
            found[unit, graph.sizes[0] :] = torch.cat(changed).numpy()

        pixels = graph.sizes[0] != inputs.shape[1]
        for unit in range(graph.sizes[0]):
            other = inputs.clone()
            (other.flatten(1) if pixels else other)[:, unit] += 1.0
            compare(unit, other)
        for layer, start in zip(layers, starts[1:], strict=False):
            kept = handed_on[layer]
            for unit in range(kept.shape[1]):
                handed_on[layer] = kept.clone()
                handed_on[layer][:, unit] = 0.0
                compare(start + unit, inputs)
            handed_on[layer] = kept
    for handle in handles:
        handle.remove()
    model.train(training)
    return found


def through_junctions(graph: LayeredGraph) -> np.ndarray:
    """Let edges run on through sums, which no layer of the model computes."""
    table = graph.adjacency.toarray()
    for layer in np.flatnonzero(np.array(graph.kinds) == "junction"):
        units = graph.units(int(layer))
        table |= (table[:, units].astype(int) @ table[units].astype(int)) > 0
    return table


def mlp() -> nn.Module:
    layers = nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3)
    return nn.Sequential(*layers)


def residual() -> nn.Module:
    def run(net: Net, x: Tensor) -> Tensor:
        h = net.norm(net.first(x)).tanh()
        h = h + net.norm2(net.second(h)).tanh()
        h += net.third(h)
        return net.output(net.hidden(h.flatten(1)).tanh())

    return Net(
        run,
        first=nn.Conv2d(2, 4, 3, padding=1),
        norm=nn.BatchNorm2d(4),
        second=nn.Conv2d(4, 4, 3, padding=1),
        norm2=nn.BatchNorm2d(4),
        third=nn.Conv2d(4, 4, 1),
        hidden=nn.Linear(4 * 16, 5),
        output=nn.Linear(5, 3),
    )


def two_flattened() -> nn.Module:
    # torch-pruning maps these columns wrongly: it guesses 22 and 14 to a channel.
    def run(net: Net, x: Tensor) -> Tensor:
        halves = net.wide(x).flatten(1), net.narrow(x).flatten(1), x.mean((2, 3))
        return net.output(torch.cat(halves, 1).tanh())

    return Net(
        run,
        wide=nn.Conv2d(2, 2, 3, padding=1),
        narrow=nn.Conv2d(2, 3, 3, padding=1, stride=2),
        output=nn.Linear(2 * 16 + 3 * 4 + 2, 4),
    )


def grouped() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(4, 8, 3, padding=1, groups=2, stride=2),
        nn.BatchNorm2d(8),
        nn.SiLU(),
        nn.Conv2d(8, 16, 3, padding=1, groups=8),
        nn.AvgPool2d(2),
        nn.GELU(),
        nn.Conv2d(16, 6, 1, groups=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(6, 3),
        nn.LogSoftmax(dim=1),
    )


def dense() -> nn.Module:
    def run(net: Net, x: Tensor) -> Tensor:
        h = torch.cat([x, net.first(x).tanh()], dim=-1)
        h = torch.cat([net.second(h).tanh(), h], dim=1)
        return net.third(h * torch.tensor([0.0, *[2.0] * 11]).double()).sigmoid()

    return Net(
        run, first=nn.Linear(4, 5), second=nn.Linear(9, 3), third=nn.Linear(12, 2)
    )


def gated() -> nn.Module:
    def run(net: Net, x: Tensor) -> Tensor:
        h = net.first(x).tanh()
        gate = net.gate(h.mean((2, 3), keepdim=True)).sigmoid()
        return net.output((h * gate).flatten(2).mean(2))

    return Net(
        run,
        first=nn.Conv2d(1, 4, 3),
        gate=nn.Conv2d(4, 4, 1),
        output=nn.Linear(4, 2),
    )


def one_dimensional() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(3, 6, 3, padding=1),
        nn.InstanceNorm1d(6, affine=True),
        nn.AvgPool1d(2),
        nn.Tanh(),
        nn.Conv1d(6, 4, 3, dilation=2, padding=2),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(16, 3),
    )


def three_dimensional() -> nn.Module:
    layers = nn.Conv3d(2, 3, 2), nn.AvgPool3d(2), nn.Tanh(), nn.Conv3d(3, 2, 1)
    return nn.Sequential(*layers)


def pixels() -> nn.Module:
    layers = nn.Linear(12, 4), nn.PReLU(4), nn.Linear(4, 2)
    return nn.Sequential(nn.Tanh(), nn.Flatten(), nn.BatchNorm1d(12), *layers)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (mlp, (5,)),
        (residual, (2, 4, 4)),
        (two_flattened, (2, 4, 4)),
        (grouped, (4, 9, 9)),
        (dense, (4,)),
        (gated, (1, 5, 5)),
        (one_dimensional, (3, 8)),
        (three_dimensional, (2, 5, 5, 5)),
        (pixels, (3, 2, 2)),
    ],
)
def test_edges_are_what_silencing_a_unit_changes(
    make: Callable[[], nn.Module], shape: tuple[int, ...]
) -> None:
    model = make().double()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.InstanceNorm1d):
                module.weight.normal_()[1] = 0.0
                module.bias.normal_()
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_().mul_(torch.rand(parameter.shape) < 0.4)
    inputs = torch.randn(3, *shape, dtype=torch.float64)
    graph = trace(model, inputs)
    found = edges_by_silencing(model, inputs, graph)
    computed = np.array([kind != "junction" for kind in graph.kinds])[graph.layer_of]
    table = through_junctions(graph)[computed][:, computed]
    np.testing.assert_array_equal(table, found)
    assert found.any() and not found[: graph.sizes[0], graph.sizes[0] :].all()


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


def test_coverage_of_a_traced_model_is_complete() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.ReLU())
    assert read(model, torch.zeros(1, 3)).coverage == {
        "parameters": 12,
        "exact": 1.0,
        "approximated": 0.0,
        "layers": [
            {"name": "0", "kind": "Linear", "parameters": 8, "coverage": "exact"},
            {"name": "1", "kind": "BatchNorm1d", "parameters": 4, "coverage": "exact"},
        ],
    }


def test_coverage_counts_what_lies_under_a_parametrization() -> None:
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 2)))
    found = read(model, torch.zeros(1, 3)).coverage
    assert found["parameters"] == sum(p.numel() for p in model.parameters())
    assert found["exact"] == 1.0


def test_a_sum_of_more_than_two_units_becomes_a_unit_of_a_junction() -> None:
    model = Net(
        lambda net, x: net.output(net.a(x) + net.b(x) + x),
        a=weigh(nn.Linear(2, 2), [[1, 0], [0, 0]]),
        b=weigh(nn.Linear(2, 2), [[0, 1], [0, 0]]),
        output=weigh(nn.Linear(2, 1), [[1, 0]]),
    )
    graph = trace(model, torch.zeros(1, 2))
    # Inputs 0, 1; a 2, 3; b 4, 5; sums 6, 7; output 8.
    assert graph.names == ("inputs", "a", "b", "model sum", "output")
    assert graph.kinds[3] == "junction"
    assert edges(graph) == [
        (0, 2),
        (0, 6),
        (1, 4),
        (1, 7),
        (2, 6),
        (3, 7),
        (4, 6),
        (5, 7),
        (6, 8),
    ]


def test_outputs_that_are_a_mixture_make_a_layer_of_their_own() -> None:
    model = Net(lambda net, x: net.a(x) + x, a=weigh(nn.Linear(2, 2), [[1, 0], [0, 0]]))
    graph = trace(model, torch.zeros(1, 2))
    assert graph.names == ("inputs", "a", "outputs")
    assert graph.kinds == ("input", "linear", "output")
    assert edges(graph) == [(0, 2), (0, 4), (1, 5), (2, 4), (3, 5)]


def test_several_inputs_and_outputs_follow_each_other() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = weigh(nn.Linear(1, 1), [[1]])
            self.b = weigh(nn.Linear(2, 2), [[1, 0], [0, 1]])

        def forward(self, left: Tensor, *, right: Tensor) -> dict[str, Tensor]:
            return {"b": self.b(right), "a": (self.a(left), None)}

    given = {"left": torch.zeros(1, 1), "right": torch.zeros(1, 2)}
    graph = trace(Two(), given)
    # Inputs 0 to 2; b 3, 4; a 5; outputs 6, 7 of b and 8 of a.
    assert graph.sizes == (3, 2, 1, 3)
    assert edges(graph) == [(0, 5), (1, 3), (2, 4), (3, 6), (4, 7), (5, 8)]


def test_a_layer_that_runs_twice_is_there_twice() -> None:
    model = Net(
        lambda net, x: net.a(net.a(x)), a=weigh(nn.Linear(2, 2), [[0, 1], [0, 0]])
    )
    graph = trace(model, torch.zeros(1, 2))
    assert graph.names == ("inputs", "a", "a #2")
    assert edges(graph) == [(1, 2), (3, 4)]


def test_a_free_parameter_is_a_layer_under_its_own_name() -> None:
    model = Net(lambda net, x: x @ net.mixing)
    model.mixing = nn.Parameter(torch.tensor([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]]))
    graph = trace(model, torch.zeros(1, 2))
    assert graph.names == ("inputs", "mixing")
    assert edges(graph) == [(0, 2), (0, 4), (1, 4)]


def test_a_layer_that_nothing_reads_has_no_part_in_the_graph() -> None:
    model = Net(lambda net, x: net.a(x), a=nn.Linear(2, 1), unused=nn.Linear(2, 2))
    found = read(model, torch.zeros(1, 2))
    assert found.graph.names == ("inputs", "a")
    assert found.coverage["exact"] == 1.0
    assert found.coverage["layers"][1]["reason"] == "the outputs do not depend on it"


def test_an_output_layer_that_runs_early_comes_last() -> None:
    def run(net: Net, x: Tensor) -> Tensor:
        made = net.output(x)
        net.other(x)
        return made

    graph = trace(
        Net(run, output=nn.Linear(1, 2), other=nn.Linear(1, 3)), torch.ones(1, 1)
    )
    assert graph.names == ("inputs", "other", "output")
    assert graph.live_units().tolist() == [True, False, False, False, True, True]
    assert edges(graph) == [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5)]


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


def test_what_a_model_takes_out_of_torch_is_not_covered() -> None:
    def run(net: Net, x: Tensor) -> Tensor:
        scale = 2.0 if net.b(x).sum().item() > 0 else 1.0
        return net.a(x) * scale + torch.tensor(x.tolist())

    model = Net(run, a=nn.Linear(2, 2), b=nn.Linear(2, 2))
    layers = read(model, torch.zeros(1, 2)).coverage["layers"]
    assert layers[0]["name"] == "model" and layers[0]["coverage"] == "not covered"
    assert "decides by the values" in layers[0]["reason"]
    assert "takes numbers out of torch ('tolist')" in layers[0]["reason"]


def test_an_operation_without_a_rule_mixes_all_and_says_so() -> None:
    model = Net(lambda net, x: net.b(torch.fft.rfft(net.a(x)).real), a=nn.Linear(2, 4))
    model.b = weigh(nn.Linear(3, 1), [[1, 0, 0]])
    found = read(model, torch.zeros(1, 2))
    assert found.graph.sizes == (2, 4, 1, 1)
    assert found.coverage["layers"][0]["coverage"] == "approximated"
    assert "'_fft_r2c'" in found.coverage["layers"][0]["reason"]


def test_a_softmax_at_the_end_leaves_the_outputs_exact() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Softmax(-1))
    assert [
        x["coverage"] for x in read(model, torch.zeros(1, 2)).coverage["layers"]
    ] == ["exact"]
    inner = nn.Sequential(nn.Linear(2, 2), nn.Softmax(-1), nn.Linear(2, 2))
    layers = read(inner, torch.zeros(1, 2)).coverage["layers"]
    assert [x["coverage"] for x in layers] == ["exact", "approximated", "exact"]


@pytest.mark.parametrize(
    ("run", "sizes"),
    [
        (lambda net, x: (net.a(x) + x).squeeze(0), 3),
        (lambda net, x: net.a(x)[0] + x[0], 3),
        (lambda net, x: net.a(x).sum(-1) + x.sum(-1), 1),
        (lambda net, x: (net.a(x) + x).sum(), 1),
        (lambda net, x: (net.a(x) + x)[:, None, :].repeat(1, 2, 1), 3),
    ],
)
def test_outputs_without_a_batch_axis_keep_all_their_units(run, sizes) -> None:
    model, x = Net(run, a=nn.Linear(3, 3)).double(), torch.zeros(1, 3).double()
    found = read(model, x, verify=True)
    assert found.graph.sizes[-1] == sizes
    assert found.graph.live_units().all()
    assert found.coverage["verified"]["missed"] == 0
    assert found.coverage["verified"]["unseen"] == 0


def test_chance_does_not_cut_edges() -> None:
    def run(net: Net, x: Tensor) -> Tensor:
        h = functional.dropout(net.a(x), 0.5, training=True) * (torch.rand(4) > 0.5)
        return net.b(h + torch.bernoulli(torch.sigmoid(net.a(x))))

    model = Net(run, a=nn.Linear(2, 4), b=nn.Linear(4, 1))
    graph = trace(model, torch.zeros(1, 2))
    table = through_junctions(graph)
    assert graph.names[:3] == ("inputs", "a", "a #2")
    assert table[2:10, graph.units(graph.depth - 1)].all()


def test_a_softmax_that_is_read_as_well_is_not_exact() -> None:
    def run(net: Net, x: Tensor) -> tuple[Tensor, Tensor]:
        shares = net.a(x).softmax(-1)
        return shares, net.b(shares)

    model = Net(run, a=nn.Linear(3, 3), b=nn.Linear(3, 2))
    layers = read(model, torch.zeros(1, 3)).coverage["layers"]
    assert layers[0]["coverage"] == "approximated"


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


def test_tensors_in_dataclasses_and_named_tuples_are_inputs_and_outputs() -> None:
    Pair = namedtuple("Pair", "left right")

    @dataclass
    class Holder:
        value: Tensor

    class Takes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(2, 1)

        def forward(self, pair: Pair, holder: Holder) -> Holder:
            holder.value.mul_(2)
            return Holder(self.a(pair.left) + pair.right + holder.value)

    x = torch.ones(1, 1)
    given = (Pair(torch.ones(1, 2), torch.ones(1, 1)), Holder(x))
    graph = trace(Takes(), given)
    assert graph.sizes[0] == 4 and graph.live_units().all()
    assert x.item() == 1.0


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_a_scripted_model_is_traced_as_it_was_written() -> None:
    model = torch.jit.script(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).eval())
    found = read(model, torch.zeros(1, 2))
    assert found.graph.sizes == (2, 2)
    assert found.graph.edge_count == 4


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
