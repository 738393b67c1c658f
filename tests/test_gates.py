from itertools import product

import numpy as np
import pytest

from sculpt_plugin.errors import TaskError
from sculpt_plugin.tasks.gates import (
    Gate,
    all_rows,
    and_,
    minterms,
    not_,
    or_,
    xnor,
    xor,
)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize(
    ("make", "meaning"),
    [
        (and_, all),
        (or_, any),
        (xor, lambda bits: sum(bits) % 2 == 1),
        (xnor, lambda bits: sum(bits) % 2 == 0),
    ],
)
def test_gate_means_what_python_means(make, meaning, count):
    names = [f"x{place}" for place in range(count)]
    expected = [bool(meaning(bits)) for bits in product((0, 1), repeat=count)]

    values = make(*names).values(all_rows(names))

    assert values.tolist() == expected


def test_first_name_is_the_most_significant_bit_of_the_row():
    rows = all_rows(("a", "b", "c"))

    assert rows["a"].astype(int).tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert rows["c"].astype(int).tolist() == [0, 1, 0, 1, 0, 1, 0, 1]


def test_minterms_are_rows_read_from_left_to_right():
    gate = minterms(("1100", "1010", "0011"), reads=("a", "b", "c", "d"))

    assert gate.table == "0001000000101000"


def test_nested_gate_equals_the_function_written_out():
    nested = or_(and_("a", not_("b")), and_(not_("a"), "b"))
    rows = all_rows(("a", "b"))

    assert np.array_equal(nested.values(rows), xor("a", "b").values(rows))
    assert nested.names == ("a", "b")


def test_not_of_a_gate_turns_its_table_over():
    assert not_(xor("a", "b")) == xnor("a", "b")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: and_(), "must read at least one name, got none"),
        (lambda: and_("a", "a"), "must read each name once, got a, a: leave"),
        (lambda: and_(*map(str, range(17))), "can read 16 names at most, got 17"),
        (lambda: Gate(("a",), "011"), "reads a needs a table of 2 .* got '011'"),
        (lambda: Gate(("a",), "0x"), "characters 0 or 1, got '0x'"),
        (lambda: minterms(["1"], reads="ab"), "over a, b needs 2 digits .* got '1'"),
        (lambda: all_rows([str(n) for n in range(17)]), "16 inputs at most, got 17"),
    ],
)
def test_gate_that_makes_no_sense_is_refused(make, message):
    with pytest.raises(TaskError, match=message):
        make()
