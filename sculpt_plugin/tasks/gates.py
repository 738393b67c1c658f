"""A gate: a truth table over the names, or other gates, that it reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from sculpt_plugin.errors import TaskError

MOST_READS = 16
"""A table doubles with each name it reads; 16 names make 65,536 rows."""


@dataclass(frozen=True)
class Gate:
    """A Boolean function of the values it reads.

    Every gate is its truth table, so any function of up to 16 values can be
    written down. The functions of this module (`and_`, `xor`, `minterms`, ...)
    spell the usual ones. Gates nest: what is nested has no name of its own, and so
    is no sub-function of the task, only a way to write a larger one.

    Attributes:
        reads: What the gate reads: names of inputs or functions, or gates.
        table: One `0` or `1` for each row of values read; the first value is the
            most significant bit of the row number.

    Example:
        "Exactly one of the two" is 0, 1, 1, 0 over the rows 00, 01, 10, 11.

        >>> Gate(reads=("a", "b"), table="0110") == xor("a", "b")
        True
    """

    reads: "tuple[str | Gate, ...]"
    table: str

    def __post_init__(self) -> None:
        """Refuse a table that does not fit what is read."""
        if not self.reads:
            raise TaskError("A gate must read at least one name, got none.")
        if len(set(self.reads)) < len(self.reads):
            raise TaskError(
                f"A gate must read each name once, got {_spell(self.reads)}: "
                "leave the repeats out."
            )
        if len(self.reads) > MOST_READS:
            raise TaskError(
                f"A gate can read {MOST_READS} names at most, got {len(self.reads)}: "
                "split it into several."
            )
        if len(self.table) != 2 ** len(self.reads) or set(self.table) - {"0", "1"}:
            raise TaskError(
                f"A gate that reads {_spell(self.reads)} needs a table of "
                f"{2 ** len(self.reads)} characters 0 or 1, got {self.table!r}."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The names it reads, those of nested gates included, in order."""
        found: dict[str, None] = {}
        for read in self.reads:
            found.update(
                dict.fromkeys((read,) if isinstance(read, str) else read.names)
            )
        return tuple(found)

    def values(
        self, known: Mapping[str, Bool[np.ndarray, " row"]]
    ) -> Bool[np.ndarray, " row"]:
        """Give the gate's value in every row.

        Args:
            known: The values of each name that the gate reads.

        Returns:
            One value for each row.

        Example:
            >>> bits = np.array([False, True])
            >>> and_("a", not_("b")).values({"a": bits, "b": ~bits})
            array([False,  True])
        """
        number = np.zeros((), dtype=np.int64)
        for read in self.reads:
            bits = known[read] if isinstance(read, str) else read.values(known)
            number = 2 * number + bits
        return np.array([digit == "1" for digit in self.table])[number]


def all_rows(names: Sequence[str]) -> dict[str, Bool[np.ndarray, " row"]]:
    """Give each name its value in every row of a truth table.

    Args:
        names: The names; the first is the most significant bit of the row number.

    Returns:
        `2 ** len(names)` values for each name.

    Raises:
        TaskError: More than 16 names.

    Example:
        >>> all_rows(["a", "b"])["a"].astype(int)
        array([0, 0, 1, 1])
    """
    if len(names) > MOST_READS:
        raise TaskError(
            f"A truth table can have {MOST_READS} inputs at most, got {len(names)}."
        )
    number = np.arange(2 ** len(names))
    return {
        name: (number >> (len(names) - 1 - place)) % 2 == 1
        for place, name in enumerate(names)
    }


def and_(*reads: str | Gate) -> Gate:
    """Make a gate that is 1 where everything it reads is 1.

    Args:
        *reads: Names or gates.

    Returns:
        The gate.

    Example:
        >>> and_("a", "b").table
        '0001'
    """
    return Gate(reads, "0" * (2 ** len(reads) - 1) + "1")


def or_(*reads: str | Gate) -> Gate:
    """Make a gate that is 1 where anything it reads is 1.

    Args:
        *reads: Names or gates.

    Returns:
        The gate.

    Example:
        >>> or_("a", "b").table
        '0111'
    """
    return Gate(reads, "0" + "1" * (2 ** len(reads) - 1))


def xor(*reads: str | Gate) -> Gate:
    """Make a gate that is 1 where an odd number of what it reads is 1.

    Args:
        *reads: Names or gates.

    Returns:
        The gate.

    Example:
        >>> xor("a", "b", "c").table
        '01101001'
    """
    return Gate(reads, "".join(str(n.bit_count() % 2) for n in range(2 ** len(reads))))


def xnor(*reads: str | Gate) -> Gate:
    """Make a gate that is 1 where an even number of what it reads is 1.

    Args:
        *reads: Names or gates.

    Returns:
        The gate.

    Example:
        >>> xnor("a", "b").table
        '1001'
    """
    return not_(xor(*reads))


def not_(read: str | Gate) -> Gate:
    """Make a gate that is 1 where what it reads is 0.

    Args:
        read: A name, or a gate, which comes back with its table turned over.

    Returns:
        The gate.

    Example:
        >>> not_("a").table, not_(and_("a", "b")).table
        ('10', '1110')
    """
    if isinstance(read, Gate):
        return Gate(read.reads, read.table.translate(str.maketrans("01", "10")))
    return Gate((read,), "10")


def minterms(rows: Sequence[str], *, reads: Sequence[str | Gate]) -> Gate:
    """Make a gate that is 1 on the rows listed and 0 on all others.

    Args:
        rows: Rows such as `"1010"`, one digit for each value read.
        reads: Names or gates.

    Returns:
        The gate.

    Raises:
        TaskError: A row has another length than `reads`, or is no row of digits.

    Example:
        >>> minterms(["01", "10"], reads=("a", "b")).table
        '0110'
    """
    for row in rows:
        if len(row) != len(reads) or set(row) - {"0", "1"}:
            raise TaskError(
                f"A row over {_spell(reads)} needs {len(reads)} digits 0 or 1, "
                f"got {row!r}."
            )
    table = ["0"] * 2 ** len(reads)
    for row in rows:
        table[int(row, 2)] = "1"
    return Gate(tuple(reads), "".join(table))


def _spell(reads: Sequence[str | Gate]) -> str:
    """The reads as the user wrote them, in one short line."""
    return ", ".join(read if isinstance(read, str) else "a gate" for read in reads)
