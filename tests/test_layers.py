"""Every layer of torch.nn is rebuilt as it was, and an unsound one is refused."""

from pathlib import Path

import pytest
import torch
from model_files import save
from torch import nn

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.layers import LAYERS, check_layer, occurrences
from sculpt_plugin.loading import load_model

ATTENTION = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True, activation="gelu")

SOUND = [
    nn.Linear(3, 2, bias=False),
    nn.Bilinear(2, 3, 4),
    nn.Conv1d(2, 4, 3, groups=2),
    nn.Conv2d(2, 4, 3, padding="same", bias=False),
    nn.Conv3d(1, 2, 1),
    nn.ConvTranspose1d(2, 3, 2),
    nn.ConvTranspose2d(2, 4, 2, output_padding=1, stride=2, groups=2),
    nn.ConvTranspose3d(2, 2, 2),
    nn.BatchNorm1d(3, affine=False),
    nn.BatchNorm3d(3, track_running_stats=False),
    nn.InstanceNorm2d(3, affine=True),
    nn.GroupNorm(2, 4),
    nn.LayerNorm([3, 4]),
    nn.LayerNorm(3, bias=False),
    nn.LayerNorm(3, elementwise_affine=False),
    nn.RMSNorm(4),
    nn.LocalResponseNorm(2),
    nn.Embedding(5, 3, padding_idx=0),
    nn.EmbeddingBag(5, 3),
    nn.MultiheadAttention(4, 2),
    nn.MultiheadAttention(4, 2, kdim=3, vdim=2, bias=False, add_bias_kv=True),
    ATTENTION,
    nn.TransformerEncoder(ATTENTION, 2, enable_nested_tensor=False),
    nn.Transformer(4, 2, 1, 1, 8, batch_first=True),
    nn.LSTM(2, 4, 2, bidirectional=True, proj_size=3),
    nn.GRU(2, 3, bias=False),
    nn.RNN(2, 3, nonlinearity="relu"),
    nn.LSTMCell(2, 3),
    nn.Sequential(nn.Identity(), nn.Flatten(), nn.Unflatten(1, (2, 2))),
    nn.ModuleList([nn.Linear(1, 1)]),
    nn.ModuleDict({"a": nn.ReLU()}),
    nn.ParameterList([torch.ones(2)]),
    nn.ParameterDict({"a": torch.ones(2)}),
    nn.PixelShuffle(2),
    nn.PixelUnshuffle(2),
    nn.ChannelShuffle(2),
    nn.Upsample(scale_factor=2.0, mode="bilinear", align_corners=True),
    nn.MaxPool2d(3, padding=1),
    nn.AvgPool1d(2),
    nn.AdaptiveAvgPool2d((None, 1)),
    nn.FractionalMaxPool2d(2, output_ratio=0.5),
    nn.ConstantPad2d(1, 0.0),
    nn.ReflectionPad2d(2),
    nn.Unfold(2),
    nn.Dropout2d(0.3),
    nn.PReLU(3),
    nn.Hardtanh(-2, 2),
    nn.Softplus(2, 3),
    nn.Threshold(1, 2),
    nn.GLU(),
    nn.AdaptiveLogSoftmaxWithLoss(16, 10, [3, 5], div_value=2.0),
    nn.CrossEntropyLoss(weight=torch.ones(3)),
]


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
@pytest.mark.parametrize("kind", ["zip", "legacy"])
@pytest.mark.parametrize("layer", SOUND, ids=lambda layer: type(layer).__name__)
def test_layer_is_rebuilt_as_it_was(
    tmp_path: Path, layer: nn.Module, kind: str
) -> None:
    rebuilt = load_model(save(layer, tmp_path / "model.pt", kind)).model
    expected, found = layer.state_dict(), rebuilt.state_dict()
    assert str(rebuilt) == str(layer)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("layer", SOUND, ids=lambda layer: type(layer).__name__)
def test_sound_layer_passes_and_draws_no_random_numbers(layer: nn.Module) -> None:
    before = torch.get_rng_state()
    check_layer(layer, name="x")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "attribute, value, said",
    [
        ("in_channels", -4, "Conv2d refuses them"),
        ("groups", 0, "Conv2d refuses them"),
        ("out_channels", 6, r"'weight' has .*4, 2, 3, 3.* where Conv2d needs \(6, 2"),
        ("kernel_size", (2**40, 1), "its 'kernel_size' is above"),
    ],
)
def test_unsound_layer_is_refused_by_name(
    attribute: str, value: object, said: str
) -> None:
    layer = nn.Conv2d(4, 4, 3, groups=2)
    setattr(layer, attribute, value)
    with pytest.raises(LoadingError, match=f"in 'conv' .*{said}"):
        check_layer(layer, name="conv")


def test_layers_in_many_places_are_counted_at_each_up_to_a_limit() -> None:
    layer: nn.Module = nn.ReLU()
    for _ in range(100):
        layer = nn.Sequential(layer, layer)
    assert occurrences(layer, most=1000) == 1000


def test_lazy_and_parallel_layers_are_not_listed() -> None:
    assert not any("Lazy" in name or "parallel" in name for name in LAYERS)
