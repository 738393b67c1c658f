"""What lanes learn from, step by step."""

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import NamedTuple

import torch
from jaxtyping import Bool
from torch import Tensor

from sculpt_plugin.pruning.lanes.program import Program, Samples
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


class Feed:
    """The samples of each step of a training, epoch by epoch.

    Batches of one size are always in the same memory, where a step that is repeated
    looks for them.

    Attributes:
        steps: How many steps an epoch has.
    """

    def __init__(self, program: Program, seeds: Sequence[int], epochs: int) -> None:
        """Begin a training.

        Args:
            program: The recipe, which has the data.
            seeds: Names each lane's noise and the order of its samples.
            epochs: How many.
        """
        recipe = program.recipe
        count = len(recipe.targets)
        self.steps = len(batch_sizes(count, recipe.batch_size or count))
        self._program, self._epochs = program, epochs
        self._distinct = sorted(set(seeds))
        self._seed = torch.tensor([self._distinct.index(seed) for seed in seeds])
        self._memory: dict[int, tuple[Tensor, Tensor]] = {}

    def keep(self, lanes: Bool[Tensor, " lane"]) -> None:
        """Feed only some of the lanes from the next step on."""
        self._seed = self._seed[lanes]
        self._memory = {}

    def __iter__(self) -> Iterator[Batch]:
        """Go through all epochs."""
        recipe = self._program.recipe
        if not recipe.noise and recipe.batch_size is None:
            everything = Batch(recipe.inputs, recipe.targets, (None, None))
            yield from repeat(everything, self._epochs)
            return
        drawn = [self._program.drawn(seed, self._epochs) for seed in self._distinct]
        for epoch in zip(*drawn, strict=True):
            for samples in zip(*epoch, strict=True):
                yield self._gathered(samples)

    def _gathered(self, samples: Sequence[Samples]) -> Batch:
        """Give each lane the samples of its seed."""
        recipe = self._program.recipe
        inputs, targets = zip(*samples, strict=True)
        count = len(targets[0])
        if count not in self._memory:
            self._memory[count] = (
                recipe.inputs.new_empty(0),
                recipe.targets.new_empty(0),
            )
        here, wanted = self._memory[count]
        torch.index_select(torch.stack(inputs), 0, self._seed, out=here)
        if recipe.batch_size is None:
            return Batch(here, recipe.targets, (0, None))
        torch.index_select(torch.stack(targets), 0, self._seed, out=wanted)
        return Batch(here, wanted, (0, 0))
