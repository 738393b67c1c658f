"""A folder is as good as the one model file in it."""

from pathlib import Path

import pytest

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.folders import model_in


@pytest.mark.parametrize(
    "names, found",
    [
        (
            ["config.json", "pytorch_model.bin", "model.safetensors"],
            "model.safetensors",
        ),
        (["last.ckpt", "README.md"], "last.ckpt"),
    ],
)
def test_one_model_is_found(tmp_path: Path, names: list[str], found: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert model_in(tmp_path) == tmp_path / found


@pytest.mark.parametrize(
    "names, said",
    [
        ([], "holds none. Name the file"),
        (["a.pt", "b.pt"], "holds 'a.pt', 'b.pt'. Name the file"),
        (["model-00001-of-00002.safetensors", "model.safetensors.index.json"], "save_"),
        (["saved_model.pb"], "TensorFlow"),
    ],
)
def test_other_folders_are_told_what_to_do(
    tmp_path: Path, names: list[str], said: str
) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(LoadingError, match=said):
        model_in(tmp_path)
