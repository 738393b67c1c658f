"""Some samples of a batch, taken out of every kind of thing that holds them."""

from collections import OrderedDict, UserDict
from types import MappingProxyType
from typing import Any

import pytest
import torch
from holders import ByAttribute, Held, KeptInStep, Pair

from sculpt_plugin.pruning.parts import part_of

X = torch.arange(12.0).reshape(4, 3)
FIRST = slice(0, 1)


def read(value: Any) -> tuple[Any, Any]:
    if hasattr(value, "logits"):
        return value.logits, value.scale
    return (value["logits"], value["scale"]) if hasattr(value, "keys") else value


@pytest.mark.parametrize(
    "value",
    [
        (X, 2),
        [X, 2],
        Pair(X, 2),
        {"logits": X, "scale": 2},
        OrderedDict(logits=X, scale=2),
        UserDict(logits=X, scale=2),
        MappingProxyType({"logits": X, "scale": 2}),
        ByAttribute(logits=X, scale=2),
        KeptInStep(X, 2),
        Held(X),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_holds_samples_is_made_anew_with_some_of_them(value):
    part = part_of(value, FIRST, 4)

    logits, scale = read(part)
    assert torch.equal(logits, X[:1])
    assert scale == 2
    assert isinstance(
        part, dict if isinstance(value, MappingProxyType) else type(value)
    )
    assert read(value)[0] is X


@pytest.mark.parametrize("kind", [ByAttribute, KeptInStep])
def test_items_of_what_has_attributes_are_those_attributes(kind):
    part = part_of(kind(logits=X, scale=2), FIRST, 4)

    assert part["logits"] is part.logits
    assert list(part) == ["logits", "scale"]


def test_samples_are_taken_out_of_what_is_nested():
    part = part_of(KeptInStep(X, 2, (X, Pair(X[:, 0], None))), FIRST, 4)

    assert torch.equal(part.hidden[1].logits, X[:1, 0])


def test_samples_are_taken_by_their_numbers():
    (part,) = part_of([X], torch.tensor([3, 0]), 4)

    assert part.tolist() == [[9, 10, 11], [0, 1, 2]]


@pytest.mark.parametrize("value", [torch.tensor(1.0), torch.zeros(3), "text", None])
def test_what_holds_no_samples_stays(value):
    assert part_of(value, FIRST, 4) is value
