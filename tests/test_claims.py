"""Tensors read as torch reads them, from what a file says about them."""

from pathlib import Path

import pytest
import torch
from model_files import save

from sculpt_plugin.files.claims import Claim, Storage, granted
from sculpt_plugin.files.pickles import read_pickle

WHOLE = torch.arange(24.0).reshape(4, 6)

TENSORS = {
    "plain": WHOLE,
    "transposed": WHOLE.T,
    "sliced": WHOLE[1:, ::2],
    "one number": torch.tensor(3.0),
    "no numbers": torch.ones(0, 3),
    "parameter": torch.nn.Parameter(WHOLE),
    "frozen": torch.nn.Parameter(WHOLE, requires_grad=False),
    "whole numbers": torch.tensor([1, -2]),
    "truths": torch.tensor([True, False]),
    "halves": WHOLE.half(),
    "brain halves": WHOLE.bfloat16(),
    "doubles": WHOLE.double(),
    "complex": WHOLE.to(torch.complex64),
    "eights": WHOLE.to(torch.float8_e5m2),
    "unsigned": torch.tensor([1, 2], dtype=torch.uint16),
}


@pytest.mark.parametrize("kind", ["zip", "legacy"])
@pytest.mark.parametrize("name", TENSORS)
def test_tensor_is_read_as_it_was_saved(tmp_path: Path, name: str, kind: str) -> None:
    expected = TENSORS[name]
    path = save([expected], tmp_path / "model.pt", kind)
    (claim,) = read_pickle(path, legacy=kind == "legacy").value  # type: ignore[misc]
    assert isinstance(claim, Claim)
    found = granted(claim, name=name)
    assert type(found) is type(expected)
    assert found.dtype == expected.dtype
    assert found.requires_grad == expected.requires_grad
    assert found.shape == expected.shape
    assert found.tolist() == expected.tolist()


def test_views_of_one_storage_share_it(tmp_path: Path) -> None:
    path = save([WHOLE[0], WHOLE[1]], tmp_path / "model.pt")
    claims = read_pickle(path).value
    first, second = (granted(claim, name="x") for claim in claims)  # type: ignore
    assert first.untyped_storage().data_ptr() == second.untyped_storage().data_ptr()
    assert second.tolist() == WHOLE[1].tolist()


def test_bytes_that_are_no_truth_values_become_true() -> None:
    storage = Storage("0", torch.bool, 3, lambda *_: bytearray([0, 1, 200]))
    claim = Claim(storage, 0, (3,), (1,), dtype=torch.bool)
    assert granted(claim, name="mask").to(torch.uint8).tolist() == [0, 1, 1]
