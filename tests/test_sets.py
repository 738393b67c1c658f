"""Sets of units behind labels: unions, and junctions for large ones."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sculpt_plugin.tracing.sets import EMPTY, LIMIT, UnitSets


def resolved(sets: UnitSets, label: int) -> set[int]:
    """The units of a set, those behind junctions in their place."""
    found = set(sets.units(label).tolist())
    for junction in reversed(sets.junctions):
        for unit, members in enumerate(junction.members, start=junction.first):
            if unit in found:
                found = found - {unit} | set(members.tolist())
    return found


def test_the_empty_set_adds_nothing() -> None:
    sets = UnitSets()
    one = sets.new_units(1)
    assert sets.units(EMPTY).tolist() == []
    assert sets.join(np.array([EMPTY]), one).tolist() == one.tolist()
    assert sets.unite(np.zeros((2, 0), dtype=np.int32)).tolist() == [EMPTY, EMPTY]


def test_a_set_has_one_label_however_it_was_made() -> None:
    sets = UnitSets()
    a, b = sets.new_units(2)
    pair = sets.join(np.array([a]), np.array([b]))
    assert sets.join(np.array([b]), np.array([a])).tolist() == pair.tolist()
    assert sets.unite(np.array([[a, b, a, EMPTY]])).tolist() == pair.tolist()


def test_a_large_set_becomes_one_unit_and_is_made_once() -> None:
    sets = UnitSets()
    labels = sets.new_units(LIMIT + 1)
    (first,) = sets.unite(labels[None])
    (second,) = sets.unite(labels[None, ::-1])
    assert first == second
    assert len(sets.junctions) == 1
    assert sets.units(int(first)).tolist() == [LIMIT + 1]
    assert sets.junctions[0].members[0].tolist() == [0, 1, 2]


def test_junction_units_are_numbered_in_the_order_of_their_columns() -> None:
    sets = UnitSets()
    labels = sets.new_units(9).reshape(3, 3)
    found = sets.unite(labels[::-1])
    assert [sets.units(int(x)).tolist() for x in found] == [[9], [10], [11]]
    assert sets.junctions[0].members[0].tolist() == [6, 7, 8]


@settings(max_examples=100, derandomize=True)
@given(
    st.lists(
        st.tuples(st.sampled_from("ju"), st.lists(st.integers(0, 30), min_size=4)),
        max_size=12,
    )
)
def test_unions_are_those_of_python_sets(steps: list) -> None:
    sets = UnitSets()
    known = [(int(label), {unit}) for unit, label in enumerate(sets.new_units(5))]
    for kind, numbers in steps:
        chosen = [known[number % len(known)] for number in numbers]
        labels = np.array([label for label, _ in chosen], dtype=np.int32)
        if kind == "j":
            made = sets.join(labels[:2], labels[2:4])
            expected = [chosen[i][1] | chosen[i + 2][1] for i in (0, 1)]
        else:
            made = sets.unite(labels[None])
            expected = [set().union(*(units for _, units in chosen))]
        known += list(zip(map(int, made), expected, strict=True))
    for label, units in known:
        assert resolved(sets, label) == units
        assert len(sets.units(label)) <= LIMIT
