"""What a sweep ends with: one run for each seed and pair of steps."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from sculpt_plugin.errors import DataError
from sculpt_plugin.pruning.masks import Masks, apply, named_tensors
from sculpt_plugin.pruning.record import Step


@dataclass(frozen=True, eq=False)
class Network:
    """What is left of a model: the values it keeps, and which those are.

    Runs that came to the same network hold the same object.

    Attributes:
        values: All parameters, one after the other, and behind them all buffers;
            exact zeros where pruned.
        keep: Which of these are kept.
        edge_count: How many edges are kept.
    """

    values: Float[Tensor, " entry"]
    keep: Bool[Tensor, " entry"]
    edge_count: int


@dataclass(frozen=True, eq=False)
class Run:
    """One search of a sweep: from one start network, with one pair of steps.

    Attributes:
        seed: Names the start network and the random numbers.
        unit_step: The share of all units to remove per turn.
        edge_step: The share of all edges to remove per turn.
        record: Every turn of the search, the unpruned model first.
        network: What is left; the unpruned network where nothing was learned.
        edge_total: How many edges the unpruned model has.
        problem: Why the run has no result, or None.
    """

    seed: int
    unit_step: float
    edge_step: float
    record: tuple[Step, ...] = field(repr=False)
    network: Network = field(repr=False)
    edge_total: int = field(repr=False)
    problem: str | None = None

    @property
    def density(self) -> float:
        """The share of all edges that is kept."""
        return self.network.edge_count / self.edge_total

    @property
    def score(self) -> float:
        """The score of the last accepted turn, or of the unpruned model.

        Not a number where the first training diverged.
        """
        accepted = [step for step in self.record if step.accepted]
        scored = accepted or self.record
        return scored[-1].score if scored else math.nan


@dataclass(frozen=True)
class Progress:
    """How far a sweep is.

    Attributes:
        done: Runs that have ended.
        total: All runs of the grid.
        turns: Turns that were trained so far.
        share: How much of the work is done, 0 to 1, as far as can be told.
    """

    done: int
    total: int
    turns: int
    share: float


@dataclass(frozen=True, eq=False)
class Sweep:
    """All runs of a sweep, in the order of the grid.

    Attributes:
        runs: Seeds in the outermost order, then unit steps, then edge steps.
        min_score: The score that every accepted turn holds.
    """

    runs: tuple[Run, ...] = field(repr=False)
    min_score: float
    _build: Callable[[int], nn.Module] = field(repr=False)
    _weights: tuple[str, ...] = field(repr=False)
    _masked: tuple[str, ...] = field(repr=False)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the start networks, in order."""
        return tuple(dict.fromkeys(run.seed for run in self.runs))

    @property
    def unit_steps(self) -> tuple[float, ...]:
        """The unit steps of the grid, in order."""
        return tuple(dict.fromkeys(run.unit_step for run in self.runs))

    @property
    def edge_steps(self) -> tuple[float, ...]:
        """The edge steps of the grid, in order."""
        return tuple(dict.fromkeys(run.edge_step for run in self.runs))

    def ranked(self, seed: int | None = None) -> Sequence[Run]:
        """Give the runs with a result, sparsest first, ties in the order of the grid.

        Args:
            seed: Only those of one start network.

        Returns:
            The runs; none where no run has a result.
        """
        runs = [
            run for run in self.runs if run.problem is None and seed in (None, run.seed)
        ]
        return sorted(runs, key=lambda run: run.network.edge_count)

    def sparsest(self, seed: int | None = None) -> Run:
        """Give the run that keeps the fewest edges, the first of the grid on a tie.

        Raises:
            DataError: No run has a result.
        """
        ranked = self.ranked(seed)
        if not ranked:
            problem = next(r.problem for r in self.runs if seed in (None, r.seed))
            raise DataError(
                f"No run has a result ({problem}): choose wider layers, more epochs "
                "or other seeds."
            )
        return ranked[0]

    def sparsest_networks(self, seed: int, *, count: int) -> Sequence[Run]:
        """Give the sparsest different networks of a seed, one run for each.

        Args:
            seed: Which start network.
            count: How many at most.

        Returns:
            Runs that keep different edges, sparsest first.
        """
        return [alike[0] for alike in self.alike(seed)[:count]]

    def alike(self, seed: int) -> Sequence[Sequence[Run]]:
        """Give a seed's runs, those together that keep the same edges.

        Args:
            seed: Which start network.

        Returns:
            Groups of runs, the sparsest first, ties in the order of the grid.
        """
        named = named_tensors(self._build(seed))
        # Biases may be masked differently where the edges are the same.
        is_edge = [
            torch.full((tensor.numel(),), name in self._weights)
            for name, tensor in named.items()
        ]
        edges = torch.cat(is_edge)
        same: dict[bytes, list[Run]] = {}
        for run in self.ranked(seed):
            same.setdefault(run.network.keep[edges].numpy().tobytes(), []).append(run)
        return list(same.values())

    def model(self, run: Run) -> nn.Module:
        """Build the sparse network that a run ended with."""
        model = self._build(run.seed)
        named = named_tensors(model)
        with torch.no_grad():
            for name, values in _parts(run.network.values, named).items():
                named[name].copy_(values)
        apply(model, self.masks(run))
        return model

    def masks(self, run: Run) -> Masks:
        """Give what a run keeps, by parameter name."""
        parts = _parts(run.network.keep, named_tensors(self._build(run.seed)))
        return Masks({name: parts[name] for name in self._masked}, self._weights)


def _parts(
    row: Shaped[Tensor, " entry"], named: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Cut a network's row into tensors."""
    parts = row.split([tensor.numel() for tensor in named.values()])
    return {
        name: part.view(tensor.shape)
        for (name, tensor), part in zip(named.items(), parts, strict=True)
    }
