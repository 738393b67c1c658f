"""Which layers a traced model has, and how far each of them is covered."""

from collections import namedtuple
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from weighed_by_hand import Net, edges, weigh

from sculpt_plugin.analysis.trace import read, trace


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


def test_a_softmax_that_is_read_as_well_is_not_exact() -> None:
    def run(net: Net, x: Tensor) -> tuple[Tensor, Tensor]:
        shares = net.a(x).softmax(-1)
        return shares, net.b(shares)

    model = Net(run, a=nn.Linear(3, 3), b=nn.Linear(3, 2))
    layers = read(model, torch.zeros(1, 3)).coverage["layers"]
    assert layers[0]["coverage"] == "approximated"


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
