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
from sculpt_plugin.pruning.lanes.tape import as_it_is, repeated
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
    look = vmap(_look(program, shapes))
    best = _Best.before(values)
    each = torch.ones_like(best.score)
    here = next(inputs)

    def learn() -> tuple[Tensor, ...]:
        with torch.enable_grad():
            return torch.autograd.grad(step(leaf, here), leaf, each)

    def learn_and_look() -> tuple[Tensor, ...]:
        with torch.no_grad():
            seen = look(values)
        return *learn(), *seen

    pull = None
    if recipe.l1_decay:
        # On weights only, as `pull_to_zero` has it.
        on = [values.new_full(shape, len(shape) > 1).view(-1) for shape in shapes]
        pull = torch.cat(on) * recipe.l1_decay
    signs = moments.spare.view_as(values)
    again = repeated if program.steady else as_it_is
    run = again(learn_and_look, learn)
    for epoch in range(epochs + 1):
        if epoch:
            next(inputs)
        looks = recipe.looks(epoch, epochs)
        gradient, *seen = run(looks)
        if looks:
            best.take(values, *seen)
        if epoch < epochs:
            if pull is not None:
                gradient.addcmul_(torch.sign(values, out=signs), pull)
            step_adam(
                replace(flat, gradients=gradient.reshape(-1)),
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
        return cls(values.clone(), zeros - torch.inf, zeros, zeros.clone())

    def take(self, values: Tensor, loss: Tensor, score: Tensor) -> None:
        """Take over the lanes for which an epoch is the best so far, in place."""
        wins = (score == self.score) & (loss <= self.loss) | (score > self.score)
        torch.where(wins[:, None], values, self.values, out=self.values)
        torch.where(wins, score, self.score, out=self.score)
        torch.where(wins, loss, self.loss, out=self.loss)
        self.seen.add_(loss)


def _step(
    program: Program, shapes: Sequence[tuple[int, ...]]
) -> Callable[[Tensor, Tensor], Tensor]:
    """One lane's loss on noisy samples."""
    recipe = program.recipe

    def step(row: Tensor, inputs: Tensor) -> Tensor:
        outputs = program.outputs(cut(row, shapes), inputs)
        return recipe.loss(outputs, recipe.targets)

    return step


def _look(
    program: Program, shapes: Sequence[tuple[int, ...]]
) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """One lane's loss and score on clean samples."""
    recipe = program.recipe
    clean, wanted = recipe.checked_on

    def look(row: Tensor) -> tuple[Tensor, Tensor]:
        program.shell.eval()
        seen = program.outputs(cut(row, shapes), clean)
        program.shell.train()
        return recipe.loss(seen, wanted), recipe.score(seen, wanted)

    return look


def _inputs(
    program: Program, seeds: Sequence[int], epochs: int
) -> tuple[Iterator[Tensor], bool]:
    """Give each epoch's inputs, and whether they differ between lanes."""
    recipe = program.recipe
    if not recipe.noise:
        return repeat(program.noisy(0, 1)[0]), False
    distinct = sorted(set(seeds))
    lane = torch.tensor([distinct.index(seed) for seed in seeds])
    drawn = zip(*[program.noisy(seed, epochs) for seed in distinct], strict=True)
    # All in the same memory, where a step that is repeated looks for them.
    where = recipe.inputs.new_empty(0)
    return (
        torch.index_select(torch.stack(each), 0, lane, out=where) for each in drawn
    ), True
