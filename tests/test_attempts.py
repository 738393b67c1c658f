"""What comes next follows from what was tried."""

from dataclasses import replace

import pytest

from sculpt_plugin.pruning.attempts import Attempt, Plan, next_attempt
from sculpt_plugin.pruning.record import Step
from sculpt_plugin.pruning.schedule import linear

BOTH = Plan(0.5, 0.25, unit_total=8, unit_limit=6, edge_total=40)


def record(*turns) -> list[Step]:
    return [
        Step(stage, turn, gone, 0, 0, 1.0, held, 1.0, 0.0)
        for turn, (stage, gone, held) in enumerate(turns)
    ]


DENSE = ("dense", 0, True)
UNITS = (DENSE, ("units", 4, True), ("units", 6, False), ("units", 5, False))


@pytest.mark.parametrize(
    ("turns", "gone", "expected"),
    [
        ((), 0, ("dense", 0)),
        ((DENSE,), 0, ("units", 4)),
        # The last unit of each layer stays, so 6 of 8 is the most.
        ((DENSE, ("units", 4, True)), 20, ("units", 6)),
        (UNITS, 20, ("retrain", 20)),
        ((*UNITS, ("retrain", 20, False)), 20, ("edges", 30)),
        ((*UNITS, ("retrain", 20, True), ("edges", 30, True)), 30, ("edges", 39)),
        ((*UNITS, ("retrain", 20, True), ("edges", 30, False)), 20, ("edges", 25)),
        ((*UNITS, ("retrain", 20, True), ("edges", 21, False)), 20, None),
    ],
)
def test_units_go_first_then_a_training_then_edges(turns, gone, expected):
    found = next_attempt(BOTH, record(*turns), edges_gone=gone)

    assert found == (expected and Attempt(*expected))


def test_without_units_edges_go_at_once():
    plan = Plan(None, 0.25, unit_total=8, unit_limit=6, edge_total=40)

    assert next_attempt(plan, record(DENSE), edges_gone=0) == Attempt("edges", 10)


def test_without_edges_the_search_ends_after_the_units():
    plan = Plan(0.5, None, unit_total=8, unit_limit=6, edge_total=40)

    assert next_attempt(plan, record(*UNITS), edges_gone=20) is None


@pytest.mark.parametrize(
    ("turns", "gone", "expected"),
    [
        # 4 of 8 units are left, a quarter is 1: the failure at 2 is not the end.
        ((DENSE, ("units", 4, True), ("units", 6, False)), 20, ("units", 5)),
        # 8 are left, a quarter is 2.
        ((DENSE, ("units", 4, False), ("units", 2, False)), 0, ("retrain", 0)),
        # 20 of 40 edges are left, a quarter is 5.
        ((*UNITS, ("retrain", 20, True), ("edges", 26, False)), 20, ("edges", 23)),
        ((*UNITS, ("retrain", 20, True), ("edges", 25, False)), 20, None),
    ],
)
def test_both_stages_end_where_the_smallest_share_fails(turns, gone, expected):
    plan = Plan(0.5, 0.25, unit_total=8, unit_limit=6, edge_total=40, finest=0.25)

    found = next_attempt(plan, record(*turns), edges_gone=gone)

    assert found == (expected and Attempt(*expected))


EDGES = Plan(None, 0.5, unit_total=8, unit_limit=6, edge_total=6, one_by_one=True)
HALF = (DENSE, ("edges", 3, True))
AT_4, FAILS_4, FAILS_5 = ("edges", 4, True), ("edges", 4, False), ("edges", 5, False)


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        # The schedule comes first, and so does its halving.
        (HALF, ("edges", 5)),
        ((*HALF, FAILS_5), ("edges", 4)),
        # Of three edges the smallest cannot go, then the second, then the third.
        ((*HALF, FAILS_4), ("edges", 4, 1)),
        ((*HALF, FAILS_4, FAILS_4), ("edges", 4, 2)),
        # One training more is the end, whether its score holds or not.
        ((*HALF, *[FAILS_4] * 3), ("retrain", 3)),
        ((*HALF, *[FAILS_4] * 3, ("retrain", 3, True)), None),
        ((*HALF, *[FAILS_4] * 3, ("retrain", 3, False)), None),
        # Where the second goes, what was the third is the second of two.
        ((*HALF, FAILS_4, AT_4), ("edges", 5, 1)),
        # Then the smallest is tried again; there is no third.
        ((*HALF, FAILS_4, AT_4, FAILS_5), ("edges", 5)),
        ((*HALF, FAILS_4, AT_4, FAILS_5, FAILS_5), ("retrain", 4)),
        # Where the third of three goes, the smallest is next.
        ((*HALF, FAILS_4, FAILS_4, AT_4), ("edges", 5)),
        # The last edge stays.
        ((*HALF, FAILS_4, AT_4, ("edges", 5, True)), ("retrain", 5)),
    ],
)
def test_one_by_one_ends_where_each_edge_was_tried_in_vain(turns, expected):
    gone = [count for _, count, held in turns if held][-1]

    found = next_attempt(EDGES, record(*turns), edges_gone=gone)

    assert found == (expected and Attempt(*expected))


def test_one_by_one_removes_no_more_than_a_schedule_says():
    plan = replace(EDGES, edges=linear(0.5, 2))
    turns = (DENSE, ("edges", 1, True), ("edges", 3, False), ("edges", 2, False))

    assert next_attempt(plan, record(*turns), edges_gone=1) == Attempt("edges", 2, 1)
    turns = (*turns, ("edges", 2, True))
    assert next_attempt(plan, record(*turns), edges_gone=2) == Attempt("edges", 3, 1)
    turns = (*turns, ("edges", 3, True))
    assert next_attempt(plan, record(*turns), edges_gone=3) == Attempt("retrain", 3)


def test_one_by_one_of_a_schedule_that_never_failed_is_a_training():
    plan = replace(EDGES, edges=linear(0.5, 1))

    assert next_attempt(plan, record(*HALF), edges_gone=3) == Attempt("retrain", 3)


def test_one_by_one_without_an_edge_to_remove_is_nothing_more():
    plan = replace(EDGES, units=0.5, edges=linear(0.5, 1))
    turns = (DENSE, ("units", 4, True), ("units", 5, False), ("retrain", 5, True))

    assert next_attempt(plan, record(*turns), edges_gone=5) is None
