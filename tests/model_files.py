"""Model files for tests: written here, sound, broken or hostile."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from sculpt_plugin.errors import LoadingError, SculptError
from sculpt_plugin.loading import load_model

SAVED = io.BytesIO()
torch.save({"fc.weight": torch.ones(2, 2)}, SAVED)
LEGACY = io.BytesIO()
torch.save(
    {"fc.weight": torch.ones(2, 2)}, LEGACY, _use_new_zipfile_serialization=False
)


class Reduced:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def save(value: object, path: Path, kind: str = "zip") -> Path:
    if kind == "safetensors":
        assert isinstance(value, dict)
        safetensors.torch.save_file(value, path)
    else:
        torch.save(value, path, _use_new_zipfile_serialization=kind == "zip")
    return path


def archive(path: Path, members: dict[str, bytes], compression: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def torch_zip(
    path: Path, pickled: bytes, *, data: dict[str, bytes] | None = None
) -> Path:
    """What `torch.save` would write around a pickle."""
    members = {"data.pkl": pickled, "version": b"3\n", "byteorder": b"little"}
    members |= {f"data/{key}": content for key, content in (data or {}).items()}
    return archive(path, {f"model/{name}": members[name] for name in members})


def refusal(path: Path, **options: Any) -> str:
    """Expect one line that names the file's trouble and the way out."""
    with pytest.raises(LoadingError) as caught:
        load_model(path, **options)
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 1200
    assert isinstance(caught.value, SculptError)
    return text
