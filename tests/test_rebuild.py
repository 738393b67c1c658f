"""Layers built from records behave like those that were saved."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from model_files import save
from torch import nn
from torch.nn.utils import prune
from torch.optim.swa_utils import AveragedModel

from sculpt_plugin.errors import LoadingError, UnsafeFileError
from sculpt_plugin.files.pickles import read_pickle
from sculpt_plugin.files.rebuild import rebuild
from sculpt_plugin.files.unpickling import Record


class Keeper(nn.Module):
    """Keeps what vision models keep beside their layers."""

    def __init__(self) -> None:
        super().__init__()
        self.kind = nn.LayerNorm
        self.made = partial(nn.LayerNorm, eps=1e-3)
        self.number = torch.float16


def again(model: nn.Module, folder: Path) -> nn.Module:
    record = read_pickle(save(model, folder / "model.pt")).value
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


@pytest.mark.parametrize(
    "wrapper, inner", [(nn.DataParallel, "module"), (AveragedModel, "module")]
)
def test_model_in_a_wrapper_is_taken_out(
    tmp_path: Path, wrapper: Any, inner: str
) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    assert str(again(wrapper(model), tmp_path)) == str(model)


def test_recurrent_layer_computes_with_its_named_weights(tmp_path: Path) -> None:
    """The list beside the names could hold other weights."""
    model: Any = nn.LSTM(2, 3)
    expected = model(torch.ones(1, 2))[0]
    model.__dict__["_flat_weights"] = [nn.Parameter(-x) for x in model._flat_weights]
    rebuilt = again(model, tmp_path)
    torch.testing.assert_close(rebuilt(torch.ones(1, 2))[0], expected)


def test_allowed_class_may_keep_layer_classes_and_parts_of_calls(
    tmp_path: Path,
) -> None:
    model = Keeper()
    record = read_pickle(save(model, tmp_path / "model.pt")).value
    assert isinstance(record, Record)
    rebuilt: Any = rebuild(record, classes={record.path: Keeper})
    assert rebuilt.kind is nn.LayerNorm
    assert rebuilt.made(3).eps == 1e-3
    assert rebuilt.number is torch.float16


def test_class_and_what_hangs_on_it_are_named_together(tmp_path: Path) -> None:
    model = nn.Sequential(Keeper())
    with pytest.raises(UnsafeFileError, match=r"also holds '.*Keeper'\. Nothing"):
        again(model, tmp_path)
