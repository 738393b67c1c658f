"""Runs that walk together end as each would end alone, however trials are shared."""

import math
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
import torch

from sculpt_plugin.pruning.attempts import Plan, next_attempt
from sculpt_plugin.pruning.lanes.state import Lane, State, Trial, Tried
from sculpt_plugin.pruning.lanes.walking import Grid, Known, walk
from sculpt_plugin.pruning.record import Step

GRID = Grid(
    seeds=(3, 8),
    unit_steps=(0.05, 0.1, 0.15, 0.3, 0.7),
    edge_steps=(0.02, 0.05, 0.1),
    min_score=1.0,
    unit_total=40,
    unit_limit=38,
    edge_total=200,
)


def chance(*parts) -> float:
    """A number between 0 and 1 that depends on nothing but the arguments."""
    return Random(repr(parts)).random()


SMALL = replace(
    GRID, unit_total=10, unit_limit=8, edge_total=48, unit_steps=(0.1, 0.3, 0.7)
)
"""So few edges that trying each by itself does not take long."""


def named(lane: Lane) -> tuple:
    """What is tried."""
    return lane.stage, lane.gone, lane.spared


class Pretended:
    """Trains nothing: what comes of a trial depends on its state, stage and count."""

    def __init__(self, *, holds=0.6, diverges=0.0, dense=1.0, grid=GRID):
        self.holds, self.diverges, self.dense = holds, diverges, dense
        self.grid = grid
        self.tried: list[tuple] = []

    def state(self, *parts, edge_count: int) -> State:
        value = torch.tensor([chance(*parts)], dtype=torch.float64)
        yes = torch.ones(1, dtype=torch.bool)
        return State(value, yes, yes, edge_count)

    def outcome(self, lane: Lane) -> Tried:
        parts = (self.holds, lane.seed, lane.state.values.item(), *named(lane))
        count = lane.state.edge_count
        if lane.stage == "units":
            count = self.grid.edge_total - 4 * lane.gone
        elif lane.stage == "edges":
            count = self.grid.edge_total - lane.gone
        held = chance("holds", *parts) < self.holds
        score = 1.0 if held else 0.5
        if chance("diverges", *parts) < self.diverges:
            score = math.nan
        return Tried(self.state(*parts, edge_count=count), score)

    def __call__(self, lanes) -> list[Tried]:
        self.tried += [(x.seed, x.state.values.item(), *named(x)) for x in lanes]
        return [self.outcome(lane) for lane in lanes]

    def known(self) -> Known:
        """The dense networks, as a sweep notes them before it walks."""
        known = Known()
        for place, seed in enumerate(self.grid.seeds):
            made = Tried(self.state(seed, edge_count=self.grid.edge_total), self.dense)
            known.note(Trial(place, "dense", 0), made, min_score=1.0, seconds=0.0)
            known.states.setdefault(place, made.state)
        return known


def alone(pretended: Pretended, seed: int, units: float, edges: float):
    """One run by itself, without anything that is shared: record, end, problem."""
    grid = pretended.grid
    plan = Plan(
        units, edges, grid.unit_total, grid.unit_limit, grid.edge_total,
        one_by_one=grid.one_by_one,
    )  # fmt: skip
    state = pretended.state(seed, edge_count=grid.edge_total)
    total = grid.edge_total
    record = [Step("dense", 0, 0, total, total, 1.0, True, 1.0, 0.0)]
    while attempt := next_attempt(
        plan, record, edges_gone=grid.edge_total - state.edge_count
    ):
        made = pretended.outcome(Lane(seed, state, *attempt))
        if math.isnan(made.score):
            return record, state, "the training diverged"
        total = grid.unit_total if attempt.stage == "units" else grid.edge_total
        density = made.state.edge_count / grid.edge_total
        record.append(
            Step(
                attempt.stage, len(record), attempt.gone, total - attempt.gone, total,
                made.score, made.score == 1.0, density, 0.0,
            )
        )  # fmt: skip
        if made.score == 1.0:
            state = made.state
    return record, state, None


def without_seconds(record) -> list[Step]:
    return [replace(step, seconds=0.0) for step in record]


def told(runs):
    """All that a run ended with, comparable."""
    return [
        (
            without_seconds(run.record),
            run.network.values.item(),
            run.network.edge_count,
            run.problem,
        )
        for run in runs
    ]


@pytest.mark.parametrize("grid", [GRID, replace(SMALL, one_by_one=True)])
@pytest.mark.parametrize("spare", [0, 1000])
@pytest.mark.parametrize(
    ("holds", "diverges"), [(0.3, 0), (0.6, 0), (0.85, 0), (0.7, 0.05)]
)
def test_each_run_ends_as_it_would_alone(spare, holds, diverges, grid):
    pretended = Pretended(holds=holds, diverges=diverges, grid=grid)

    runs = walk(grid, pretended.known(), pretended, spare=spare)

    keys = [(run.seed, run.unit_step, run.edge_step) for run in runs]
    assert keys == [
        (seed, units, edges)
        for seed in grid.seeds
        for units in grid.unit_steps
        for edges in grid.edge_steps
    ]
    for run, key in zip(runs, keys, strict=True):
        record, state, problem = alone(pretended, *key)
        assert without_seconds(run.record) == record
        assert run.network.values is not None
        assert run.network.values.item() == state.values.item()
        assert (run.problem or "").startswith(problem or "")
        assert (run.problem is None) == (problem is None)


def test_a_trial_is_trained_once():
    pretended = Pretended()

    runs = walk(GRID, pretended.known(), pretended)

    assert len(set(pretended.tried)) == len(pretended.tried)
    assert len(pretended.tried) < 0.8 * sum(len(run.record) for run in runs)


def test_without_spare_lanes_nothing_is_trained_that_no_run_asks_for():
    pretended, known = Pretended(), Pretended().known()

    runs = walk(GRID, known, pretended)

    asked = {
        (run.seed, step.stage, step.removed, step.score, step.density)
        for run in runs
        for step in run.record
    }
    for trial, outcome in known.outcomes.items():
        density = outcome.edge_count / GRID.edge_total
        found = {
            (seed, trial.stage, trial.gone, outcome.score, density)
            for seed in GRID.seeds
        }
        assert found & asked


@pytest.mark.parametrize("stop_after", [1, 2, 3, 8, 13])
def test_walk_that_was_interrupted_goes_on_from_what_is_known(stop_after):
    class Stop(Exception):
        pass

    pretended = Pretended()
    expected = told(walk(GRID, pretended.known(), pretended, spare=64))
    rounds = 0

    def stop(trials):
        nonlocal rounds
        rounds += 1
        if rounds == stop_after:
            raise Stop

    known = pretended.known()
    with pytest.raises(Stop):
        walk(GRID, known, pretended, spare=64, on_round=stop)
    second = Pretended()
    found = walk(GRID, known, second, spare=64)

    assert told(found) == expected
    assert len(pretended.tried) > len(second.tried)


def test_finished_walk_tries_nothing_again():
    pretended, known = Pretended(), Pretended().known()
    expected = walk(GRID, known, pretended, spare=64)

    def unexpected(lanes):
        raise AssertionError("trained again")

    assert told(walk(GRID, known, unexpected, spare=64)) == told(expected)


def test_networks_that_no_run_comes_back_to_are_dropped():
    pretended, known = Pretended(holds=0.8), Pretended(holds=0.8).known()
    most = 0

    def look(trials):
        nonlocal most
        most = max(most, len(known.states))

    walk(GRID, known, pretended, spare=64, on_round=look)

    accepted = sum(o.state is not None for o in known.outcomes.values())
    assert most < accepted / 2


def test_run_that_lags_behind_finds_the_networks_that_another_has_left():
    """Both go over 2 and 4 units; then the first tries 7 and the second 6."""

    def up_to_three_more(lanes):
        return [
            replace(
                Pretended(holds=1.0).outcome(lane),
                score=float(
                    lane.stage != "units" or lane.gone <= min(7, gone_before(lane) + 3)
                ),
            )
            for lane in lanes
        ]

    def gone_before(lane):
        return (GRID.edge_total - lane.state.edge_count) // 4

    grid = replace(
        GRID, unit_steps=(0.06, 0.79), edge_steps=(0.1,), unit_total=41, unit_limit=40
    )

    runs = walk(grid, Pretended().known(), up_to_three_more)

    tried = [[s.removed for s in run.record if s.stage == "units"] for run in runs[:2]]
    assert tried == [[2, 4, 7, 9, 8], [32, 16, 8, 4, 2, 4, 6, 8, 7, 8]]


def test_runs_that_come_to_the_same_network_hold_the_same_object():
    runs = walk(GRID, Pretended().known(), Pretended())

    networks = {run.network.values.item(): run.network for run in runs}
    assert len(networks) < len(runs)
    assert all(run.network is networks[run.network.values.item()] for run in runs)


def test_dense_network_below_the_score_ends_its_runs_and_no_others():
    pretended, known = Pretended(), Pretended().known()
    low = Tried(known.states[0], 0.75)
    known.outcomes.clear()
    known.states.clear()
    for place, made in enumerate((low, Tried(low.state, 1.0))):
        known.note(Trial(place, "dense", 0), made, min_score=1.0, seconds=0.0)
        known.states.setdefault(place, made.state)

    runs = walk(GRID, known, pretended)

    failed, others = runs[:15], runs[15:]
    assert {run.problem for run in failed} == {
        "the dense network of seed 3 scores 0.75, below 1"
    }
    assert all(run.score == 0.75 and run.density == 1.0 for run in failed)
    assert all(run.problem is None for run in others)


def test_dense_network_that_diverged_ends_its_runs():
    pretended, known = Pretended(dense=math.nan), Pretended(dense=math.nan).known()

    runs = walk(GRID, known, pretended)

    assert all("diverged" in (run.problem or "") for run in runs)
    assert all(math.isnan(run.score) for run in runs)


def test_progress_counts_up_to_the_end():
    seen = []

    walk(GRID, Pretended().known(), Pretended(), on_progress=seen.append)

    assert (seen[0].done, seen[0].total, seen[0].turns) == (0, 30, 2)
    assert seen[-1].done == 30
    assert seen[-1].share == 1.0
    assert all(a.turns < b.turns for a, b in pairwise(seen))


def test_progress_of_one_by_one_never_goes_back():
    grid, seen = replace(SMALL, one_by_one=True), []
    pretended = Pretended(holds=0.3, grid=grid)

    walk(grid, pretended.known(), pretended, on_progress=seen.append)

    assert seen[-1].share == 1.0
    assert all(a.share <= b.share for a, b in pairwise(seen))
