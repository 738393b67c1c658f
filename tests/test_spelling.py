import ast

import pytest
from exported import HOSTILE

from sculpt_plugin.exporting.spelling import LONGEST, spelled


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_name_can_be_told_from_its_spelling(name):
    quoted = spelled(name).replace("'", "\\'")
    assert ast.literal_eval(f"'{quoted}'") == name


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_spelling_holds_only_what_can_be_seen_and_encoded(name):
    assert spelled(name).isprintable()
    spelled(name).encode()


@pytest.mark.parametrize("name", ["encoder.layers.0.fc1", "fc #2", "слой.層", "it's"])
def test_an_honest_name_is_spelled_as_it_is(name):
    assert spelled(name) == name


def test_different_names_are_spelled_differently():
    assert spelled("\n") != spelled("\\n")


def test_a_name_of_a_megabyte_is_cut():
    assert len(spelled("x" * 10**6)) == LONGEST
