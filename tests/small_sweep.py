"""Sweeps made by hand: networks that were cut at random instead of being trained."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from sculpt_plugin import tasks
from sculpt_plugin.pruning.grid import Network, Progress, Run, Sweep
from sculpt_plugin.pruning.record import Step

PROBLEM = "the unpruned model scores 0.75, min_score is 1"


@dataclass(frozen=True)
class Start:
    """The start networks of a task, one for each seed."""

    task: str = "4,1,4"
    hidden: tuple[int, ...] = (6,)

    def __call__(self, seed: int) -> nn.Sequential:
        return tasks.mlp(tasks.get(self.task), hidden=self.hidden, seed=seed)


def hand_made(
    *,
    seeds: Sequence[int] = (0, 1),
    unit_steps: Sequence[float] = (0.1, 0.2, 0.3),
    edge_steps: Sequence[float] = (0.01, 0.02),
    failed: Collection[tuple[int, float, float]] = (),
    scores: Sequence[float] = (1.0,),
    build: Callable[[int], nn.Module] | None = None,
) -> Sweep:
    """A sweep whose runs keep what its random numbers say, and a path to the outputs.

    Args:
        seeds: The start networks.
        unit_steps: Shares, as the engine takes them.
        edge_steps: The same.
        failed: Runs without a result, as seed, unit step and edge step.
        scores: What the runs score in turn.
        build: Makes the start networks; small ones of the task 4,1,4 without it.
    """
    build = build or Start()
    generator = torch.Generator().manual_seed(1)
    runs = []
    weights = tuple(n for n, p in build(0).named_parameters() if p.ndim > 1)
    for seed in seeds:
        named = dict(build(seed).named_parameters())
        for unit_step in unit_steps:
            for edge_step in edge_steps:
                score = scores[len(runs) % len(scores)]
                has_failed = (seed, unit_step, edge_step) in failed
                share = (
                    1.0 if has_failed else float(torch.rand((), generator=generator))
                )
                keep = {
                    name: torch.rand(p.shape, generator=generator) < share / 2
                    for name, p in named.items()
                }
                for name, kept in keep.items():
                    # The first unit of each layer leads from all inputs to all outputs.
                    if has_failed or name not in weights:
                        kept.fill_(True)
                    kept[0] = kept[..., 0] = True
                count = sum(int(keep[name].sum()) for name in weights)
                total = sum(keep[name].numel() for name in weights)
                flat = torch.cat([kept.flatten() for kept in keep.values()])
                values = torch.cat([p.detach().flatten() for p in named.values()])
                score = 0.75 if has_failed else score
                dense = Step("dense", 0, 0, 6, 6, score, not has_failed, 1.0, 0.0)
                pruned = Step(
                    "edges",
                    1,
                    total - count,
                    count,
                    total,
                    score,
                    True,
                    count / total,
                    0,
                )
                record = (dense,) if has_failed else (dense, pruned)
                network = Network(values * flat, flat, count)
                problem = PROBLEM if has_failed else None
                runs.append(
                    Run(seed, unit_step, edge_step, record, network, total, problem)
                )
    return Sweep(tuple(runs), 1.0, build, weights, weights)


def engine(
    build: Callable[[int], nn.Module],
    recipe: Any,
    *,
    seeds: Sequence[int],
    unit_steps: Sequence[float],
    edge_steps: Sequence[float],
    min_score: float,
    one_by_one: bool = False,
    jobs: int = 1,
    checkpoint: Any = None,
    on_progress: Callable[[Progress], Any] | None = None,
) -> Sweep:
    """Stand in for the real sweep where only the face is tested."""
    total = len(seeds) * len(unit_steps) * len(edge_steps)
    for done in (0, total // 2, total):
        if on_progress is not None:
            on_progress(Progress(done, total, 3 * done, done / total))
    return hand_made(
        seeds=seeds, unit_steps=unit_steps, edge_steps=edge_steps, build=build
    )
