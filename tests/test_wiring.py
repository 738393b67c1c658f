"""What the columns of each layer carry, and what is refused by name."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sculpt_plugin.errors import ModelError, TraceError
from sculpt_plugin.tracing.passing import INPUTS, PIXELS
from sculpt_plugin.tracing.wiring import wire


class Net(nn.Module):
    """Layers by name and a forward given as a function of the net and its input."""

    def __init__(self, run: Callable, **layers: object) -> None:
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def convolution(run: Callable) -> nn.Module:
    """Put an operation between a convolution of 2 to 4 channels and the last layer."""
    return Net(
        lambda net, x: net.last(run(net.conv(x))),
        conv=nn.Conv2d(2, 4, 1),
        last=nn.LazyLinear(3),
    )


def test_flattened_branches_next_to_each_other_keep_their_own_widths() -> None:
    model = Net(
        lambda net, x: net.last(
            torch.cat([net.wide(x).flatten(1), net.narrow(x).flatten(1)], 1)
        ),
        wide=nn.Conv1d(2, 2, 1),
        narrow=nn.Conv1d(2, 1, 1, stride=2),
        last=nn.Linear(10, 1),
    )
    wide, narrow = wire(model, torch.zeros(1, 2, 4)).layers[2].reads
    assert (wide.source, narrow.source) == (1, 2)
    assert wide.units.tolist() == [0] * 4 + [1] * 4 + [-1] * 2
    assert narrow.units.tolist() == [-1] * 8 + [0] * 2


def test_layers_come_in_the_order_in_which_they_run() -> None:
    model = Net(lambda net, x: net.a(net.b(x)), a=nn.Linear(2, 1), b=nn.Linear(3, 2))
    layers = wire(model, torch.zeros(1, 3)).layers
    assert [(layer.name, layer.kept.shape) for layer in layers] == [
        ("b", (2, 3)),
        ("a", (1, 2)),
    ]


def test_inputs_are_channels_until_they_are_flattened() -> None:
    convolution = wire(nn.Sequential(nn.Conv1d(2, 1, 1)), torch.zeros(1, 2, 3))
    linear = wire(nn.Sequential(nn.Flatten(), nn.Linear(6, 1)), torch.zeros(1, 2, 3))
    assert convolution.layers[0].reads[0].source == INPUTS
    assert linear.layers[0].reads[0].source == PIXELS
    assert linear.layers[0].reads[0].units.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_grouped_weight_is_spread_over_the_real_channels() -> None:
    layer = nn.Conv1d(4, 2, 1, groups=2)
    kept = wire(layer, torch.zeros(1, 4, 1)).layers[0].kept
    np.testing.assert_array_equal(kept, np.array([[1, 1, 0, 0], [0, 0, 1, 1]], bool))


def test_a_frozen_model_is_wired_even_where_autograd_is_off() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)).requires_grad_(False)
    with torch.no_grad():
        assert len(wire(model, torch.zeros(1, 2)).layers) == 2
    with torch.inference_mode():
        assert len(wire(model, torch.zeros(1, 2)).layers) == 2


def test_a_tuple_of_one_tensor_is_that_tensor() -> None:
    assert wire(nn.Linear(2, 1), (torch.zeros(1, 2),)).input_shape == (2,)


@pytest.mark.parametrize(
    "run",
    [
        lambda h: nn.ReLU(inplace=True)(h).flatten(1),
        lambda h: functional.max_pool2d(h, 2).flatten(1),
        lambda h: functional.adaptive_avg_pool2d(h, 1).squeeze(-1).squeeze(-1),
        lambda h: functional.adaptive_max_pool2d(h, (2, 1)).view(h.shape[0], -1),
        lambda h: functional.gelu(h).sum((-1, -2)),
        lambda h: h.amax((2, 3)).clamp(0, 1) ** 2 / 3 - 1,
        lambda h: (h.reshape(2, 4, 4) * torch.ones(4, 1)).mean(-1),
        lambda h: functional.max_pool1d(h.flatten(2), 2).flatten(1),
        lambda h: functional.dropout(h, training=False).double().float().flatten(1),
        lambda h: h.unsqueeze(2).flatten(2).mean(2),
        lambda h: (h + torch.zeros_like(h) - h.new_ones(1)).flatten(1),
    ],
)
def test_operations_that_keep_channels_apart_pass_them_on(run: Callable) -> None:
    model = convolution(run)
    inputs = torch.randn(2, 2, 2, 2)
    model(inputs)
    (link,) = wire(model, inputs).layers[1].reads
    assert link.source == 1
    width = len(link.units) // 4
    assert link.units.tolist() == [unit for unit in range(4) for _ in range(width)]


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda h: h.permute(0, 2, 3, 1).flatten(1), "'permute' after 'conv'"),
        (lambda h: h.transpose(1, 2).flatten(1), "'transpose' after 'conv'"),
        (lambda h: h[:, 1:].flatten(1), "'slice' after 'conv'"),
        (lambda h: h[:, 0].flatten(1), "'select' after 'conv'"),
        (lambda h: h.flatten(1).chunk(2, 1)[0], "'split' after 'conv'"),
        (lambda h: h.mean(1).flatten(1), r"'mean' after 'conv' .* reduces axes \[1\]"),
        (lambda h: h.amax((1, 2)), r"'amax' .* reduces axes \[1, 2\]"),
        (lambda h: h.flatten(1).softmax(1), "'softmax' after 'conv'"),
        (lambda h: h.flatten(1) @ torch.eye(16), "'mm' after 'conv'"),
        (lambda h: h.flatten(2).bmm(h.flatten(2)).flatten(1), "'bmm' after 'conv'"),
        (lambda h: h.view(2, 8, 2).flatten(1), r"turns shape \[2, 4, 2, 2\] into"),
        (lambda h: h.flatten(0, 1), r"'view' .* into \[8, 2, 2\]"),
        (lambda h: torch.stack([h, h], 1).flatten(1), "'stack' after 'conv'"),
        (lambda h: torch.cat([h, torch.ones(2, 4, 2, 2)], 1).flatten(1), "'cat' .*one"),
        (lambda h: torch.cat([h, h], 0).flatten(1), "'cat' .* along the batch axis"),
        (lambda h: h[:, [1, 0, 3, 2]].flatten(1), "'index' after 'conv'"),
        (lambda h: (h * h[:, :1]).flatten(1), "'slice' after 'conv'"),
        (lambda h: (h * h.new_ones(2, 1, 1, 1, 1)).flatten(1), "spreads shape"),
        (lambda h: h.repeat(1, 2, 1, 1).flatten(1), "'repeat' after 'conv'"),
        (lambda h: h.cumsum(1).flatten(1), "'cumsum' after 'conv'"),
        (lambda h: h.flip(1).flatten(1), "'flip' after 'conv'"),
        (lambda h: (h.flatten(2)[:, :1] + h.flatten(2)).flatten(1), "'slice'"),
        (lambda h: (h * torch.rand(2, 4, 2, 2)).flatten(1), "factor of shape"),
        (lambda h: functional.glu(h, 1).flatten(1), "'glu' after 'conv'"),
        (lambda h: functional.layer_norm(h, h.shape[1:]).flatten(1), "'native_layer"),
        (lambda h: functional.max_pool2d(h.flatten(2), 2).flatten(1), "pools 2 axes"),
        (lambda h: h.where(h.isfinite(), h * 0).flatten(1), "'isfinite' is not"),
        (lambda h: h.detach().flatten(1) + h.flatten(1), "'detach' is not"),
        (lambda h: (h.data + h).flatten(1), "'data' is not"),
        (lambda h: (h * h.mean().item()).flatten(1), "'item' is not"),
        (lambda h: (h * (h.sum() > 0)).flatten(1), "'gt' is not|'__gt__' is not"),
        (lambda h: h.movedim(1, -1), "'permute' after 'conv'"),
        (lambda h: h.flatten(2), "'last' .* 2 axes.* gets shape"),
    ],
)
def test_operations_that_might_mix_channels_are_refused_by_name(
    run: Callable, message: str
) -> None:
    model = convolution(run)
    inputs = torch.randn(2, 2, 2, 2)
    model(inputs)
    with pytest.raises(TraceError, match=message):
        wire(model, inputs)


def twice(net: Net, x: Tensor) -> Tensor:
    return net.b(net.a(net.a(x)))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Net(twice, a=nn.Linear(2, 2), b=nn.Linear(2, 1)), "'a' must run once"),
        (
            Net(lambda n, x: n.a(x) + n.b(x), a=nn.Linear(2, 2), b=nn.Linear(2, 2)),
            "made of 'a' and 'b'",
        ),
        (Net(lambda n, x: n.a(x) + x, a=nn.Linear(2, 2)), "the inputs and 'a'"),
        (Net(lambda n, x: (n.a(x), x), a=nn.Linear(2, 2)), "returns tuple"),
        (Net(lambda n, x: {"y": n.a(x)}, a=nn.Linear(2, 2)), "returns dict"),
        (
            Net(lambda n, x: n.a(x), a=nn.Linear(2, 2), b=nn.Linear(2, 2)),
            "does not depend on 'b'",
        ),
        (
            Net(
                lambda n, x: n.a(x + 0 * n.b(x)[0]),
                a=nn.Linear(2, 2),
                b=nn.Linear(2, 2),
            ),
            "'select' after 'b'",
        ),
        (
            Net(
                lambda n, x: n.a(x) + n.b(torch.ones(1, 2)),
                a=nn.Linear(2, 2),
                b=nn.Linear(2, 2),
            ),
            r"'b' \(Linear\) must read the inputs",
        ),
        (
            Net(lambda n, x: functional.linear(n.a(x), n.a.weight), a=nn.Linear(2, 2)),
            "Parameter 'a.weight' must be used by its own layer",
        ),
        (
            Net(lambda n, x: n.a(x) * n.scale, a=nn.Linear(2, 2), scale=nn.Parameter()),
            r"Layer 'model' is Net, whose own parameters \(scale\)",
        ),
        (
            Net(lambda n, x: torch.no_grad()(n.a)(x), a=nn.Linear(2, 2)),
            "autograd sees none",
        ),
    ],
)
def test_models_that_are_no_graph_of_layers_are_refused_by_name(
    model: nn.Module, message: str
) -> None:
    with pytest.raises(TraceError, match=message):
        wire(model, torch.zeros(1, 2))


def test_a_layer_that_a_mode_hides_is_not_lost() -> None:
    model = Net(
        lambda net, x: net.b(x) + net.a(x) if net.training else net.b(x),
        a=nn.Linear(2, 1),
        b=nn.Linear(2, 1),
    )
    with pytest.raises(TraceError, match="does not depend on 'a'"):
        wire(model, torch.zeros(1, 2))


@pytest.mark.parametrize("kind", ["weight", "bias"])
@pytest.mark.parametrize("place", [0, 1])
def test_numbers_that_are_not_finite_are_refused(kind: str, place: int) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    with torch.no_grad():
        getattr(model[place], kind)[0] = float("nan")
    with pytest.raises(TraceError, match=f"'{place}' must have finite .* {kind}"):
        wire(model, torch.zeros(2, 2))


def test_a_model_without_values_is_refused() -> None:
    with pytest.raises(ModelError, match="meta device and has no weight values"):
        wire(nn.Linear(2, 1, device="meta"), torch.zeros(1, 2, device="meta"))
