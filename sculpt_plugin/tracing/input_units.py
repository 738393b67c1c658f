"""How a model reads its inputs: position by position, or along an axis."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int
from torch import Tensor

from sculpt_plugin.tracing.labels import TensorLabels
from sculpt_plugin.tracing.sets import Junction, UnitSets

Axis = int | str | None
"""The axis of an input that tells units apart; `every`: each position is a unit; None:
the input is one unit."""
EVERY = "every"


class ReadDifferentlyError(Exception):
    """Inputs that were taken position by position are read along an axis.

    Attributes:
        number: Which of the inputs.
        axis: The axis that tells units apart.
    """

    def __init__(self, number: int, axis: Axis) -> None:
        super().__init__(number, axis)
        self.number = number
        self.axis = axis


class InputUnits:
    """The units of one input tensor.

    Args:
        tensor: The input.
        axis: How it is read.
        number: Which of the inputs it is.
        labels: Where its labels are kept.

    Attributes:
        first: The number of its first unit.
        count: How many units it has.

    Example:
        >>> import torch
        >>> labels, x = TensorLabels(UnitSets()), torch.zeros(1, 3, 2, 2)
        >>> InputUnits(x, EVERY, 0, labels).count, InputUnits(x, 1, 0, labels).count
        (12, 3)
    """

    def __init__(
        self, tensor: Tensor, axis: Axis, number: int, labels: TensorLabels
    ) -> None:
        self.number = number
        self.axis = axis
        self.first = labels.sets.unit_count
        self._shape = tuple(tensor.shape[1:])
        if axis is None:
            sizes = [1] * tensor.ndim
        elif axis == EVERY:
            sizes = [1, *self._shape][: tensor.ndim]
        else:
            sizes = [n if a == axis else 1 for a, n in enumerate(tensor.shape)]
        self.differs: ReadDifferentlyError | None = None
        self.count = int(np.prod(sizes, dtype=np.int64))
        self.sizes = tuple(sizes)
        labels.put(tensor, labels.sets.new_units(self.count).reshape(sizes))

    def check_columns(
        self,
        columns: Int[np.ndarray, " column"],
        read: Int[np.ndarray, "column position"],
        sets: UnitSets,
        *,
        by_number: bool,
    ) -> None:
        """See to it that each column of a layer reads one position only.

        Args:
            columns: The label of what each column carries.
            read: The labels at each position of each column.
            sets: What the labels mean.
            by_number: Whether the layer takes inputs for numbers of rows of a table.

        Raises:
            ReadDifferentlyError: One does not, and the axis is found that it does read.
        """
        if self.axis != EVERY:
            return
        members = sets.table(columns)
        several = (self._own(members).sum(1) > 1).any()
        if several or any(map(self._is_in, sets.junctions)):
            if by_number:
                raise self._read_along(None)
            units = sets.table(read.reshape(-1))[:, 0].reshape(read.shape)
            raise self._read_along(self._axis_of(units))

    def check_junction(self, junction: Junction) -> None:
        """See to it that no sum hides single positions.

        Raises:
            ReadDifferentlyError: One does: the channels are what is read.
        """
        if self.axis == EVERY and self._is_in(junction):
            raise self._read_along(1 if self._shape else None)

    def _read_along(self, axis: Axis) -> ReadDifferentlyError:
        """Say, and note, along which axis the input is read."""
        self.differs = ReadDifferentlyError(self.number, axis)
        return self.differs

    def _is_in(self, junction: Junction) -> bool:
        return any(self._own(members).any() for members in junction.members)

    def _own(self, units: Int[np.ndarray, "..."]) -> np.ndarray:
        return (units >= self.first) & (units < self.first + self.count)

    def _axis_of(self, units: Int[np.ndarray, "column position"]) -> Axis:
        """Find the axis along which the columns of a reader differ."""
        own = self._own(units)
        positions = np.where(own, units - self.first, 0)
        for axis in reversed(range(len(self._shape))):
            where = np.unravel_index(positions, self._shape)[axis]
            low = np.where(own, where, self.count).min(1)
            high = np.where(own, where, -1).max(1)
            if (low >= high).all():
                return axis + 1
        return 1 if self._shape else None


def axes_at_first(tensors: Sequence[Tensor]) -> list[Axis]:
    """Take every input position by position, until a layer reads it otherwise."""
    return [EVERY for _ in tensors]
