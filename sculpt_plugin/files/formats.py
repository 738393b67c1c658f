"""Telling what kind of model file one has, from its bytes and never its suffix."""

import os
import stat
from pathlib import Path
from typing import Literal

from sculpt_plugin.errors import LoadingError, UnsafeFileError
from sculpt_plugin.files.archives import members
from sculpt_plugin.files.quoting import shown

Format = Literal[
    "safetensors", "torch zip", "torch legacy", "torch tar", "torchscript", "pt2"
]

# What `torch.save` puts first in its format of before 1.6.
LEGACY_MAGIC = b"l\xfc\x9cF\xf9 j\xa8P\x19"

PICKLE = b"\x80"

# Where a file is surely something else, its name helps more than "unknown".
STRANGERS = {
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file (Keras?)",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
    b"BZh": "compressed with bzip2; unpack it first",
    b"\xfd7zXZ": "compressed with xz; unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; unpack it first",
    b"7z\xbc\xaf": "compressed with 7-Zip; unpack it first",
    b"GGUF": "a GGUF file",
    b"\x89PNG": "a picture",
    b"%PDF": "a PDF document",
    PICKLE: "a pickle that torch.save did not write",
}

# How texts begin that are saved in place of a model, in small letters.
TEXTS = {
    "version https://git-lfs": (
        "a pointer of Git LFS. Fetch the file that it stands for with git lfs pull"
    ),
    "<!doctype": "a web page. Download the file itself, not the page about it",
    "<html": "a web page. Download the file itself, not the page about it",
    "<?xml": "XML. Pass the model's own file",
    "{": "JSON. Pass the file with the weights",
}

INDEX = (
    "the index of weights that are spread over several files. Load each of these with "
    "safetensors.torch.load_file into one dict, save that with save_file, and pass it"
)

SAVE_STATE = "Save the model's state dict with torch.save or safetensors"


def recognise(path: Path) -> Format:
    """Tell the format of a model file from its content.

    Suffixes are a habit, not a promise, and a loader that trusts them can be led
    to the wrong reader. Nothing in the file is run or unpickled here.

    Args:
        path: The file.

    Returns:
        The format. Whether it may be opened is for the caller to say.

    Raises:
        LoadingError: The file cannot be read, or is no model file.

    Example:
        >>> import tempfile, torch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "model.safetensors"
        ...     torch.save({"fc.weight": torch.ones(1, 2)}, path)
        ...     recognise(path)
        'torch zip'
    """
    head = _head(path)
    if head.startswith(b"PK\x03\x04"):
        return _zip_format(path)
    if head[257:262] == b"ustar":
        return "torch tar"
    if head[:1] == b"\x80" and LEGACY_MAGIC in head[:32]:
        return "torch legacy"
    if _is_safetensors(path, head):
        return "safetensors"
    for magic, what in STRANGERS.items():
        if magic == PICKLE and head.startswith(magic):
            raise UnsafeFileError(
                f"{shown(path)} must be a model file, but is {what}, and reading one "
                f"runs code from it. Nothing was run. {SAVE_STATE}."
            )
        if head.startswith(magic):
            raise LoadingError(
                f"{shown(path)} must be a model file, but is {what}. {SAVE_STATE}."
            )
    if head[:1] == b"\x08" and (b"onnx" in head or b"pytorch" in head):
        raise LoadingError(
            f"{shown(path)} must be a model file, but is an ONNX graph. {SAVE_STATE}, "
            f"from the program that made it."
        )
    text = _text(head)
    if text is not None:
        raise LoadingError(f"{shown(path)} must be a model file, but is {text}.")
    if head[8:9] == b"{":
        return "safetensors"  # cut off, as its reader will say
    raise LoadingError(
        f"{shown(path)} must be a model file, but starts like none that Sculpt knows "
        f"(torch.save, safetensors). {SAVE_STATE}."
    )


def _is_safetensors(path: Path, head: bytes) -> bool:
    """Tell a length of 8 bytes and then JSON; the length may look like any magic."""
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and length <= path.stat().st_size


def _head(path: Path) -> bytes:
    """Read the first bytes of a regular file that is there and not empty."""
    name = shown(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise LoadingError(
                f"{name} must be a model file, but is a folder. Name the file in it."
            )
        if not stat.S_ISREG(mode):
            # Opening a pipe would wait for ever.
            raise LoadingError(
                f"{name} must be a model file, but is a device or a pipe. Copy its "
                f"content to a file first."
            )
        with path.open("rb") as file:
            head = file.read(512)
    except LoadingError:
        raise
    except FileNotFoundError:
        raise LoadingError(f"{name} is not there. Check the path.") from None
    except (OSError, ValueError) as error:
        reason = (
            os.strerror(error.errno)
            if isinstance(error, OSError) and error.errno
            else error
        )
        raise LoadingError(
            f"{name} cannot be read ({reason}). Check the path and its permissions."
        ) from None
    if not head:
        raise LoadingError(
            f"{name} must be a model file, but is empty. Save or download it again."
        )
    return head


def _text(head: bytes) -> str | None:
    """Say what kind of text a file is, and what to do; `None` where it is none."""
    try:
        # A character may be cut at the end of the head.
        text = head.decode("utf-8-sig", "strict" if len(head) < 512 else "ignore")
    except UnicodeDecodeError:
        return None
    if not all(character.isprintable() or character.isspace() for character in text):
        return None
    if '"weight_map"' in text or '"metadata": {"total_size"' in " ".join(text.split()):
        return INDEX
    start = text.lstrip().lower()
    for beginning, what in TEXTS.items():
        if start.startswith(beginning):
            return what
    return (
        "text (a report, or a page saved instead of the file?). Pass the model's own "
        "file"
    )


def _zip_format(path: Path) -> Format:
    """Tell the archives of torch apart."""
    names = members(path)
    if "archive_format" in names or any(inner.startswith("models/") for inner in names):
        return "pt2"
    if "constants.pkl" in names or any(inner.startswith("code/") for inner in names):
        return "torchscript"
    if "data.pkl" not in names:
        raise LoadingError(
            f"{shown(path)} must be an archive made by torch.save, but is another zip "
            f"archive. {SAVE_STATE}."
        )
    return "torch zip"
