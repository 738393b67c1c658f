"""A loaded model has names to print and weights that are numbers."""

from typing import Any

import pytest
import torch
from model_files import network
from torch import nn

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.soundness import check_model


def test_sound_model_passes_with_odd_buffers() -> None:
    model = network()
    model.register_buffer("mask", torch.full((2, 2), -torch.inf))
    model.register_buffer("indices", torch.arange(3))
    check_model(model)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_weight_that_is_no_number_is_refused_by_name(value: float) -> None:
    model: Any = network()
    with torch.no_grad():
        model[2].bias[1] = value
    with pytest.raises(LoadingError, match=r"'2\.bias' has NaN or infinity"):
        check_model(model)


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "\u202e", "x" * 1001])
def test_name_that_cannot_be_shown_is_refused(name: str) -> None:
    with pytest.raises(LoadingError, match="must be printable and at most 1000"):
        check_model(nn.ModuleDict({name: nn.Linear(1, 1)}))
