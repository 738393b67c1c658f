"""What lanes learn from, step by step."""

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import NamedTuple

import torch
from torch import Tensor

from sculpt_plugin.pruning.lanes.program import Program
from sculpt_plugin.training.mini_batches import batch_sizes


class Batch(NamedTuple):
    """The samples of one step.

    Attributes:
        inputs: One row per sample; with `axes` for each lane.
        targets: The same.
        axes: Along which axis inputs and targets differ between lanes, None where all
            lanes have the same.
    """

    inputs: Tensor
    targets: Tensor
    axes: tuple[int | None, int | None]


def steps_of(program: Program) -> int:
    """Say how many steps of Adam an epoch has."""
    recipe = program.recipe
    count = len(recipe.targets)
    return len(batch_sizes(count, recipe.batch_size or count))


def feed(program: Program, seeds: Sequence[int], epochs: int) -> Iterator[Batch]:
    """Give each step's samples, epoch by epoch.

    Batches of one size are always in the same memory, where a step that is repeated
    looks for them.

    Args:
        program: The recipe, which has the data.
        seeds: Names each lane's noise and the order of its samples.
        epochs: How many.
    """
    recipe = program.recipe
    in_batches = recipe.batch_size is not None
    if not recipe.noise and not in_batches:
        yield from repeat(Batch(recipe.inputs, recipe.targets, (None, None)), epochs)
        return
    distinct = sorted(set(seeds))
    lane = torch.tensor([distinct.index(seed) for seed in seeds])
    memory: dict[int, tuple[Tensor, Tensor]] = {}
    for batches in zip(*[program.drawn(x, epochs) for x in distinct], strict=True):
        for samples in zip(*batches, strict=True):
            inputs, targets = zip(*samples, strict=True)
            count = len(targets[0])
            if count not in memory:
                memory[count] = recipe.inputs.new_empty(0), recipe.targets.new_empty(0)
            here, wanted = memory[count]
            torch.index_select(torch.stack(inputs), 0, lane, out=here)
            if in_batches:
                torch.index_select(torch.stack(targets), 0, lane, out=wanted)
                yield Batch(here, wanted, (0, 0))
            else:
                yield Batch(here, recipe.targets, (0, None))
