"""An oracle for traced edges: silencing each unit in the real model."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from silencing import through_junctions
from torch import Tensor, nn
from weighed_by_hand import Net

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.trace import trace


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
