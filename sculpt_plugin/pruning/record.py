"""One turn of the search as one line of an append-only record."""

import json
from dataclasses import asdict, dataclass
from typing import Literal, get_args

StageName = Literal["dense", "units", "retrain", "edges"]


@dataclass(frozen=True)
class Step:
    """What one turn tried, what came of it, and whether it was kept.

    Attributes:
        stage: `dense` is the unpruned model, `retrain` a turn that removes nothing:
            between the stages, and after edges that went one by one.
        turn: Number of the turn, 0 for the dense model.
        removed: Units (edges, in the stage `edges`) gone in this attempt, of `total`.
        left: Units (edges) left in this attempt.
        total: Units (edges) of the unpruned model.
        score: What `evaluate` said after training.
        accepted: Whether the score held, so that the attempt became the new state.
        density: Share of all edges left in this attempt.
        seconds: How long the turn took, training included.
    """

    stage: StageName
    turn: int
    removed: int
    left: int
    total: int
    score: float
    accepted: bool
    density: float
    seconds: float

    def to_json(self) -> str:
        """Write the step as one line of JSON.

        Example:
            >>> step = Step("dense", 0, 0, 9, 9, 1.0, True, 1.0, 0.5)
            >>> Step.from_json(step.to_json()) == step
            True
        """
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "Step":
        """Read a step back from its line.

        Raises:
            ValueError: The line is torn or holds something else.
        """
        try:
            step = cls(**json.loads(line))
        except (TypeError, RecursionError) as error:
            raise ValueError(f"not a step: {line!r}") from error
        counts = (step.turn, step.removed, step.left, step.total)
        numbers = (step.score, step.density, step.seconds)
        if (
            step.stage not in get_args(StageName)
            or not all(type(count) is int for count in counts)
            or not all(isinstance(number, int | float) for number in numbers)
            or type(step.accepted) is not bool
        ):
            raise ValueError(f"not a step: {line!r}")
        return step
