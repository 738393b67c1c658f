"""Walk all runs of a sweep together; what two of them try is tried once.

A trial's outcome is a function of the state it starts from, the stage and the count.
So runs with the same seed share trials for as long as they try the same: the dense
network, the unit stage of one unit step, and wherever halved steps meet again.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sculpt_plugin.pruning.attempts import Attempt, Plan, next_attempt
from sculpt_plugin.pruning.grid import Network, Progress, Run
from sculpt_plugin.pruning.lanes.state import Lane, Outcome, State, Trial, Tried
from sculpt_plugin.pruning.record import Step

Try = Callable[[Sequence[Lane]], Sequence[Tried]]
"""Trains lanes, and says what became of each."""


@dataclass(frozen=True, eq=False)
class Known:
    """All that a sweep has found out; what it does next follows from it.

    Attributes:
        outcomes: What came of each trial.
        states: The networks that were accepted, by number; those that no run can come
            back to are dropped.
    """

    outcomes: dict[Trial, Outcome] = field(default_factory=dict)
    states: dict[int, State] = field(default_factory=dict)

    def note(
        self, trial: Trial, made: Tried, *, min_score: float, seconds: float
    ) -> None:
        """Keep what came of a trial, and the network where its score holds."""
        state, number, problem = made.state, None, None
        if math.isnan(made.score):
            problem = "the training diverged, which a lower learning rate may prevent"
        elif made.score >= min_score:
            # Every outcome has a number of its own, whatever round it came in.
            number = len(self.outcomes)
            # A copy: the rows of a round are one piece of memory.
            self.states[number] = State(
                state.values.clone(),
                state.keep.clone(),
                state.alive.clone(),
                state.edge_count,
            )
        self.outcomes[trial] = Outcome(
            made.score, state.edge_count, number, seconds, problem
        )

    def forget(self, current: Iterable[int]) -> None:
        """Drop networks that no run is at, or can come to from where it is."""
        needed = set(current)
        # Outcomes stand in the order they were found, so parents come before children.
        for trial, outcome in self.outcomes.items():
            if trial.parent in needed and outcome.state is not None:
                needed.add(outcome.state)
        for number in set(self.states) - needed:
            del self.states[number]


_DENSE = Attempt("dense", 0)


@dataclass(eq=False)
class _Walker:
    """One run on its way."""

    seed: int
    plan: Plan
    unit_step: float
    edge_step: float
    start: int
    state: int
    edges_gone: int = 0
    record: list[Step] = field(default_factory=list)
    attempt: Attempt | None = _DENSE
    problem: str | None = None

    @property
    def trial(self) -> Trial | None:
        """What the run waits for, None where it has ended."""
        return self.attempt and Trial(self.state, *self.attempt)


@dataclass(frozen=True)
class Grid:
    """Which runs a sweep has.

    Attributes:
        seeds: Names of the start networks.
        unit_steps: Shares of all units to remove per turn.
        edge_steps: Shares of all edges to remove per turn.
        min_score: The score to hold.
        unit_total: How many units may be pruned.
        unit_limit: How many of them may be gone at most.
        edge_total: How many edges there are.
        one_by_one: Whether runs end only where no edge can go by itself.
    """

    seeds: tuple[int, ...]
    unit_steps: tuple[float, ...]
    edge_steps: tuple[float, ...]
    min_score: float
    unit_total: int
    unit_limit: int
    edge_total: int
    one_by_one: bool = False


def walk(
    grid: Grid,
    known: Known,
    attempt: Try,
    *,
    spare: int = 0,
    on_round: Callable[[Sequence[Trial]], None] = lambda trials: None,
    on_progress: Callable[[Progress], object] | None = None,
) -> list[Run]:
    """Walk every run of a grid to its end.

    Args:
        grid: The runs.
        known: What is known already: at least the dense trial of each seed, on a state
            that has the seed's place in the grid as its number. It is added to.
        attempt: Trains lanes.
        spare: A round of fewer lanes also tries what would follow a failure, for there
            are fewer rounds then.
        on_round: Called with the trials of each round once they are known.
        on_progress: Called after each round.

    Returns:
        The runs in the order of the grid.
    """
    walkers = _walkers(grid)
    waiting = list(walkers)
    while True:
        waiting = [w for w in waiting if _advance(w, known, grid.min_score)]
        if on_progress is not None:
            on_progress(_progress(walkers, known))
        if not waiting:
            break
        known.forget(walker.state for walker in walkers)
        trials = _round(waiting, known, spare)
        began = time.perf_counter()
        owner = {w.state: w.seed for w in waiting}
        lanes = [Lane(owner[t.parent], known.states[t.parent], *t[1:]) for t in trials]
        tried = attempt(lanes)
        seconds = time.perf_counter() - began
        for trial, made in zip(trials, tried, strict=True):
            known.note(trial, made, min_score=grid.min_score, seconds=seconds)
        on_round(trials)
    networks: dict[int, Network] = {}
    return [_run(w, known, grid, networks) for w in walkers]


def _walkers(grid: Grid) -> list[_Walker]:
    """Set every run at its start."""
    return [
        _Walker(
            seed,
            Plan(
                units,
                edges,
                grid.unit_total,
                grid.unit_limit,
                grid.edge_total,
                one_by_one=grid.one_by_one,
            ),
            units,
            edges,
            place,
            place,
        )
        for place, seed in enumerate(grid.seeds)
        for units in grid.unit_steps
        for edges in grid.edge_steps
    ]


def _advance(walker: _Walker, known: Known, min_score: float) -> bool:
    """Take a run as far as is known; say whether it goes on from there."""
    while (trial := walker.trial) is not None and trial in known.outcomes:
        outcome = known.outcomes[trial]
        if outcome.problem is not None:
            walker.problem = outcome.problem
            walker.attempt = None
            break
        walker.record.append(_step(walker, trial, outcome))
        if outcome.state is not None:
            walker.state = outcome.state
            walker.edges_gone = walker.plan.edge_total - outcome.edge_count
        elif trial.stage == "dense":
            walker.problem = (
                f"the dense network of seed {walker.seed} scores {outcome.score:.4g}, "
                f"below {min_score:g}"
            )
            walker.attempt = None
            break
        walker.attempt = next_attempt(
            walker.plan, walker.record, edges_gone=walker.edges_gone
        )
    return walker.attempt is not None


def _step(walker: _Walker, trial: Trial, outcome: Outcome) -> Step:
    """Write an outcome down as a turn of one run."""
    plan = walker.plan
    total = plan.unit_total if trial.stage == "units" else plan.edge_total
    return Step(
        stage=trial.stage,
        turn=len(walker.record),
        removed=trial.gone,
        left=total - trial.gone,
        total=total,
        score=outcome.score,
        accepted=outcome.state is not None,
        density=outcome.edge_count / plan.edge_total,
        seconds=outcome.seconds,
    )


def _round(waiting: Sequence[_Walker], known: Known, spare: int) -> list[Trial]:
    """Choose what to try next: units first, so that edges find narrow networks."""
    in_units = [w for w in waiting if w.attempt and w.attempt.stage == "units"]
    chosen = in_units or list(waiting)
    by_trial = {trial: w for w in chosen if (trial := w.trial)}
    trials = dict.fromkeys(by_trial)
    ahead = [_after_failures(walker) for walker in by_trial.values()]
    while ahead and len(trials) < spare:
        still = []
        for following in ahead:
            trial = next(following, None)
            if trial is not None:
                still.append(following)
                if trial not in known.outcomes and len(trials) < spare:
                    trials[trial] = None
        ahead = still
    return list(trials)


def _after_failures(walker: _Walker) -> Iterator[Trial]:
    """Give what a run would try next if nothing held, without end of the stage."""
    record = list(walker.record)
    attempt = walker.attempt
    while attempt is not None:
        record.append(_failed(len(record), attempt))
        following = next_attempt(walker.plan, record, edges_gone=0)
        if following is None or following.stage != attempt.stage:
            return
        attempt = following
        yield Trial(walker.state, *attempt)


def _failed(turn: int, attempt: Attempt) -> Step:
    """A turn that would fail."""
    return Step(attempt.stage, turn, attempt.gone, 0, 0, 0.0, False, 0.0, 0.0)


def _progress(walkers: Sequence[_Walker], known: Known) -> Progress:
    """Say how far the runs are."""
    return Progress(
        done=sum(walker.attempt is None for walker in walkers),
        total=len(walkers),
        turns=len(known.outcomes),
        share=sum(map(_share, walkers)) / len(walkers),
    )


def _share(walker: _Walker) -> float:
    """Guess how much of a run is done: a stage ends when its step has halved to one."""
    if walker.attempt is None:
        return 1.0
    if walker.attempt.stage == "dense":
        return 0.0
    in_edges = walker.attempt.stage != "units"
    total = walker.plan.edge_total if in_edges else walker.plan.unit_total
    first = max(2.0, total * (walker.edge_step if in_edges else walker.unit_step))
    failures = sum(
        not step.accepted and step.stage == ("edges" if in_edges else "units")
        for step in walker.record
    )
    expected = math.log2(2 * first)
    if in_edges and walker.plan.one_by_one:
        # Each edge that is left fails once, and some of them once more.
        expected += 1.5 * (walker.plan.edge_total - walker.edges_gone)
    stage = min(1.0, failures / expected)
    return 0.4 + 0.6 * stage if in_edges else 0.4 * stage


def _run(
    walker: _Walker, known: Known, grid: Grid, networks: dict[int, Network]
) -> Run:
    """Give what a run ended with; runs at the same state get the same network."""
    state = known.states[walker.state]
    network = networks.setdefault(
        walker.state, Network(state.values, state.keep, state.edge_count)
    )
    return Run(
        seed=walker.seed,
        unit_step=walker.unit_step,
        edge_step=walker.edge_step,
        record=tuple(walker.record),
        network=network,
        edge_total=grid.edge_total,
        problem=walker.problem,
    )
