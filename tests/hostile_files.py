"""The corpus of hostile and broken files: how each is made, what is said of it.

`python tests/hostile_files.py FOLDER` writes them all, for a look with other tools.
Some would harm a program that opens them with `torch.load(..., weights_only=False)`.
"""

import io
import json
import os
import struct
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hostile_models
import hostile_pickles
import numpy as np
import safetensors.torch
import torch
from model_files import SAVED, archive, torch_zip

# Writes a file; the second path must not be there afterwards.
Maker = Callable[[Path, Path], object]


def content(whole: bytes) -> Maker:
    return lambda path, _: path.write_bytes(whole)


def header(table: bytes, length: int | None = None) -> bytes:
    size = len(table) if length is None else length
    return size.to_bytes(8, "little") + table


def described(**entries: Any) -> bytes:
    """A safetensors file with a table of one's own, and 16 bytes."""
    return header(json.dumps(entries).encode()) + bytes(16)


def floats(shape: Any, start: Any = 0, end: Any = 16, dtype: str = "F32") -> Any:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def sparse_file(head: bytes, size: int) -> Maker:
    """A file that is large and takes no room."""

    def write(path: Path, _: Path) -> None:
        path.write_bytes(head)
        os.truncate(path, size)

    return write


def members(names: list[str], compression: int = 0) -> Maker:
    return lambda path, _: archive(path, dict.fromkeys(names, b""), compression)


def twice(first: str, second: str) -> Maker:
    """An archive with two members, one of which readers may take for the other."""

    def write(path: Path, _: Path) -> None:
        good = zipfile.ZipFile(io.BytesIO(SAVED.getvalue()))
        with zipfile.ZipFile(path, "w") as file:
            for entry in good.infolist():
                file.writestr(entry, good.read(entry))
            for name in (first, second):
                file.writestr(zipfile.ZipInfo(name), b"\x80\x02N.")

    return write


def edited(edit: Callable[[bytearray], None]) -> Maker:
    """A good archive with some bytes changed."""

    def write(path: Path, _: Path) -> None:
        whole = bytearray(SAVED.getvalue())
        edit(whole)
        path.write_bytes(whole)

    return write


def directory(whole: bytearray) -> int:
    return whole.index(b"PK\x01\x02")


def encrypt(whole: bytearray) -> None:
    whole[directory(whole) + 8] |= 1


def overlap(whole: bytearray) -> None:
    """Let the second member of the directory lie where the first does."""
    second = whole.index(b"PK\x01\x02", directory(whole) + 4)
    whole[second + 42 : second + 46] = bytes(4)


def outside(whole: bytearray) -> None:
    start = directory(whole)
    whole[start + 20 : start + 28] = struct.pack("<2I", 2**31, 2**31)


def other_method(whole: bytearray) -> None:
    whole[directory(whole) + 10] = 99


def far_directory(path: Path, _: Path) -> None:
    """An archive whose list of members should be 2 GiB long and far away."""
    whole = bytearray(archive(path, {"m/data.pkl": b"\x80\x02}."}).read_bytes())
    end = whole.rindex(b"PK\x05\x06")
    whole[end + 12 : end + 20] = struct.pack("<2I", 2**31, 2**31)
    path.write_bytes(whole)


def long_directory(path: Path, _: Path) -> None:
    """An archive whose list of members is longer than a sane one, and sparse."""
    size = 40 * MEBIBYTES
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, size, 4, 0)
    path.write_bytes(b"PK\x03\x04")
    os.truncate(path, 4 + size)
    with path.open("ab") as file:
        file.write(end)


def compressed(path: Path, _: Path) -> None:
    archive(path, {"m/data.pkl": bytes(10**7)}, zipfile.ZIP_DEFLATED)


def big_endian(path: Path, _: Path) -> None:
    names = {"m/data.pkl": b"\x80\x02}.", "m/byteorder": b"big"}
    archive(path, names)


def old_tar(path: Path, _: Path) -> None:
    with tarfile.open(path, "w") as file:
        for name in ("storages", "tensors", "pickle"):
            file.addfile(tarfile.TarInfo(name))


def numpy_file(path: Path, _: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.array([{}], dtype=object), allow_pickle=True)


def arrays(path: Path, _: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, a=np.ones(3))


ZIPS: dict[str, tuple[Maker, int, str]] = {
    "zip bomb": (compressed, 1, "unpacks to 10000000 bytes"),
    "zip that leads out": (members(["../data.pkl"]), 1, "has a member '../data.pkl'"),
    "zip that leads away": (members(["/etc/data.pkl"]), 1, "has a member '/etc/"),
    "zip with backslashes": (members([r"m\..\data.pkl"]), 1, r"m\\..\\data.pkl"),
    "zip with escapes": (members(["m/../\x1b[2J"]), 1, r"'m/../\x1b[2J'"),
    "zip with two pickles": (twice("archive/x", "archive/x"), 1, "two members of one"),
    "zip with two cases": (twice("archive/x", "archive/X"), 1, "two members of one"),
    "zip with two folders": (twice("archive/x", "other/data.pkl"), 1, "another zip"),
    "zip with a password": (edited(encrypt), 1, "is encrypted"),
    "zip with members that overlap": (edited(overlap), 1, "members that overlap"),
    "zip with a member outside": (edited(outside), 1, "members that overlap"),
    "zip with an odd method": (edited(other_method), 1, "uncompressed"),
    "zip with a directory outside": (far_directory, 1, "damaged"),
    "zip with a directory of 40 MiB": (long_directory, 1, "damaged"),
    "zip magic alone": (content(b"PK\x03\x04"), 1, "cut off or damaged"),
    "zip of a document": (members(["word/document.xml"]), 1, "another zip"),
    "zip of Keras": (members(["config.json", "model.weights.h5"]), 1, "another zip"),
    "zip of arrays": (arrays, 1, "is another zip archive"),
    "zip of TorchScript": (
        members(["m/data.pkl", "m/constants.pkl", "m/code/net.py"]), 3, "TorchScript"
    ),
    "zip of torch.export": (
        members(["m/archive_format", "m/models/model.json"]), 3, "torch.export"
    ),
    "zip of the other byte order": (big_endian, 1, "lowest byte first"),
    "zip without a pickle's end": (
        lambda path, _: torch_zip(path, b"\x80\x02}"), 1, "damaged"
    ),
    "tar": (old_tar, 3, "a tar file of PyTorch's first format"),
}  # fmt: skip

ONE = floats([2, 2])
DOUBLED = b'{"a":' + json.dumps(ONE).encode()
MEBIBYTES = 2**20

TABLES: dict[str, tuple[bytes | Maker, str]] = {
    "no JSON": (header(b"{nonsense}"), "header is damaged"),
    "a list": (header(b"{" + b"[" * 9), "header is damaged"),
    "a cut header": (header(b'{"a":', length=400), "header is damaged"),
    "a huge header": (header(b"{}", length=2**62), "header is damaged"),
    "a header below 0": (header(b"{}", length=2**64 - 1), "header is damaged"),
    "a long header": (
        sparse_file(header(b"{", length=50 * MEBIBYTES), 60 * MEBIBYTES),
        "must be at most 16 MiB",
    ),
    "a deep header": (header(b'{"a":' + b"[" * 10**5), "header is damaged"),
    "a long number": (header(b'{"a":' + b"9" * 10**5 + b"}"), "header is damaged"),
    "no numbers": (described(a=floats([4, 4], 0, 64)), "does not fit its content"),
    "overlapping numbers": (described(a=ONE, b=ONE), "does not fit its content"),
    "a hole": (described(a=floats([2], 8, 16)), "does not fit its content"),
    "offsets below 0": (described(a=floats([2, 2], -16, 0)), "header is damaged"),
    "offsets turned round": (described(a=floats([2, 2], 16, 0)), "header is damaged"),
    "shapes below 0": (described(a=floats([-2, -2])), "header is damaged"),
    "shapes of fractions": (described(a=floats([2.5, 2])), "header is damaged"),
    "shapes of 2**63": (described(a=floats([2**63, 2])), "header is damaged"),
    "shapes that overflow": (described(a=floats([2**62, 2**62])), "header is damaged"),
    "another shape": (described(a=floats([3, 2])), "does not fit its content"),
    "an odd type": (described(a=floats([2, 2], dtype="F33")), "header is damaged"),
    "notes that are a list": (described(__metadata__=[], a=ONE), "header is damaged"),
    "notes of numbers": (described(__metadata__={"a": 1}, a=ONE), "header is damaged"),
    "unit numbers no JSON": (
        described(__metadata__={"sculpt": "{"}, **{"a.weight": ONE}),
        "must have whole unit numbers",
    ),
    "unit numbers no numbers": (
        described(
            __metadata__={"sculpt": '{"units": {"a": ["x"]}}'}, **{"a.weight": ONE}
        ),
        "must have whole unit numbers",
    ),
    "unit numbers nested deep": (
        described(__metadata__={"sculpt": "[" * 10**5}, **{"a.weight": ONE}),
        "must have whole unit numbers",
    ),
    "unit numbers without end": (
        described(
            __metadata__={"sculpt": '{"sizes": {"a": 1e999}}'}, **{"a.weight": ONE}
        ),
        "must have whole unit numbers",
    ),
    "a name twice": (
        header(DOUBLED + b"," + DOUBLED[1:] + b"}") + bytes(16), "'a' is there twice"
    ),
    "a note twice": (
        header(b'{"__metadata__":{"x":"1","x":"2"}}'), "'x' is there twice"
    ),
    "escapes": (
        described(**{"\x1b[31mred.weight": ONE}), r"one is '\x1b[31mred'. Rename it"
    ),
    "a name of a mebibyte": (
        described(**{"x" * MEBIBYTES: ONE}), "at most 1000 characters long"
    ),
    "a weight without a number": (
        header(json.dumps({"a.weight": ONE}).encode()) + b"\xff" * 16, "NaN or infinity"
    ),
    "bits of four": (described(a=floats([8, 4], dtype="F4")), "damaged"),
}  # fmt: skip

PAGE = b"<!DOCTYPE html><html><title>Access to model is restricted</title>"

STRANGERS: dict[str, tuple[bytes | Maker, str]] = {
    "empty": (b"", "is empty. Save or download it again"),
    "one byte": (b"\x00", "starts like none"),
    "noise": (bytes(range(1, 32)) * 99, "starts like none"),
    "zeros": (bytes(4096), "starts like none"),
    "Git LFS": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"
    ),
    "a web page": (PAGE, "is a web page. Download the file itself"),
    "an error": (b"Invalid username or password.", "is text (a report"),
    "JSON": (b'{"error": "Repository not found"}', "is JSON"),
    "an index": (b'{"weight_map": {"a": "model-1.safetensors"}}', "save_file"),
    "XML": (b"<?xml version='1.0'?><Error/>", "is XML"),
    "text of two bytes": ("größe".encode("utf-16"), "starts like none"),
    "ONNX": (b"\x08\x08\x12\x07pytorch\x1a\x052.2.0:\x99", "is an ONNX graph"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(64), "is an HDF5 file (Keras?)"),
    "NumPy": (numpy_file, "is a NumPy array"),
    "gzip": (b"\x1f\x8b\x08" + bytes(64), "compressed with gzip"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(64), "compressed with zstd"),
    "GGUF": (b"GGUF\x03" + bytes(64), "is a GGUF file"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(64), "is a picture"),
    "a document": (b"%PDF-1.7\n\xff" + bytes(64), "is a PDF document"),
}  # fmt: skip


def linked(target: str) -> Maker:
    return lambda path, _: path.symlink_to(target or path)


PLACES: dict[str, tuple[Maker, int, str]] = {
    "nothing": (lambda path, _: None, 1, "is not there"),
    "a folder": (lambda path, _: path.mkdir(), 1, "folder"),
    "a pipe": (lambda path, _: os.mkfifo(path), 1, "is a device or a pipe"),
    "a device": (linked("/dev/zero"), 1, "is a device or a pipe"),
    "a link to itself": (linked(""), 1, "cannot be read (Too many levels"),
    "a link to nothing": (linked("absent"), 1, "is not there"),
}


def made(whole: bytes | Maker) -> Maker:
    return content(whole) if isinstance(whole, bytes) else whole


CORPUS: dict[str, tuple[Maker, int, str]] = {
    **hostile_pickles.PICKLES,
    **hostile_models.ALL,
    **ZIPS,
    **{f"table with {n}": (made(x), 1, said) for n, (x, said) in TABLES.items()},
    **{f"file of {n}": (made(x), 1, said) for n, (x, said) in STRANGERS.items()},
    **{f"path to {name}": found for name, found in PLACES.items()},
}

_TABLE = safetensors.torch.save({"a.weight": torch.ones(9, 9)})
for _share in (0.02, 0.1, 0.3, 0.6, 0.99):
    _cut = hostile_pickles.cut(_TABLE, _share)
    _said = "header is damaged" if _share > 0.05 else "starts like none"
    CORPUS[f"table cut at {_share:.0%}"] = (_cut, 1, _said)


def write(folder: Path, canary: Path) -> dict[str, Path]:
    """Write the whole corpus; give the path of each file."""
    paths = {}
    for index, (name, (make, _, _)) in enumerate(CORPUS.items()):
        paths[name] = folder / f"{index}.{'safetensors' if index % 2 else 'pt'}"
        with warnings.catch_warnings():
            # torch and zipfile do not like what they are made to write.
            warnings.simplefilter("ignore")
            make(paths[name], canary)
    return paths


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    write(target, target / "canary")
