"""The versions are those that are at work, told without loading anything."""

import subprocess
import sys

import networkx
import numpy
import pytest
import torch

import sculpt_plugin
from sculpt_plugin import versions as module
from sculpt_plugin.versions import versions


def test_versions_are_those_of_the_packages() -> None:
    found = versions()
    assert found["sculpt"] == sculpt_plugin.__version__
    assert found["torch"] == str(torch.__version__)
    assert found["numpy"] == numpy.__version__
    assert found["networkx"] == networkx.__version__
    assert found["torch-pruning"].startswith("1.6")


def test_a_package_that_is_not_there_is_left_out(monkeypatch) -> None:
    monkeypatch.setattr(module, "_PACKAGES", ("numpy", "no-such-package"))
    assert list(versions()) == ["sculpt", "python", "numpy"]


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_neither_versions_nor_help_load_torch(option: str) -> None:
    script = (
        "import atexit, sys; atexit.register(lambda: print('torch' in sys.modules));"
        f"sys.argv = ['sculpt', {option!r}]; from sculpt_plugin.cli import main; main()"
    )
    out = subprocess.check_output([sys.executable, "-c", script], text=True)
    assert out.endswith("False\n")
