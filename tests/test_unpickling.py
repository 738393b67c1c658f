"""The inert machine reads what Python's own does, and makes nothing of the rest."""

import pickle
from collections import OrderedDict
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from sculpt_plugin.files.unpickling import Name, PickleError, Record, unpickle

LEAVES = (
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats(allow_nan=False)
    | some.text()
    | some.binary()
)
PLAIN = some.recursive(
    LEAVES,
    lambda inner: (
        some.lists(inner)
        | some.lists(inner).map(tuple)
        | some.dictionaries(some.text() | some.integers(0, 2**40), inner)
    ),
)


# In protocols 0 to 2, bytes are made by a call.
@settings(max_examples=50)
@given(value=PLAIN, protocol=some.sampled_from([3, 4, 5]))
def test_plain_data_are_read_as_python_reads_them(value: Any, protocol: int) -> None:
    assert unpickle(BytesIO(pickle.dumps(value, protocol))) == value


@pytest.mark.parametrize("protocol", range(6))
def test_objects_become_records_in_every_protocol(protocol: int) -> None:
    record = unpickle(BytesIO(pickle.dumps(PurePosixPath("a"), protocol)))
    assert isinstance(record, Record)


@pytest.mark.parametrize("protocol", range(6))
def test_names_stay_names(protocol: int) -> None:
    heard: list[str] = []
    name = unpickle(BytesIO(pickle.dumps(OrderedDict, protocol)), named=heard.append)
    assert isinstance(name, Name)
    assert heard == [name.path] == ["collections.OrderedDict"]


def test_objects_that_occur_twice_are_one() -> None:
    shared = [1]
    first, second = unpickle(BytesIO(pickle.dumps((shared, shared))))
    assert first is second


def test_sets_are_read_and_their_odd_members_are_equal_to_nothing() -> None:
    assert unpickle(BytesIO(pickle.dumps({1, "a"}, 4))) == {1, "a"}
    assert (1, 2) not in unpickle(BytesIO(pickle.dumps({(1, 2)}, 4)))


def test_stream_is_left_behind_the_pickle() -> None:
    stream = BytesIO(pickle.dumps(1) + pickle.dumps(2))
    assert [unpickle(stream), unpickle(stream)] == [1, 2]


def test_extension_codes_are_refused() -> None:
    with pytest.raises(PickleError, match="EXT1"):
        unpickle(BytesIO(b"\x80\x02\x82\x01."))
