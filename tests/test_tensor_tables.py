"""Safetensors files read as the format's own reader reads them."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from sculpt_plugin.files.tensor_tables import read_table


def test_tensors_and_notes_are_those_that_were_saved(tmp_path: Path) -> None:
    tensors = {
        "a": torch.randn(3, 2),
        "b": torch.tensor([1, 2]),
        "c": torch.randn(4).bfloat16(),
        "d": torch.ones(0, 3),
    }
    save_file(tensors, tmp_path / "x", metadata={"sculpt": "{}"})
    found, notes = read_table(tmp_path / "x")
    expected = load_file(tmp_path / "x")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert notes == {"sculpt": "{}"}


def test_tensors_come_sorted_by_name(tmp_path: Path) -> None:
    names = ["q", "b", "zz", "a", "m.10", "m.9"]
    save_file({name: torch.ones(1) for name in names}, tmp_path / "x")
    assert list(read_table(tmp_path / "x")[0]) == sorted(names)
