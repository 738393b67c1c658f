"""What a sweep keeps of a network, what it tries on it, and what came of that."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor

from sculpt_plugin.pruning.record import StageName


@dataclass(frozen=True, eq=False)
class State:
    """A network in one row: its parameters, what is kept, and its live units.

    Attributes:
        values: All parameters, exact zeros where pruned.
        keep: Which of them are kept.
        alive: Which units are.
        edge_count: How many edges are kept.
    """

    values: Float[Tensor, " entry"]
    keep: Bool[Tensor, " entry"]
    alive: Bool[Tensor, " unit"]
    edge_count: int


class Trial(NamedTuple):
    """An attempt on a state; runs that come to the same trial share it."""

    parent: int
    stage: StageName
    gone: int
    spared: int = 0


class Outcome(NamedTuple):
    """What came of a trial.

    Attributes:
        score: What the network scores after training.
        edge_count: How many edges it keeps.
        state: The number of the new state, None where the score did not hold.
        seconds: How long the round took that it was part of.
        problem: Why there is no score, or None.
    """

    score: float
    edge_count: int
    state: int | None
    seconds: float
    problem: str | None = None


@dataclass(frozen=True, eq=False)
class Lane:
    """One network to train: where it starts and what is removed first.

    Attributes:
        seed: Names the noise.
        state: What it starts from.
        stage: What the removal is of.
        gone: How many units or edges are to be gone.
        spared: How many of the smallest edges stay.
    """

    seed: int
    state: State
    stage: StageName
    gone: int
    spared: int = 0


@dataclass(frozen=True, eq=False)
class Tried:
    """What training made of a lane.

    Attributes:
        state: The network, with what was removed.
        score: What it scores; not a number where the training diverged.
    """

    state: State
    score: float
