"""Labels beside the numbers: what every element of every tensor carries.

Labels are kept per storage, laid out like its numbers, so that a view of a tensor is a
view of its labels, and what is written into a part of a tensor is found again there.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from sculpt_plugin.tracing.sets import EMPTY, UnitSets


class NotLabelledError(Exception):
    """A tensor whose elements cannot be told apart, such as a sparse one."""


@dataclass(eq=False)
class _Held:
    """The labels of one storage, each for so many bytes."""

    storage: StorageWeakRef
    itemsize: int
    labels: Tensor


class TensorLabels:
    """The labels of all tensors of a run; a tensor without any is a constant.

    Attributes:
        sets: What the labels mean.

    Example:
        >>> labels = TensorLabels(UnitSets())
        >>> x = torch.zeros(1, 2)
        >>> labels.put(x, labels.sets.new_units(2))
        >>> labels.of(x.t()[1]).tolist(), labels.of(torch.zeros(1)) is None
        ([2], True)
    """

    def __init__(self, sets: UnitSets) -> None:
        self.sets = sets
        self._held: dict[int, _Held] = {}
        self._weights: dict[int, StorageWeakRef] = {}
        self._random: dict[int, StorageWeakRef] = {}
        self._until_cleaning = 256

    def has(self, tensor: Tensor) -> bool:
        """Tell whether a tensor, or another part of its memory, has labels."""
        return storage_key(tensor) in self._held

    def of(self, tensor: Tensor) -> Tensor | None:
        """Give the labels of a tensor, in its shape; None for a constant."""
        held = self._held.get(_storage(tensor)._cdata)
        if held is None:
            return None
        labels = self._in_size(held, tensor)
        return labels.as_strided(
            tensor.size(), tensor.stride(), tensor.storage_offset()
        )

    def put(self, tensor: Tensor, labels: Tensor | np.ndarray) -> None:
        """Label a tensor's elements; the labels are spread over its shape."""
        if not isinstance(labels, Tensor):
            labels = torch.from_numpy(np.array(labels, dtype=np.int32))
        storage = _storage(tensor)
        if storage._cdata not in self._held:
            self._clean()
            nothing = torch.zeros(0, dtype=torch.int32)
            self._held[storage._cdata] = _Held(
                StorageWeakRef(storage), tensor.element_size(), nothing
            )
        held = self._held[storage._cdata]
        found = self._in_size(held, tensor)
        here = found.as_strided(tensor.size(), tensor.stride(), tensor.storage_offset())
        here.copy_(labels.expand(here.shape))
        if tensor.element_size() > held.itemsize:
            parts = tensor.element_size() // held.itemsize
            held.labels = found.repeat_interleave(parts)

    def _in_size(self, held: "_Held", tensor: Tensor) -> Tensor:
        """Give the labels of a storage, one for each number of a tensor's size."""
        size, count = tensor.element_size(), _storage(tensor).nbytes()
        if size < held.itemsize:  # the two parts of a complex number
            held.labels = held.labels.repeat_interleave(held.itemsize // size)
            held.itemsize = size
        missing = count // held.itemsize - len(held.labels)
        if missing > 0:
            more = torch.full((missing,), EMPTY, dtype=torch.int32)
            held.labels = torch.cat([held.labels, more])
        parts = size // held.itemsize
        if parts == 1:
            return held.labels
        whole = held.labels[: len(held.labels) // parts * parts].view(-1, parts)
        return torch.from_numpy(self.sets.unite(whole.numpy()))

    def mark_random(self, tensors: Iterable[Tensor]) -> None:
        """Note tensors as drawn at random: other runs give other numbers."""
        for tensor in tensors:
            if storage_key(tensor) is not None:
                storage = _storage(tensor)
                self._random[storage._cdata] = StorageWeakRef(storage)

    def is_random(self, tensor: Tensor) -> bool:
        """Tell whether a tensor is one that `mark_random` was given, or its view."""
        return storage_key(tensor) in self._random

    def mark_weights(self, tensors: Iterable[Tensor]) -> None:
        """Note tensors as weights, or as made of weights alone."""
        for tensor in tensors:
            if storage_key(tensor) is not None:
                storage = _storage(tensor)
                self._weights[storage._cdata] = StorageWeakRef(storage)

    def is_weight(self, tensor: Tensor) -> bool:
        """Tell whether a tensor is one that `mark_weights` was given, or its view."""
        return storage_key(tensor) in self._weights

    def share_storage(self, left: Tensor, right: Tensor) -> bool:
        """Tell whether one tensor is a view of the other, or both of a third."""
        return _storage(left)._cdata == _storage(right)._cdata

    def _clean(self) -> None:
        """Drop labels of tensors that are gone, from time to time."""
        self._until_cleaning -= 1
        if self._until_cleaning:
            return
        gone = [key for key, held in self._held.items() if held.storage.expired()]
        for key in gone:
            del self._held[key]
        self._until_cleaning = 256


def spread_out(tensor: Tensor) -> Int[np.ndarray, "..."]:
    """Give labels as an array with axes of size one where they do not differ.

    Example:
        >>> spread_out(torch.tensor([[1, 1], [2, 2]])).tolist()
        [[1], [2]]
    """
    for axis in range(tensor.ndim):
        if tensor.shape[axis] > 1:
            first = tensor.narrow(axis, 0, 1)
            if bool((tensor == first).all()):
                tensor = first
    return tensor.numpy()


def differ(labels: Tensor, axes: Iterable[int]) -> bool:
    """Tell whether labels differ along some axes.

    Example:
        >>> differ(torch.tensor([[1, 1], [2, 2]]), [1])
        False
    """
    shape = spread_out(labels).shape
    return any(shape[axis] > 1 for axis in axes)


def storage_key(tensor: Tensor) -> int | None:
    """Tell storages apart, while they last; None for a tensor that has none.

    Example:
        >>> x = torch.zeros(2, 2)
        >>> storage_key(x) == storage_key(x.t()), storage_key(x.to_sparse())
        (True, None)
    """
    try:
        return _storage(tensor)._cdata
    except NotLabelledError:
        return None


def _storage(tensor: Tensor) -> torch.UntypedStorage:
    """Give a tensor's storage, or refuse a tensor that has none."""
    try:
        return tensor.untyped_storage()
    except (NotImplementedError, RuntimeError) as error:
        raise NotLabelledError("uses a tensor that is not stored densely") from error
