import os

import pytest
import torch
from safetensors.torch import save_file

from sculpt_plugin import store
from sculpt_plugin.errors import CheckpointError


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "file"
    store.write_bytes(path, b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        store.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_files_have_the_permissions_that_the_user_gives_new_files(tmp_path):
    (tmp_path / "plain").write_text("")
    store.write_bytes(tmp_path / "ours", b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_tensors_come_back_with_dtype_shape_and_metadata(tmp_path):
    tensors = {
        "a": torch.randn(3, 4).T,
        "b": torch.tensor([True, False]),
        "c": torch.tensor(5),
    }
    store.write_tensors(tmp_path / "x", tensors, metadata={"b": [1, 2], "a": None})
    found, metadata = store.read_tensors(tmp_path / "x")
    assert metadata == {"a": None, "b": [1, 2]}
    assert {n: x.dtype for n, x in found.items()} == {
        n: x.dtype for n, x in tensors.items()
    }
    assert all(torch.equal(found[name], x) for name, x in tensors.items())


def test_a_damaged_file_is_one_line(tmp_path):
    (tmp_path / "x").write_bytes(b"\xff" * 20)
    with pytest.raises(CheckpointError, match="must be a whole safetensors") as caught:
        store.read_tensors(tmp_path / "x")
    assert "\n" not in str(caught.value)


def test_metadata_nested_too_deep_is_damage(tmp_path):
    save_file({"x": torch.ones(1)}, tmp_path / "x", metadata={"sculpt": "[" * 10**5})
    with pytest.raises(CheckpointError, match="must be a whole safetensors"):
        store.read_tensors(tmp_path / "x")


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="a file is in the way"):
        store.make_folder(tmp_path / "file" / "below")
