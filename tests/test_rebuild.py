"""Layers built from records behave like those that were saved."""

from pathlib import Path
from typing import Any

import pytest
import torch
from model_files import save
from torch import nn
from torch.nn.utils import prune

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.pickles import Record, read_pickle
from sculpt_plugin.files.rebuild import KNOWN_NAMES, LAYERS, rebuild


def again(model: nn.Module, folder: Path) -> nn.Module:
    record = read_pickle(save(model, folder / "model.pt"), names=KNOWN_NAMES)
    assert isinstance(record, Record)
    return rebuild(record)


@pytest.mark.parametrize(
    "model, shape",
    [
        (
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten()),
            (2, 1, 5, 5),
        ),
        (nn.Sequential(nn.Linear(3, 2), nn.GELU(), nn.LayerNorm(2)), (4, 3)),
        (nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True), (1, 3, 8)),
        (nn.TransformerEncoderLayer(8, 2, 16, 0.0, activation="gelu"), (1, 3, 8)),
        (nn.GRU(3, 4), (5, 1, 3)),
        (nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), nn.Upsample(2)), (1, 1, 4, 4)),
    ],
)
def test_rebuilt_model_computes_the_same(
    tmp_path: Path, model: nn.Module, shape: tuple[int, ...]
) -> None:
    inputs = torch.randn(shape)
    rebuilt = again(model, tmp_path)
    torch.testing.assert_close(rebuilt(inputs), model(inputs), rtol=0, atol=0)
    assert str(rebuilt) == str(model)
    assert rebuilt.state_dict().keys() == model.state_dict().keys()


def test_shared_layers_and_tied_weights_stay_shared(tmp_path: Path) -> None:
    shared = nn.Linear(2, 2)
    tied = nn.Linear(2, 2)
    tied.weight = shared.weight
    rebuilt: Any = again(nn.Sequential(shared, nn.ReLU(), shared, tied), tmp_path)
    assert rebuilt[0] is rebuilt[2]
    assert rebuilt[0].weight is rebuilt[3].weight


@pytest.mark.parametrize("training", [False, True])
def test_mode_is_that_of_the_file(tmp_path: Path, training: bool) -> None:
    assert again(nn.Dropout().train(training), tmp_path).training is training


def test_layer_with_a_hook_is_refused_by_name(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    model[0]._forward_hooks[0] = nn.ReLU()
    with pytest.raises(LoadingError, match="'0' has one in '_forward_hooks'"):
        again(model, tmp_path)


def test_hook_that_only_looks_like_pruning_is_refused(tmp_path: Path) -> None:
    model = prune.l1_unstructured(nn.Linear(2, 2), "weight", amount=1)
    hook = nn.ReLU()
    hook._tensor_name = "weight"  # type: ignore[assignment]
    model._forward_pre_hooks[next(iter(model._forward_pre_hooks))] = hook
    with pytest.raises(LoadingError, match="must come without hooks"):
        again(model, tmp_path)


def test_attribute_that_hides_a_method_is_refused_by_name(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    model[0].__dict__["forward"] = nn.functional.relu
    with pytest.raises(
        LoadingError, match="'0' is one whose attribute 'forward' hides"
    ):
        again(model, tmp_path)


def test_lazy_and_parallel_layers_are_not_listed() -> None:
    assert not any("Lazy" in name or "parallel" in name for name in LAYERS)
