"""Training many networks at once: one vmapped model, one optimizer for all lanes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.func import vmap

from sculpt_plugin.pruning.lanes.feeding import Batch, feed, steps_of
from sculpt_plugin.pruning.lanes.layout import cut
from sculpt_plugin.pruning.lanes.program import Program
from sculpt_plugin.pruning.lanes.tape import Step, repeated
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
    enough: float | None = None,
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
        enough: A score at which a lane's training ends, looked at after every epoch.

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
    losses, looks = _losses(program, shapes), vmap(_look(program, shapes))
    best = _Best.before(values)
    each = torch.ones_like(best.score)

    def learn(batch: Batch) -> tuple[Tensor, ...]:
        loss = vmap(losses, in_dims=(0, *batch.axes))
        with torch.enable_grad():
            return torch.autograd.grad(
                loss(leaf, batch.inputs, batch.targets), leaf, each
            )

    def look() -> tuple[Tensor, ...]:
        with torch.no_grad():
            return looks(values)

    pull = None
    if recipe.l1_decay:
        # On weights only, as `pull_to_zero` has it.
        on = [values.new_full(shape, len(shape) > 1).view(-1) for shape in shapes]
        pull = torch.cat(on) * recipe.l1_decay
    signs = moments.spare.view_as(values)
    if program.steady:
        look = repeated(look)
    learners: dict[torch.Size, Step] = {}
    steps = steps_of(program)
    for step, batch in enumerate(feed(program, seeds, epochs), start=1):
        size = batch.inputs.shape
        if size not in learners:
            once = partial(learn, batch)
            learners[size] = repeated(once) if program.steady else once
        (gradient,) = learners[size]()
        if pull is not None:
            gradient.addcmul_(torch.sign(values, out=signs), pull)
        step_adam(
            replace(flat, gradients=gradient.reshape(-1)),
            moments,
            step=step,
            learning_rate=recipe.rate(step, epochs * steps),
            weight_decay=recipe.weight_decay,
        )
        values.view(held.dtype).bitwise_and_(held)
        epoch, rest = divmod(step, steps)
        if not rest and (enough is not None or recipe.looks(epoch, epochs)):
            best.take(values, *look(), enough=enough)
            if enough is not None and bool((best.score >= enough).all()):
                break
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

    def take(
        self, values: Tensor, loss: Tensor, score: Tensor, *, enough: float | None
    ) -> None:
        """Take over the lanes for which an epoch is the best so far, in place."""
        wins = (score == self.score) & (loss <= self.loss) | (score > self.score)
        if enough is not None:
            # What goes on after a lane's own end is nothing to it.
            going = self.score < enough
            wins &= going
            loss = loss.where(going, 0)
        torch.where(wins[:, None], values, self.values, out=self.values)
        torch.where(wins, score, self.score, out=self.score)
        torch.where(wins, loss, self.loss, out=self.loss)
        self.seen.add_(loss)


def _losses(
    program: Program, shapes: Sequence[tuple[int, ...]]
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """One lane's loss on some samples."""

    def loss(row: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        outputs = program.outputs(cut(row, shapes), inputs)
        return program.recipe.loss(outputs, targets)

    return loss


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
