"""Tensors and text on disk: whole or not at all, and never a pickle."""

import contextlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from sculpt_plugin.errors import CheckpointError, one_line

PARTIAL = ".partial-"
"""How a file is called while it is being written."""

LOCK = ".lock"
"""The file that says whose a folder is."""


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves the old one or the new one, never half.

    Args:
        path: Where to; its folder must exist.
        content: What to write.

    Raises:
        CheckpointError: The folder is missing, read-only or full. The old file stays.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_bytes(Path(folder) / "a.txt", b"whole")
        ...     (Path(folder) / "a.txt").read_text()
        'whole'
    """
    partial = path.with_name(f"{PARTIAL}{secrets.token_hex(8)}")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def _sync_folder(folder: Path) -> None:
    """See the renaming of a file safely to the disk, where folders can be synced."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a folder for this process while the block runs; a crash lets it go.

    Raises:
        CheckpointError: Another process has it.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows
        yield
        return
    with (folder / LOCK).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CheckpointError(
                f"{folder} is in use by another run: wait for it, or choose another "
                "folder."
            ) from error
        yield


def append_line(path: Path, line: str) -> None:
    """Add one line to a file and see it safely to the disk.

    Raises:
        CheckpointError: The folder is missing, read-only or full.
    """
    try:
        with path.open("ab") as file:
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise cannot_write(path, error) from error


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], *, metadata: Mapping[str, object]
) -> None:
    """Write named tensors as safetensors, with metadata as JSON in its header.

    Args:
        path: Where to; its folder must exist.
        tensors: Name to tensor, on any device.
        metadata: Names to what JSON can hold.

    Raises:
        CheckpointError: The folder is missing, read-only or full. The old file stays.
    """
    plain = {name: x.detach().cpu().contiguous() for name, x in tensors.items()}
    # One key, since safetensors writes the keys of its header in no fixed order.
    content = safetensors.torch.save(
        plain, metadata={"sculpt": json.dumps(metadata, sort_keys=True)}
    )
    write_bytes(path, content)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict]:
    """Read what `write_tensors` wrote: the tensors and the metadata.

    Args:
        path: The file.

    Returns:
        Name to tensor on the CPU, and the metadata (empty where there is none).

    Raises:
        CheckpointError: The file is missing, damaged or not safetensors.

    Example:
        >>> import torch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "a.safetensors"
        ...     write_tensors(path, {"x": torch.ones(2)}, metadata={"turn": 3})
        ...     read_tensors(path)
        ({'x': tensor([1., 1.])}, {'turn': 3})
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = json.loads((file.metadata() or {}).get("sculpt", "{}"))
    except (OSError, safetensors.SafetensorError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path} must be a whole safetensors file, but it cannot be read: "
            f"{one_line(error)}. Restore it from a copy, or start again "
            "in another folder."
        ) from error
    return tensors, metadata


def make_folder(path: Path) -> None:
    """Make a folder, with those above it, where it is not there yet.

    Raises:
        CheckpointError: A file is in the way, or the place cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except (FileExistsError, NotADirectoryError) as error:
        raise CheckpointError(
            f"{path} must be a folder, but a file is in the way: choose another place."
        ) from error
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> CheckpointError:
    """Say why a place cannot be written, and that nothing written before is lost."""
    return CheckpointError(
        f"{path} cannot be written: {error.strerror or error}. Make room or choose "
        "another folder, and run again: what was written before is whole."
    )
