import json
from collections import OrderedDict

import pytest
import torch
from networks import Chain, Residual, mlp, warmed
from safetensors import safe_open
from test_masks import some_masks
from torch import nn

from sculpt_plugin.errors import CheckpointError, ModelError
from sculpt_plugin.loading import load_model
from sculpt_plugin.pruning.compaction import compact
from sculpt_plugin.pruning.keeping import (
    load_kept,
    load_masks,
    save_compacted,
    save_masks,
    save_model,
)
from sculpt_plugin.pruning.masks import apply


def test_masks_come_back_as_they_were(tmp_path):
    model, inputs = warmed(Residual)
    masks = some_masks(model, inputs)
    save_masks(tmp_path / "masks", masks)
    again = load_masks(tmp_path / "masks")
    assert again.weights == masks.weights
    assert all(torch.equal(again.keep[n], keep) for n, keep in masks.keep.items())


def compacted(model, inputs):
    masks = some_masks(model, inputs)
    apply(model, masks)
    return compact(model, inputs, masks=masks)


def test_a_compacted_model_comes_back_with_its_original_numbers(tmp_path):
    model, inputs = warmed(Chain)
    small = compacted(model, inputs)
    save_compacted(tmp_path / "small", small, model)
    kept = load_kept(tmp_path / "small")
    state = small.model.state_dict()
    assert set(kept.tensors) == set(state)
    assert all(torch.equal(kept.tensors[name], x) for name, x in state.items())
    assert kept.sizes["layers.0"] == 7
    assert kept.units["layers.0"] == small.units["layers.0"].tolist()


class Flat(nn.Sequential):
    """A class of the user's own: its name and what it is built of are in no file."""

    def __init__(self):
        hidden = nn.Linear(4, 6), nn.ReLU(), nn.Dropout(), nn.Linear(6, 3)
        super().__init__(nn.Flatten(), *hidden)


@pytest.mark.parametrize("kind", [Flat, lambda: mlp(4, 6, 5, 3)])
def test_a_chain_that_is_saved_is_opened_as_the_same_function(kind, tmp_path):
    model, inputs = kind().eval(), torch.randn(5, 4)
    save_compacted(tmp_path / "small.safetensors", compacted(model, inputs), model)
    again = load_model(tmp_path / "small.safetensors").model
    assert torch.allclose(again(inputs), model(inputs), atol=1e-6)


def with_activation(activation):
    return nn.Sequential(nn.Linear(4, 6), activation, nn.Linear(6, 3))


OTHERS = {
    "Tanh": lambda: with_activation(nn.Tanh()),
    "GELU": lambda: with_activation(nn.GELU()),
    "LeakyReLU": lambda: with_activation(nn.LeakyReLU()),
    "ReLU6": lambda: with_activation(nn.ReLU6()),
    "Softmax": lambda: nn.Sequential(*mlp(4, 6, 3), nn.Softmax(1)),
    "sorted otherwise": lambda: nn.Sequential(
        OrderedDict(b2=nn.Linear(4, 4), relu=nn.ReLU(), b1=nn.Linear(4, 4))
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_would_be_opened_as_another_function_is_not_saved(kind, tmp_path):
    model = OTHERS[kind]()
    small = compacted(model, torch.randn(5, 4))
    with pytest.raises(ModelError, match="must be a chain of Linear layers") as caught:
        save_compacted(tmp_path / "small.safetensors", small, model)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_what_could_not_be_opened_is_not_saved(tmp_path):
    model, inputs = warmed(Residual)
    with pytest.raises(ModelError, match=r"torch\.save\(compacted\.model, path\)"):
        save_compacted(tmp_path / "small", compacted(model, inputs), model)


def test_the_file_is_safetensors_with_json_for_anyone_to_read(tmp_path):
    model, _ = warmed(Chain)
    save_model(tmp_path / "model.safetensors", model)
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["sculpt"])["format"] == "sculpt-model/1"
        assert set(file.keys()) == set(model.state_dict())


def test_a_file_of_another_kind_is_refused(tmp_path):
    model, inputs = warmed(Chain)
    save_masks(tmp_path / "masks", some_masks(model, inputs))
    with pytest.raises(
        CheckpointError, match="must be a file of format sculpt-model/1"
    ):
        load_kept(tmp_path / "masks")


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be read") as caught:
        load_masks(tmp_path / "nothing")
    assert "\n" not in str(caught.value)
