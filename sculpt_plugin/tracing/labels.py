"""Labels beside the numbers: what every element of every tensor carries.

Labels are kept per storage, laid out like its numbers, so that a view of a tensor is a
view of its labels, and what is written into a part of a tensor is found again there.
"""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from sculpt_plugin.tracing.sets import EMPTY, UnitSets


class NotLabelledError(Exception):
    """A tensor whose elements cannot be told apart: sparse, quantised, a byte view."""


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
        self._held: dict[int, tuple[StorageWeakRef, int, Tensor]] = {}
        self._weights: dict[int, StorageWeakRef] = {}
        self._until_cleaning = 256

    def of(self, tensor: Tensor) -> Tensor | None:
        """Give the labels of a tensor, in its shape; None for a constant."""
        held = self._held.get(_storage(tensor)._cdata)
        if held is None:
            return None
        _, itemsize, labels = held
        parts, rest = divmod(itemsize, tensor.element_size())
        if rest or not parts:
            raise NotLabelledError("reads the bytes of a tensor as other numbers")
        if parts > 1:  # the two parts of a complex number
            labels = labels.repeat_interleave(parts)
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
            size, itemsize = storage.nbytes(), tensor.element_size()
            fresh = torch.full((size // itemsize,), EMPTY, dtype=torch.int32)
            self._held[storage._cdata] = (StorageWeakRef(storage), itemsize, fresh)
        here = self.of(tensor)
        assert here is not None
        here.copy_(labels.expand(here.shape))

    def mark_weights(self, tensors: Iterable[Tensor]) -> None:
        """Note tensors as weights, or as made of weights alone."""
        for tensor in tensors:
            storage = _storage(tensor)
            self._weights[storage._cdata] = StorageWeakRef(storage)

    def is_weight(self, tensor: Tensor) -> bool:
        """Tell whether a tensor is one that `mark_weights` was given, or its view."""
        return _storage(tensor)._cdata in self._weights

    def share_storage(self, left: Tensor, right: Tensor) -> bool:
        """Tell whether one tensor is a view of the other, or both of a third."""
        return _storage(left)._cdata == _storage(right)._cdata

    def _clean(self) -> None:
        """Drop labels of tensors that are gone, from time to time."""
        self._until_cleaning -= 1
        if self._until_cleaning:
            return
        gone = [key for key, (ref, *_) in self._held.items() if ref.expired()]
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


def _storage(tensor: Tensor) -> torch.UntypedStorage:
    """Give a tensor's storage, or refuse a tensor that has none."""
    try:
        return tensor.untyped_storage()
    except (NotImplementedError, RuntimeError) as error:
        raise NotLabelledError("uses a tensor that is not stored densely") from error
