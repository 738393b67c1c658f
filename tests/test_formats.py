"""Files that are no models, or programs: each refused in one line."""

import io
import json
import os
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_files import LEGACY, SAVED, archive, network, refusal, save

from sculpt_plugin.files.formats import recognise


def header(content: bytes, length: int | None = None) -> bytes:
    return (len(content) if length is None else length).to_bytes(8, "little") + content


def as_numpy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.ones(3))
    return file.getvalue()


BAD_OFFSETS = {"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 4]}}

BROKEN = {
    "empty": (b"", "is empty. Save or download"),
    "text": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "html": ("<!doctype html> größe".encode(), "is a web page"),
    "index": (b'{"metadata": {}, "weight_map": {"a": "model-00001.st"}}', "save_file"),
    "json": (b'{"epoch": 3}', "is JSON. Pass the file with the weights"),
    "onnx": (b"\x08\x07\x12\x07pytorch\x1a\x052.1.0", "is an ONNX graph"),
    "numpy": (as_numpy(), "is a NumPy array"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(64), "HDF5"),
    "gzip": (b"\x1f\x8b\x08" + bytes(64), "unpack it first"),
    "noise": (b"\x01\x02\x03" * 40, "starts like none"),
    "plain pickle": (pickle.dumps({"fc.weight": 1}), "torch.save did not write"),
    "pickle of protocol 0": (pickle.dumps([1, 2], protocol=0), "is text"),
    "truncated zip": (SAVED.getvalue()[:-100], "is cut off or damaged"),
    "zip magic alone": (b"PK\x03\x04", "is cut off or damaged"),
    "truncated legacy": (LEGACY.getvalue()[:-100], "damaged or made by hand"),
    "legacy magic alone": (LEGACY.getvalue()[:20], "damaged or made by hand"),
    "header no JSON": (header(b"{nonsense}"), "header is damaged"),
    "header cut": (header(b'{"a":', length=400), "header is damaged"),
    "header huge": (header(b"{}", length=2**62), "header is damaged"),
    "header beyond content": (header(json.dumps(BAD_OFFSETS).encode()), "damaged"),
}


@pytest.mark.parametrize("content, said", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_broken_file_is_refused_in_one_line(
    tmp_path: Path, content: bytes, said: str, suffix: str
) -> None:
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(content)
    text = refusal(path)
    assert said in text
    assert text.startswith(str(path))


def test_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    assert "is not there. Check the path" in refusal(tmp_path / "model.pt")


def test_folder_is_said_to_be_a_folder(tmp_path: Path) -> None:
    assert "is a folder. Name the file in it" in refusal(tmp_path)


def test_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.pt")
    assert "is a device or a pipe" in refusal(tmp_path / "model.pt")


def test_unreadable_file_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(network().state_dict(), tmp_path / "model.pt")

    # Permissions do not stop a superuser, who may be running this.
    def denied(*_: Any) -> Any:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(Path, "open", denied)
    assert "cannot be read (Permission denied)" in refusal(path)


def test_path_with_a_null_character_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "a\0b")


@pytest.mark.parametrize("unsafe", [False, True])
@pytest.mark.parametrize(
    "members, said",
    [
        (["m/data.pkl", "m/constants.pkl", "m/code/net.py"], "TorchScript"),
        (["m/archive_format", "m/models/model.json"], "torch.export"),
        (["m/weights.npy"], "another zip archive"),
    ],
)
def test_archive_of_code_is_refused(
    tmp_path: Path, members: list[str], said: str, unsafe: bool
) -> None:
    path = archive(tmp_path / "model.pt", dict.fromkeys(members, b""))
    text = refusal(path, unsafe=unsafe)
    assert said in text
    assert "state dict" in text


@pytest.mark.parametrize("unsafe", [False, True])
def test_tar_of_the_first_format_is_refused(tmp_path: Path, unsafe: bool) -> None:
    path = tmp_path / "model.pt"
    with tarfile.open(path, "w") as file:
        for name in ("storages", "tensors", "pickle"):
            file.addfile(tarfile.TarInfo(name))
    assert "a tar file of PyTorch's first format" in refusal(path, unsafe=unsafe)


def test_compressed_archive_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    members = {"m/data.pkl": bytes(10**6)}
    path = archive(tmp_path / "model.pt", members, zipfile.ZIP_DEFLATED)
    assert "unpacks to 1000000 bytes" in refusal(path)


@pytest.mark.parametrize("length", [0x80, 0x180, 0x1F8B, 0x5A42])
def test_a_safetensors_header_may_have_any_length(tmp_path, length):
    """The length comes first in the file, and can look like another format's magic."""
    header = b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    padded = header + b" " * (length - len(header))
    content = length.to_bytes(8, "little") + padded + b"\0" * 4
    (tmp_path / "x").write_bytes(content)
    assert recognise(tmp_path / "x") == "safetensors"
