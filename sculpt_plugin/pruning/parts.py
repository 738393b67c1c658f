"""Some samples of a batch, however its outputs or targets hold them."""

import copy
from collections.abc import Mapping, MutableMapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from torch import Tensor


def part_of(value: Any, samples: slice | Tensor, count: int) -> Any:
    """Take some samples out of what holds those of a batch.

    What holds tensors is made anew, of its own kind, since a loss may read it by its
    attributes. What cannot be looked into is handed on as it is.

    Args:
        value: A tensor with the samples along its first axis; or tuples, lists, dicts
            or dataclasses of such tensors.
        samples: Which samples to take.
        count: How many the batch has; tensors of another length stay whole.

    Example:
        >>> import torch
        >>> part_of({"logits": torch.zeros(5, 3), "scale": 2}, slice(0, 1), 5)
        {'logits': tensor([[0., 0., 0.]]), 'scale': 2}
    """
    if isinstance(value, Tensor):
        return value[samples] if value.ndim > 0 and len(value) == count else value
    if isinstance(value, Mapping):
        parts = {key: part_of(x, samples, count) for key, x in value.items()}
        return _refilled(value, parts)
    if isinstance(value, list | tuple):
        made = getattr(value, "_make", type(value))  # a namedtuple takes no list
        return made([part_of(x, samples, count) for x in value])
    if is_dataclass(value) and not isinstance(value, type):
        parts = {
            item.name: part_of(getattr(value, item.name), samples, count)
            for item in fields(value)
            if item.init
        }
        return replace(value, **parts)
    return value


def _refilled(value: Mapping, parts: dict) -> Mapping:
    """Copy a mapping with other values, those that are attributes too included."""
    if not isinstance(value, MutableMapping):
        return parts
    made = copy.copy(value)
    for key, part in parts.items():
        made[key] = part
    attributes = getattr(made, "__dict__", {})
    attributes.update({key: parts[key] for key in parts.keys() & attributes.keys()})
    return made
