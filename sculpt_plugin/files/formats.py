"""Telling what kind of model file one has, from its bytes and never its suffix."""

import os
import stat
import zipfile
from pathlib import Path
from typing import Literal

from sculpt_plugin.errors import LoadingError, UnsafeFileError
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
    b"GGUF": "a GGUF file",
    b"\x89PNG": "a picture",
    b"%PDF": "a PDF document",
    PICKLE: "a pickle that torch.save did not write",
}

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
    if _is_text(head):
        raise LoadingError(
            f"{shown(path)} must be a model file, but is text (a report, a pointer of "
            f"Git LFS, or a web page saved instead of the file?). Pass the model's own "
            f"file."
        )
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


def _is_text(head: bytes) -> bool:
    try:
        # A character may be cut at the end of the head.
        text = head.decode("utf-8", "strict" if len(head) < 512 else "ignore")
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)


def _zip_format(path: Path) -> Format:
    """Tell the archives of torch apart, and refuse those that could grow."""
    name = shown(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except Exception as error:
        # A hostile directory can raise anything here, and all of it means this.
        raise LoadingError(
            f"{name} must be a whole zip archive, but is cut off or damaged "
            f"({type(error).__name__}). Save or download it again."
        ) from None
    # Each name starts with the archive's own name.
    names = {member.filename.partition("/")[2] for member in members}
    if "archive_format" in names or any(inner.startswith("models/") for inner in names):
        return "pt2"
    if "constants.pkl" in names or any(inner.startswith("code/") for inner in names):
        return "torchscript"
    if "data.pkl" not in names:
        raise LoadingError(
            f"{name} must be an archive made by torch.save, but is another zip "
            f"archive. {SAVE_STATE}."
        )
    # torch.save compresses nothing, so an archive that unpacks to more is a trap.
    unpacked = sum(member.file_size for member in members)
    if unpacked > path.stat().st_size:
        raise LoadingError(
            f"{name} must hold its tensors uncompressed, as torch.save writes them, "
            f"but unpacks to {unpacked} bytes. Save it again with torch.save."
        )
    return "torch zip"
