"""Rows of yes and no, 64 to a word: which are equal, and how much they overlap."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8, UInt64

# Most columns that are unpacked at once for counting overlaps.
_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class Rows:
    """One row of bits for each unit.

    Attributes:
        packed: The bits of row `i`, 64 to a word; bit `b % 64` of word `b // 64` is
            place `b`.
        columns: How many columns count, as room for chance; there may be fewer bits
            set than that, and no bit is set beyond.
        first: Where the places of each row begin in `column`. Rows that begin
            elsewhere have no column in common, whatever their bits.
        column: The column of each place.
    """

    packed: UInt64[np.ndarray, "unit word"]
    columns: int
    first: Int[np.ndarray, " unit"]
    column: Int[np.ndarray, " place"]

    def union(self, units: Int[np.ndarray, " chosen"]) -> Bool[np.ndarray, " column"]:
        """Tell which columns any of some rows has.

        Example:
            The first two rows have columns 0 and 2, the third has column 1.

            >>> packed = np.array([[1], [2], [1]], dtype="<u8")
            >>> rows = Rows(packed, 3, np.array([0, 0, 2]), np.array([0, 2, 1]))
            >>> rows.union(np.array([1, 2])).astype(int)
            array([0, 1, 1])
        """
        found = np.zeros(self.columns, dtype=bool)
        joined: dict[int, UInt64[np.ndarray, " word"]] = {}
        for unit, first in zip(units.tolist(), self.first[units].tolist(), strict=True):
            if first in joined:
                joined[first] |= self.packed[unit]
            else:
                joined[first] = self.packed[unit].copy()
        for first, row in joined.items():
            places = np.flatnonzero(_bits(row[None], 64 * len(row))[0])
            found[self.column[first + places]] = True
        return found


def same(
    packed: UInt64[np.ndarray, "unit word"] | Bool[np.ndarray, "unit column"],
) -> tuple[Int[np.ndarray, " kind"], Int[np.ndarray, " unit"]]:
    """Find the kinds of rows: equal rows are of one kind.

    Args:
        packed: Rows of bits, or of yes and no.

    Returns:
        The first unit of each kind, rising, and the kind of each unit.

    Example:
        >>> first, kind = same(np.array([[7], [1], [7]], dtype="<u8"))
        >>> first.tolist(), kind.tolist()
        ([0, 1], [0, 1, 0])
    """
    seen: dict[bytes, int] = {}
    found = [seen.setdefault(row.tobytes(), len(seen)) for row in packed]
    kind = np.array(found, dtype=np.int64)
    return np.unique(kind, return_index=True)[1], kind


def varying(
    packed: UInt64[np.ndarray, "unit word"],
) -> tuple[Int[np.ndarray, " column"], int]:
    """Tell the columns in which rows differ, and how many columns all rows have.

    In a network without structure nearly everything reaches nearly all of the layers
    far above, so few columns are worth looking at one by one.

    Args:
        packed: Rows of bits, at least one.

    Returns:
        The columns that some rows have and others have not, rising, and the number of
        columns that all rows have.

    Example:
        >>> columns, common = varying(np.array([[7], [5]], dtype="<u8"))
        >>> columns.tolist(), common
        ([1], 2)
    """
    every = np.bitwise_and.reduce(packed, axis=0)
    differ = np.bitwise_or.reduce(packed, axis=0) ^ every
    words = np.flatnonzero(differ)
    word, bit = np.nonzero(_bits(differ[words, None], 64))
    return 64 * words[word] + bit, int(np.bitwise_count(every).sum())


def take(
    packed: UInt64[np.ndarray, "unit word"], columns: Int[np.ndarray, " column"]
) -> UInt8[np.ndarray, "unit column"]:
    """Unpack some columns, as 0 and 1.

    Example:
        >>> take(np.array([[6], [1]], dtype="<u8"), np.array([0, 2]))
        array([[0, 1],
               [1, 0]], dtype=uint8)
    """
    octets = np.ascontiguousarray(packed).view(np.uint8)
    found = octets[:, columns // 8]
    found >>= (columns % 8).astype(np.uint8)
    found &= 1
    return found


def overlaps(
    packed: UInt64[np.ndarray, "unit word"],
) -> Float32[np.ndarray, "unit unit"]:
    """Count the columns that each two rows share; the diagonal counts each row's own.

    Args:
        packed: Rows of bits, at least one, of fewer than 2**24 columns.

    Returns:
        Whole numbers.

    Example:
        >>> overlaps(np.array([[7], [5]], dtype="<u8"))
        array([[3., 2.],
               [2., 2.]], dtype=float32)
    """
    columns, common = varying(packed)
    # Whole numbers below 2**24 are exact in single precision.
    counts = np.full((len(packed), len(packed)), common, dtype=np.float32)
    for first in range(0, len(columns), _BLOCK):
        rows = take(packed, columns[first : first + _BLOCK]).astype(np.float32)
        counts += rows @ rows.T
    return counts


def _bits(
    packed: UInt64[np.ndarray, "unit word"], columns: int
) -> Bool[np.ndarray, "unit column"]:
    """Unpack the first columns of rows."""
    octets = np.ascontiguousarray(packed).view(np.uint8)
    return np.unpackbits(octets, axis=1, count=columns, bitorder="little").view(bool)
