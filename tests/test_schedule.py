import pytest
import torch_pruning as tp
from hypothesis import given
from hypothesis import strategies as st

from sculpt_plugin.errors import DataError
from sculpt_plugin.pruning.schedule import check, linear, next_count


def run(schedule, *, total, holds, start=0, limit=None):
    """Drive a schedule to its end; `holds(count)` says what is accepted."""
    attempts = []
    while True:
        count = next_count(schedule, attempts, total=total, start=start, limit=limit)
        if count is None:
            return attempts
        attempts.append((count, holds(count)))


def test_linear_is_torch_prunings_own_scheduler():
    from torch_pruning.pruner.algorithms.scheduler import linear_scheduler

    assert tp is not None
    assert linear(0.7, 9) == linear_scheduler(0.7, 9)


def test_steps_are_taken_until_a_failure_and_halved_after_it():
    counts = [count for count, _ in run(0.2, total=50, holds=lambda n: n <= 33)]
    assert counts == [10, 20, 30, 40, 35, 32, 34, 33, 34]


def test_the_count_that_holds_is_found_and_the_next_one_was_tried():
    attempts = run(0.3, total=100, holds=lambda n: n <= 71)
    assert max(n for n, held in attempts if held) == 71
    assert attempts[-1] == (72, False)


def test_shares_end_where_they_end():
    counts = [n for n, _ in run(linear(0.5, 2), total=8, holds=lambda n: True)]
    assert counts == [2, 4]


def test_a_later_stage_starts_from_what_is_gone():
    counts = [n for n, _ in run(0.25, total=100, start=60, holds=lambda n: True)]
    assert counts == [85, 100]


def test_the_limit_is_tried_and_never_passed():
    counts = [n for n, _ in run(0.4, total=10, limit=9, holds=lambda n: True)]
    assert counts == [4, 8, 9]


def test_a_step_below_one_removes_one():
    assert next_count(0.001, [], total=10) == 1


@given(
    total=st.integers(2, 400),
    step=st.floats(0.01, 1),
    most=st.integers(0, 400),
    start=st.integers(0, 100),
)
def test_for_any_bound_the_search_ends_at_it(total, step, most, start):
    start = min(start, total - 1)
    attempts = run(step, total=total, start=start, holds=lambda n: n <= most)
    held = [n for n, accepted in attempts if accepted]
    assert max(held, default=start) == min(max(most, start), total)
    assert held == sorted(set(held))


@pytest.mark.parametrize(
    "schedule", [0.0, -0.1, 1.5, [], [0.5, 0.1], [0.0, 1.2], float("nan")]
)
def test_schedules_that_make_no_sense_are_refused(schedule):
    with pytest.raises(DataError, match="units must be"):
        check(schedule, name="units")


def test_a_step_below_one_removes_one_at_a_time() -> None:
    assert next_count(1e-300, [], total=48) == next_count(1 / 48, [], total=48) == 1


@pytest.mark.parametrize(
    ("attempts", "finest", "expected"),
    [
        # 10 of 100 left: a failed step of 20 is halved while 10 % of 100 is less.
        ([(20, False)], 0.1, 10),
        ([(20, False), (10, False)], 0.1, None),
        ([(20, False), (10, False)], 0.09, 5),
        # Of the 50 that are left, 10 % is 5: the failure at 5 is the end.
        ([(50, True), (60, False)], 0.1, 55),
        ([(50, True), (60, False), (55, False)], 0.1, None),
        # What is left shrinks, and with it the smallest step.
        ([(50, True), (60, False), (55, True), (60, False)], 0.1, 57),
        # Without it, down to one.
        ([(50, True), (60, False), (55, False)], 0.0, 52),
        ([(50, True), (52, False), (51, False)], 0.0, None),
        # A share of less than one is one.
        ([(98, True), (99, False)], 0.1, None),
        # A success is never the end.
        ([(50, True), (60, True)], 0.9, 70),
        ([(100, True)], 0.1, None),
    ],
)
def test_stage_ends_where_the_smallest_share_fails(attempts, finest, expected):
    assert next_count(0.1, attempts, total=100, finest=finest) == expected


@given(
    total=st.integers(2, 400), step=st.floats(0.01, 1), most=st.integers(0, 400),
    finest=st.floats(0, 0.5),
)  # fmt: skip
def test_smallest_share_only_shortens_the_search(total, step, most, finest):
    def attempts(finest):
        tried = []
        while (
            count := next_count(step, tried, total=total, finest=finest)
        ) is not None:
            tried.append((count, count <= most))
        return tried

    short, long = attempts(finest), attempts(0.0)

    assert short == long[: len(short)]
    if short != long:
        count, held = short[-1]
        last = max((n for n, held in short if held), default=0)
        assert not held
        assert count - last <= max(1, finest * (total - last))
