"""Lists and ranges of numbers, as they are typed."""

import pytest
import torch
import typer

from sculpt_plugin import arguments
from sculpt_plugin.arguments import (
    input_like,
    per_cents,
    seeds_from,
    whole_numbers,
)


def _per_cents(text: str) -> tuple[float, ...]:
    return per_cents(text, name="--unit-steps", example="5:70:5")


def _seeds(text: str) -> tuple[int, ...]:
    return seeds_from(text, name="--seeds", example="0,1,2,5")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("35", (35,)),
        ("5,10,20", (5, 10, 20)),
        ("20, 5", (20, 5)),
        ("5:70:5", tuple(range(5, 71, 5))),
        ("0.5:2.5:0.5", (0.5, 1, 1.5, 2, 2.5)),
        ("0.1:0.7:0.1", (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)),
        ("5:12:5", (5, 10)),
        ("5:5:1", (5,)),
        ("1:3", (1, 2, 3)),
        ("40,1:2:0.5", (40, 1, 1.5, 2)),
    ],
)
def test_lists_and_ranges_are_read_as_typed(text, numbers) -> None:
    assert _per_cents(text) == numbers


@pytest.mark.parametrize(
    ("text", "numbers"), [("0,1,2,5", (0, 1, 2, 5)), ("0:3", (0, 1, 2, 3)), ("7", (7,))]
)
def test_seeds_have_the_same_grammar(text, numbers) -> None:
    assert _seeds(text) == numbers
    assert all(type(number) is int for number in _seeds(text))


@pytest.mark.parametrize(
    "text",
    [
        *("", ",", "a", "5,,6", "5:", "70:5:5", "5:70:0", "5:70:-5", "1:2:3:4", "5;6"),
        *("0", "-1", "100.5", "nan", "inf", "1:inf", "1e999", "1e-999"),
        *("sNaN", "1:nan", "1:2:nan", "1:100:1e-9999999", "1e99999999999"),
    ],
)
def test_what_is_no_row_of_per_cents_is_said_with_an_example(text) -> None:
    wanted = r"--unit-steps must be per cent .* range first:last:step, such as 5:70:5"
    with pytest.raises(typer.BadParameter, match=wanted) as caught:
        _per_cents(text)
    assert f"got {text!r}" in str(caught.value)


@pytest.mark.parametrize("text", ["1.5", "0:3:0.5", "-1", "9" * 20, "nan"])
def test_what_is_no_row_of_seeds_is_said(text) -> None:
    with pytest.raises(typer.BadParameter, match="--seeds must be whole numbers from"):
        _seeds(text)


@pytest.mark.parametrize("text", ["1,1", "0:5,3", "2,2.0"])
def test_a_number_may_not_come_twice(text) -> None:
    with pytest.raises(typer.BadParameter, match="name each number once"):
        _seeds(text)


@pytest.mark.parametrize("text", ["1:100:0.001", "1:100:1e-500"])
def test_a_range_that_does_not_end_in_time_is_refused_at_once(text) -> None:
    with pytest.raises(typer.BadParameter, match="at most 1000 numbers"):
        _per_cents(text)


def test_widths_are_whole_numbers_above_0() -> None:
    with pytest.raises(typer.BadParameter, match="whole numbers above 0"):
        whole_numbers("24,0", name="--hidden", example="24,24")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("16", ((16,), None)),
        ("3,32,32", ((3, 32, 32), None)),
        ("16:int64", ((16,), "int64")),
        ("2, 8:bfloat16", ((2, 8), "bfloat16")),
    ],
)
def test_an_input_is_typed_as_a_shape_and_perhaps_a_dtype(text, read):
    assert input_like(text, name="--input-shape", example="16:int64") == read


@pytest.mark.parametrize("text", ["16:", "16:int", "16:long:int64", "16:__class__"])
def test_another_dtype_is_refused_with_the_known_ones(text):
    with pytest.raises(typer.BadParameter, match="one of float32, float64, "):
        input_like(text, name="--input-shape", example="16:int64")


@pytest.mark.parametrize("text", ["", ":int64", "0:int64", "3,x", "-1"])
def test_another_shape_is_refused_with_an_example(text):
    with pytest.raises(typer.BadParameter, match="as 16:int64"):
        input_like(text, name="--input-shape", example="16:int64")


@pytest.mark.parametrize("name", arguments._DTYPES)
def test_a_dtype_that_can_be_typed_is_one_of_torchs(name):
    assert isinstance(getattr(torch, name), torch.dtype)


@pytest.mark.parametrize("text", ["9" * 10**5, "x" * 10**5, "5," * 10**4 + "5"])
def test_what_is_long_and_wrong_is_not_echoed_whole(text) -> None:
    for read in (_per_cents, _seeds, _widths):
        with pytest.raises(typer.BadParameter) as caught:
            read(text if read is not _widths else f"{text}x")
        assert len(str(caught.value)) < 400


def _widths(text: str) -> tuple[int, ...]:
    return whole_numbers(text, name="--hidden", example="24,24")
