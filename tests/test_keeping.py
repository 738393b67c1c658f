import json

import pytest
import torch
from networks import Chain, Residual, warmed
from safetensors import safe_open
from test_masks import some_masks

from sculpt_plugin.errors import CheckpointError
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


def test_a_compacted_model_comes_back_with_its_original_numbers(tmp_path):
    model, inputs = warmed(Residual)
    masks = some_masks(model, inputs)
    apply(model, masks)
    small = compact(model, inputs, masks=masks)
    save_compacted(tmp_path / "small", small, model)
    kept = load_kept(tmp_path / "small")
    state = small.model.state_dict()
    assert set(kept.tensors) == set(state)
    assert all(torch.equal(kept.tensors[name], x) for name, x in state.items())
    assert kept.sizes["conv1"] == 5
    assert kept.units["conv1"] == small.units["conv1"].tolist()


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
