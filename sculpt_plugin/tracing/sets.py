"""Which units a number carries: sets of units, each known by a label.

A tensor between two layers has millions of entries and few different sets of units
among them. Each set is stored once; labels stand for it everywhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

EMPTY = 0
"""The label of the set without units: a constant."""
LIMIT = 2
"""Sets with more units than this become one unit of a junction."""
_NONE = np.iinfo(np.int32).max

Labels = Int[np.ndarray, "..."]


@dataclass(frozen=True, eq=False)
class Junction:
    """Units that stand for sums of many others.

    Attributes:
        first: The number of the first of its units.
        members: For each of its units the units that it sums up.
    """

    first: int
    members: tuple[Int[np.ndarray, " _"], ...]


class UnitSets:
    """All sets of units that came up in a run.

    Units are numbered in the order in which their layers ran. A set of more than
    `LIMIT` units is given a unit of its own, one of a `Junction`, so that a residual
    stream of fifty summands costs each of its readers one edge and not fifty.

    Attributes:
        unit_count: How many units there are so far.
        junctions: The junctions in the order in which they came up.

    Example:
        >>> sets = UnitSets()
        >>> first = sets.new_units(2)
        >>> both = sets.join(first[:1], first[1:])
        >>> sets.units(int(both[0])).tolist()
        [0, 1]
    """

    def __init__(self) -> None:
        self.unit_count = 0
        self.junctions: list[Junction] = []
        self._members = np.full((1024, LIMIT), _NONE, dtype=np.int32)
        self._count = 1
        self._label_of: dict[bytes, int] = {self._members[EMPTY].tobytes(): EMPTY}
        self._label_alone = np.zeros(0, dtype=np.int32)
        self._junction_of: dict[bytes, int] = {}

    def new_units(self, count: int) -> Int[np.ndarray, " unit"]:
        """Number new units; give a label for each."""
        self.unit_count += count
        return self.alone(np.arange(self.unit_count - count, self.unit_count))

    def alone(self, units: Int[np.ndarray, " unit"]) -> Int[np.ndarray, " set"]:
        """Give the label of each unit alone."""
        if self.unit_count > len(self._label_alone):
            more = np.zeros(self.unit_count + len(self._label_alone), dtype=np.int32)
            self._label_alone = np.concatenate([self._label_alone, more])
        fresh = np.unique(units[self._label_alone[units] == EMPTY])
        if len(fresh):
            rows = np.full((len(fresh), LIMIT), _NONE, dtype=np.int32)
            rows[:, 0] = fresh
            self._label_alone[fresh] = self._added(rows)
        return self._label_alone[units]

    def units(self, label: int) -> Int[np.ndarray, " unit"]:
        """Give the units of one set, in order."""
        row = self._members[label]
        return row[row != _NONE]

    def table(self, labels: Int[np.ndarray, " set"]) -> Int[np.ndarray, "set member"]:
        """Give the units of several sets, -1 where a set has fewer than others."""
        rows = self._members[labels]
        return np.where(rows == _NONE, -1, rows)

    def join(self, left: Labels, right: Labels) -> Labels:
        """Unite sets position by position."""
        left, right = np.broadcast_arrays(left, right)
        if left.size == 0:
            return left.astype(np.int32)
        low, high = np.minimum(left, right), np.maximum(left, right)
        pairs = low.astype(np.int64) * self._count + high
        pairs, first, where = np.unique(pairs, return_index=True, return_inverse=True)
        low, high = np.divmod(pairs, self._count)
        joined = high.astype(np.int32)
        open_ = (low != EMPTY) & (low != high)
        if open_.any():
            both = np.stack([low[open_], high[open_]], axis=1)
            joined[open_] = self._united(both, order=first[open_])
        return joined[where].reshape(left.shape)

    def unite(self, labels: Int[np.ndarray, "set member"]) -> Int[np.ndarray, " set"]:
        """Unite the sets of each row."""
        if labels.shape[1] == 0:
            return np.full(len(labels), EMPTY, dtype=np.int32)
        if (labels == labels[:, :1]).all():
            return labels[:, 0].astype(np.int32)
        rows = np.sort(labels, axis=1)
        kept = np.ones(rows.shape[1], dtype=bool)
        kept[1:] = (rows[:, 1:] != rows[:, :-1]).any(axis=0)
        rows, first, where = np.unique(
            rows[:, kept], axis=0, return_index=True, return_inverse=True
        )
        return self._united(rows, order=first)[where.reshape(-1)]

    def _united(
        self, rows: Int[np.ndarray, "set member"], *, order: Int[np.ndarray, " set"]
    ) -> Int[np.ndarray, " set"]:
        """Unite the sets of each row; new junction units are numbered by `order`."""
        found = np.empty((len(rows), LIMIT), dtype=np.int32)
        large: list[tuple[int, int, np.ndarray]] = []
        if rows.shape[1] * LIMIT <= 64:
            units = np.sort(self._members[rows].reshape(len(rows), -1), axis=1)
            units[:, 1:][units[:, 1:] == units[:, :-1]] = _NONE
            units.sort(axis=1)
            found[:] = units[:, :LIMIT]
            over = np.flatnonzero(units[:, LIMIT] != _NONE)
            large = [(int(order[i]), int(i), units[i][units[i] != _NONE]) for i in over]
        else:
            for i, row in enumerate(rows):
                units = np.unique(self._members[np.unique(row)])
                units = units[units != _NONE]
                if len(units) > LIMIT:
                    large.append((int(order[i]), i, units))
                else:
                    found[i] = _NONE
                    found[i, : len(units)] = units
        for i, unit in self._junction(large):
            found[i] = _NONE
            found[i, 0] = unit
        return self._labelled(found)

    def _junction(
        self, large: Sequence[tuple[int, int, Int[np.ndarray, " _"]]]
    ) -> list[tuple[int, int]]:
        """Give a unit for each large set; those not met before make a junction."""
        made = []
        members = []
        first = self.unit_count
        for _, i, units in sorted(large, key=lambda entry: entry[0]):
            key = units.astype(np.int32).tobytes()
            if key not in self._junction_of:
                self._junction_of[key] = first + len(members)
                members.append(units)
            made.append((i, self._junction_of[key]))
        if members:
            self.junctions.append(Junction(first, tuple(members)))
            self.unit_count += len(members)
        return made

    def _labelled(self, rows: Int[np.ndarray, "set member"]) -> Int[np.ndarray, " set"]:
        """Give the label of each set, a new one where the set is new."""
        rows = np.ascontiguousarray(rows, dtype=np.int32)
        labels = np.empty(len(rows), dtype=np.int32)
        alone = (rows[:, 0] != _NONE) & (rows[:, 1] == _NONE)
        labels[alone] = self.alone(rows[alone, 0])
        for i in np.flatnonzero(~alone):
            key = rows[i].tobytes()
            label = self._label_of.get(key)
            if label is None:
                label = self._label_of[key] = int(self._added(rows[i : i + 1])[0])
            labels[i] = label
        return labels

    def _added(self, rows: Int[np.ndarray, "set member"]) -> Int[np.ndarray, " set"]:
        """Keep new sets; give their labels."""
        labels = np.arange(self._count, self._count + len(rows), dtype=np.int32)
        self._count += len(rows)
        if self._count > len(self._members):
            more = np.full((self._count, LIMIT), _NONE, dtype=np.int32)
            self._members = np.concatenate([self._members, more])
        self._members[labels] = rows
        return labels
