"""Importing what the user vouches for, torchvision's models among it."""

import importlib.util
import re
from pathlib import Path

import pytest
import torch
from model_files import save

from sculpt_plugin.errors import LoadingError, UnsafeFileError
from sculpt_plugin.files.factories import allowed_classes
from sculpt_plugin.loading import from_factory, load_model
from sculpt_plugin.vision import import_torchvision


@pytest.fixture(scope="module")
def small():
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    return import_torchvision().models.mnasnet0_5().eval()


def test_module_stands_for_the_layers_that_are_made_in_it() -> None:
    names = set(allowed_classes(["torch.nn.modules.activation"]))
    assert "torch.nn.modules.activation.ReLU" in names
    assert "torch.nn.modules.linear.NonDynamicallyQuantizableLinear" not in names


def test_factory_of_torchvision_takes_a_lightning_checkpoint(
    tmp_path: Path, small: torch.nn.Module
) -> None:
    state = {f"model.{name}": x for name, x in small.state_dict().items()}
    path = save({"state_dict": state}, tmp_path / "last.ckpt")
    loaded = from_factory("torchvision.models:mnasnet0_5", state_path=path).model
    inputs = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(loaded.eval()(inputs), small(inputs))


@pytest.mark.parametrize("whole", [False, True])
def test_whole_model_of_torchvision_opens_with_its_classes_allowed(
    tmp_path: Path, small: torch.nn.Module, whole: bool
) -> None:
    path = save(small, tmp_path / "model.pt")
    with pytest.raises(UnsafeFileError, match=r"'torchvision\.models\.mnasnet\.MNASN"):
        load_model(path)
    module = "torchvision.models.mnasnet"
    allow = [module] if whole else [f"{module}.MNASNet", f"{module}._InvertedResidual"]
    loaded = load_model(path, allow=allow).model
    inputs = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(loaded(inputs), small(inputs))


def test_module_in_no_package_stands_for_its_layers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "from torch import nn\nclass Mine(nn.Module): pass\n"
    (tmp_path / "own_layers.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    assert list(allowed_classes(["own_layers"])) == ["own_layers.Mine"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("json", "but none is made in 'json'. Name the class, as pkg.mod.Class"),
        ("no_such_file", "a module that can be imported, but importing 'no_such_file'"),
        ("", "must name a class, as pkg.mod.Class, or a module with classes"),
    ],
)
def test_name_without_a_dot_says_what_is_missing(name: str, said: str) -> None:
    with pytest.raises(LoadingError, match=re.escape(said)):
        allowed_classes([name])
