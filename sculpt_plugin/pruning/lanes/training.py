"""Training many networks at once: one vmapped model, one optimizer for all lanes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import repeat

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.func import vmap

from sculpt_plugin.pruning.lanes.layout import cut
from sculpt_plugin.pruning.lanes.program import Program
from sculpt_plugin.pruning.masks import bits
from sculpt_plugin.training.flat_adam import FlatParameters, start_adam, step_adam


@dataclass(frozen=True, eq=False)
class Trained:
    """What one training made of each lane: its best epoch.

    Attributes:
        values: The parameters of each lane.
        score: The score of each lane; not a number where its training diverged.
    """

    values: Float[Tensor, "lane entry"]
    score: Float[Tensor, " lane"]


def train_lanes(
    program: Program,
    rows: Float[Tensor, "lane entry"],
    keep: Bool[Tensor, "lane entry"],
    seeds: Sequence[int],
    shapes: Sequence[tuple[int, ...]],
    *,
    epochs: int,
) -> Trained:
    """Train every lane for one turn, and keep its best epoch.

    Each lane is trained as `Recipe.train` trains a network alone: the same noise, the
    same steps, the same choice of the best epoch.

    Args:
        program: The model and the recipe.
        rows: The parameters each lane starts from.
        keep: What is not pruned.
        seeds: Names the noise of each lane.
        shapes: The shapes of the parameters that a row holds.
        epochs: How long.

    Returns:
        The best epoch of each lane.
    """
    recipe = program.recipe
    held = bits(rows, ~keep)
    values = rows.clone()
    values.view(held.dtype).bitwise_and_(held)
    leaf = values.detach().requires_grad_()
    flat = FlatParameters(values.view(-1), torch.zeros_like(values).view(-1))
    moments = start_adam(flat)
    inputs, varies = _inputs(program, seeds, epochs + 1)
    axis = 0 if varies else None
    step = vmap(_step(program, shapes), in_dims=(0, axis))
    step_and_look = vmap(_step_and_look(program, shapes), in_dims=(0, axis))
    best = _Best.before(values)
    each = torch.ones_like(best.score)
    for epoch in range(epochs + 1):
        with torch.enable_grad():
            if not recipe.looks(epoch, epochs):
                loss = step(leaf, next(inputs))
            else:
                loss, *seen = step_and_look(leaf, next(inputs))
                best = best.or_better(values, *seen)
        if epoch == epochs:
            break
        (gradient,) = torch.autograd.grad(loss, leaf, each)
        step_adam(
            replace(flat, gradients=gradient.view(-1)),
            moments,
            step=epoch + 1,
            learning_rate=recipe.rate(epoch + 1, epochs),
            weight_decay=recipe.weight_decay,
        )
        values.view(held.dtype).bitwise_and_(held)
    return Trained(best.values, best.score.where(best.seen.isfinite(), torch.nan))


@dataclass(frozen=True, eq=False)
class _Best:
    """The best epoch of each lane so far.

    Attributes:
        values: Its parameters.
        score: Its score.
        loss: Its loss on the validation set.
        seen: The sum of all losses seen: once one was not finite, it stays so.
    """

    values: Tensor
    score: Tensor
    loss: Tensor
    seen: Tensor

    @classmethod
    def before(cls, values: Tensor) -> "_Best":
        """No epoch yet: any score is better."""
        zeros = values.new_zeros(len(values))
        return cls(values.clone(), zeros - torch.inf, zeros, zeros)

    def or_better(self, values: Tensor, loss: Tensor, score: Tensor) -> "_Best":
        """Take over the lanes for which an epoch is the best so far."""
        wins = (score == self.score) & (loss <= self.loss) | (score > self.score)
        return _Best(
            torch.where(wins[:, None], values, self.values),
            torch.where(wins, score, self.score),
            torch.where(wins, loss, self.loss),
            self.seen + loss,
        )


def _step(
    program: Program, shapes: Sequence[tuple[int, ...]]
) -> Callable[[Tensor, Tensor], Tensor]:
    """One lane's loss on noisy samples."""
    recipe, count = program.recipe, len(program.recipe.targets)

    def step(row: Tensor, inputs: Tensor) -> Tensor:
        outputs = program.outputs(cut(row, shapes), inputs[:count])
        return recipe.loss(outputs, recipe.targets)

    return step


def _step_and_look(
    program: Program, shapes: Sequence[tuple[int, ...]]
) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
    """One lane's loss on noisy samples, and its loss and score on clean ones."""
    recipe, count = program.recipe, len(program.recipe.targets)
    clean, wanted = recipe.checked_on

    def step(row: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outputs = program.outputs(cut(row, shapes), inputs)
        if program.apart:
            seen = outputs[count:].detach()
        else:
            program.shell.eval()
            seen = program.outputs(cut(row.detach(), shapes), clean)
            program.shell.train()
        loss = recipe.loss(outputs[:count], recipe.targets)
        return loss, recipe.loss(seen, wanted), recipe.score(seen, wanted)

    return step


def _inputs(
    program: Program, seeds: Sequence[int], epochs: int
) -> tuple[Iterator[Tensor], bool]:
    """Give each epoch's inputs, and whether they differ between lanes."""
    if not program.recipe.noise:
        return repeat(program.noisy(0, 1)[0]), False
    distinct = sorted(set(seeds))
    lane = torch.tensor([distinct.index(seed) for seed in seeds])
    drawn = zip(*[program.noisy(seed, epochs) for seed in distinct], strict=True)
    return (torch.stack(each).index_select(0, lane) for each in drawn), True
