"""What tracing refuses before it runs anything."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from sculpt_plugin.errors import ModelError, TraceError
from sculpt_plugin.tracing.traceable import checked, class_name, parts, refusal


class Doubling(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) * 2


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.LayerNorm(2), "Layer '1' is LayerNorm, which mixes all units"),
        (nn.GroupNorm(1, 2), "Layer '1' is GroupNorm, which mixes all units"),
        (
            nn.Embedding(2, 2),
            r"Layer '1' is Embedding, whose own parameters \(weight\)",
        ),
        (nn.LSTM(2, 2), "Layer '1' is LSTM, whose own parameters"),
        (nn.MultiheadAttention(2, 1), "Layer '1' is MultiheadAttention, whose own"),
        (nn.ConvTranspose2d(2, 2, 1), "Layer '1' is ConvTranspose2d, whose own"),
        (nn.Bilinear(2, 2, 2), "Layer '1' is Bilinear, whose own"),
        (Doubling(2, 2), "Layer '1' is Doubling, whose forward is not torch's own"),
    ],
)
def test_layers_without_units_of_their_own_are_refused_by_name(
    layer: nn.Module, message: str
) -> None:
    with pytest.raises(TraceError, match=message):
        checked(nn.Sequential(nn.Linear(2, 2), layer), torch.zeros(1, 2))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"x": torch.zeros(1, 2)}, "must be one tensor .* got dict of 1"),
        ((torch.zeros(1, 2), torch.zeros(1, 2)), "got tuple of 2"),
        ([[0.0, 1.0]], "got list"),
        (None, "got NoneType"),
        (torch.zeros(2), r"got shape \[2\]: for one sample"),
        (torch.zeros(0, 2), r"neither empty, got shape \[0, 2\]"),
        (torch.zeros(1, 2, dtype=torch.float64), "float32, got torch.float64"),
        (torch.zeros(1, 2, dtype=torch.int64), "float32, got torch.int64"),
        (torch.zeros(1, 2, device="meta"), "device 'cpu', got 'meta'"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        checked(nn.Linear(2, 1), inputs)


def test_a_model_must_be_a_module() -> None:
    with pytest.raises(ModelError, match=r"must be a torch.nn.Module, got dict"):
        checked({}, torch.zeros(1, 2))


def test_a_model_must_have_weighted_layers() -> None:
    with pytest.raises(TraceError, match=r"weighted layers .* Sequential has none"):
        checked(nn.Sequential(nn.ReLU()), torch.zeros(1, 2))


def test_a_layer_without_shape_is_refused() -> None:
    with pytest.raises(ModelError, match=r"'0.weight' has no shape yet: run the model"):
        checked(nn.Sequential(nn.LazyLinear(2)), torch.zeros(1, 2))


def test_a_replaced_forward_is_refused() -> None:
    layer = nn.Linear(2, 1)
    layer.forward = lambda x: x  # type: ignore[method-assign]
    assert refusal(layer) == (
        "whose forward is not torch's own: give its class another base"
    )


def test_a_parametrization_is_no_part_and_gives_no_name() -> None:
    model = nn.Sequential(parametrizations.orthogonal(nn.Linear(2, 2)))
    assert [(name, class_name(part)) for name, part in parts(model)] == [
        ("model", "Sequential"),
        ("0", "Linear"),
    ]
