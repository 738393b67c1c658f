"""While tests run, every call is checked: kinds everywhere, shapes where there are any.

A check that is switched off by mistake would fail no other test.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import torch
from beartype.roar import BeartypeCallHintViolation
from checked_calls import has_shapes
from jaxtyping import Float, Int, TypeCheckError

from sculpt_plugin.analysis.agreement import in_order
from sculpt_plugin.interactive.facts import counted
from sculpt_plugin.tasks.learning import bit_loss


def test_shapes_that_do_not_fit_each_other_are_refused():
    with pytest.raises(TypeCheckError):
        bit_loss(torch.zeros(2, 3), torch.zeros(3, 2))


def test_numbers_of_another_kind_are_refused():
    with pytest.raises(TypeCheckError):
        in_order(np.zeros(3))


def test_things_of_another_kind_are_refused():
    number: Any = "two"
    with pytest.raises(BeartypeCallHintViolation):
        counted(number, "unit")


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (int, False),
        (dict[str, tuple[int, ...]], False),
        (Literal["units", "edges"] | None, False),
        (Callable[[int], str], False),
        (Callable[[Float[np.ndarray, " unit"]], str], True),
        (Float[np.ndarray, " unit"], True),
        (dict[str, list[Int[torch.Tensor, ""]]] | None, True),
        ("Float[np.ndarray, ' unit']", True),
    ],
)
def test_shapes_are_found_wherever_an_annotation_has_them(hint: Any, expected: bool):
    assert has_shapes(hint) == expected
