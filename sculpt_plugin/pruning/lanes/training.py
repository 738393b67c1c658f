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
    best, score = values.clone(), values.new_full((len(rows),), -torch.inf)
    loss = seen = torch.zeros_like(score)
    each = torch.ones_like(score)
    for epoch in range(epochs + 1):
        looks = recipe.looks(epoch, epochs)
        with torch.enable_grad():
            if not looks:
                lane_loss = step(leaf, next(inputs))
            else:
                lane_loss, new_loss, new_score = step_and_look(leaf, next(inputs))
        if looks:
            wins = (new_score == score) & (new_loss <= loss) | (new_score > score)
            best = torch.where(wins[:, None], values, best)
            score = torch.where(wins, new_score, score)
            loss = torch.where(wins, new_loss, loss)
            # Once not finite, the sum stays so.
            seen = seen + new_loss
        if epoch == epochs:
            break
        (gradient,) = torch.autograd.grad(lane_loss, leaf, each)
        step_adam(
            replace(flat, gradients=gradient.view(-1)),
            moments,
            step=epoch + 1,
            learning_rate=recipe.rate(epoch + 1, epochs),
            weight_decay=recipe.weight_decay,
        )
        values.view(held.dtype).bitwise_and_(held)
    return Trained(best, torch.where(seen.isfinite(), score, torch.nan))


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
