"""Reading a stranger's safetensors file: a table of names, and numbers behind it."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.quoting import quoted, shown

# Some 100,000 tensors. Ten times that, where the format stops, takes gigabytes to read.
LONGEST_HEADER = 16 * 2**20


def read_table(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read the tensors and the notes of a safetensors file.

    The format is plain data, but its readers map the file into memory, where a file
    that shrinks meanwhile ends the program; so it is read as a whole instead.

    Args:
        path: The file.

    Returns:
        The tensors, sorted by name, and the notes that its writer has added.

    Raises:
        LoadingError: The file is damaged, or its table is too long or names one
            tensor twice.

    Example:
        >>> import tempfile
        >>> from safetensors.torch import save_file
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "model.safetensors"
        ...     save_file({"fc.weight": torch.ones(1, 1)}, path)
        ...     read_table(path)
        ({'fc.weight': tensor([[1.]])}, {})
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            _check_length(path, length)
            header = file.read(length)
            table = json.loads(header, object_pairs_hook=_once)
            file.seek(0)
            content = file.read()
        if not content.startswith(length.to_bytes(8, "little") + header):
            raise ValueError("the file has changed meanwhile")
        # The reader keeps no order of its own, and errors name the first.
        tensors = dict(sorted(load(content).items()))
    except LoadingError as error:
        raise LoadingError(f"{shown(path)}: {error}") from None
    except (
        SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError,
        RuntimeError, MemoryError,
    ) as error:  # fmt: skip
        raise LoadingError(
            f"{shown(path)} must be a safetensors file, but its header is damaged or "
            f"does not fit its content ({type(error).__name__}). Save or download it "
            f"again."
        ) from None
    notes = table.get("__metadata__") or {}
    return tensors, {str(key): str(note) for key, note in notes.items()}


def _check_length(path: Path, length: int) -> None:
    if LONGEST_HEADER < length <= path.stat().st_size:
        raise LoadingError(
            f"A safetensors header must be at most {LONGEST_HEADER // 2**20} MiB, but "
            f"this one says {length} bytes. Save fewer tensors in one file."
        )
    if length > LONGEST_HEADER:
        raise ValueError("the header is longer than the file")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a table of pairs; two readers could see two things in a name given twice."""
    table = dict(pairs)
    if len(table) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise LoadingError(
            f"A table must name each thing once, but {quoted(twice)} is there twice. "
            f"Save the model again."
        )
    return table
