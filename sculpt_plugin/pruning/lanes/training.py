"""Training many networks at once: one vmapped model, one optimizer for all lanes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.func import vmap

from sculpt_plugin.pruning.lanes.feeding import Batch, Feed
from sculpt_plugin.pruning.lanes.layout import cut
from sculpt_plugin.pruning.lanes.program import Program
from sculpt_plugin.pruning.lanes.tape import Step, repeated
from sculpt_plugin.pruning.masks import bits
from sculpt_plugin.training.flat_adam import (
    FlatParameters,
    Moments,
    start_adam,
    step_adam,
)


@dataclass(frozen=True, eq=False)
class Trained:
    """What one training made of each lane: its best epoch.

    Attributes:
        values: The parameters of each lane.
        score: The score of each lane; not a number where its training diverged.
    """

    values: Float[Tensor, "lane entry"]
    score: Float[Tensor, " lane"]

    def put(self, places: Int[Tensor, " lane"], best: "_Best") -> None:
        """Write down the best epoch of some lanes."""
        self.values[places] = best.values
        self.score[places] = best.score.where(best.seen.isfinite(), torch.nan)


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
    samples = Feed(program, seeds, epochs)
    lanes, places = _Lanes.start(program, shapes, rows, keep), torch.arange(len(rows))
    made = Trained(torch.empty_like(rows), rows.new_empty(len(rows)))
    for step, batch in enumerate(samples, start=1):
        lanes.step(batch, step, epochs * samples.steps)
        epoch, rest = divmod(step, samples.steps)
        if rest or (enough is None and not recipe.looks(epoch, epochs)):
            continue
        lanes.look(enough)
        if enough is None:
            continue
        going = lanes.best.below(enough)
        if 2 * going.sum() <= len(going):
            # What is noted for a step is noted anew for fewer lanes, so not for each.
            made.put(places, lanes.best)
            if not going.any():
                break
            lanes, places = lanes.those(going), places[going]
            samples.keep(going)
    made.put(places, lanes.best)
    return made


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

    def below(self, enough: float) -> Bool[Tensor, " lane"]:
        """Tell which lanes are not good enough yet."""
        # In single precision 0.9 would be reached by a little less.
        return self.score.double() < enough

    def take(
        self, values: Tensor, loss: Tensor, score: Tensor, *, enough: float | None
    ) -> None:
        """Take over the lanes for which an epoch is the best so far, in place."""
        wins = (score == self.score) & (loss <= self.loss) | (score > self.score)
        if enough is not None:
            # What goes on after a lane's own end is nothing to it.
            going = self.below(enough)
            wins &= going
            loss = loss.where(going, 0)
        torch.where(wins[:, None], values, self.values, out=self.values)
        torch.where(wins, score, self.score, out=self.score)
        torch.where(wins, loss, self.loss, out=self.loss)
        self.seen.add_(loss)


class _Lanes:
    """Networks that are trained together.

    Attributes:
        best: The best epoch of each.
    """

    def __init__(
        self,
        program: Program,
        shapes: Sequence[tuple[int, ...]],
        values: Tensor,
        held: Tensor,
        moments: Moments,
        best: _Best,
    ) -> None:
        self.best = best
        self._program, self._shapes = program, shapes
        self._values, self._held, self._moments = values, held, moments
        self._flat, self._bits = values.view(-1), values.view(held.dtype)
        self._leaf = values.detach().requires_grad_()
        self._losses = _losses(program, shapes)
        self._learners: dict[torch.Size, Step] = {}
        looks = vmap(_look(program, shapes))
        self._looker = self._again(partial(_seen, looks, values))
        # On weights only, as `pull_to_zero` has it.
        on = [values.new_full(shape, len(shape) > 1).view(-1) for shape in shapes]
        self._pull = torch.cat(on) * program.recipe.l1_decay

    @classmethod
    def start(
        cls,
        program: Program,
        shapes: Sequence[tuple[int, ...]],
        rows: Tensor,
        keep: Tensor,
    ) -> "_Lanes":
        """Begin a training with a fresh optimizer."""
        values, held = rows.clone(), bits(rows, ~keep)
        values.view(held.dtype).bitwise_and_(held)
        flat = FlatParameters(values.view(-1), torch.zeros_like(values).view(-1))
        best = _Best.before(values)
        return cls(program, shapes, values, held, start_adam(flat), best)

    def those(self, lanes: Bool[Tensor, " lane"]) -> "_Lanes":
        """Give some of the lanes as they are now."""

        def part(x: Tensor) -> Tensor:
            return x.view_as(self._values)[lanes].view(-1)

        moments, best = self._moments, self.best
        return _Lanes(
            self._program,
            self._shapes,
            self._values[lanes],
            self._held[lanes],
            Moments(part(moments.first), part(moments.second), part(moments.spare)),
            _Best(*[x[lanes] for x in (best.values, best.score, best.loss, best.seen)]),
        )

    def step(self, batch: Batch, step: int, steps: int) -> None:
        """Make a step of Adam, the first of which is 1."""
        recipe, size = self._program.recipe, batch.inputs.shape
        if size not in self._learners:
            losses = vmap(self._losses, in_dims=(0, *batch.axes))
            learn = partial(_gradient, losses, self._leaf, batch)
            self._learners[size] = self._again(learn)
        (gradient,) = self._learners[size]()
        if recipe.l1_decay:
            signs = self._moments.spare.view_as(self._values)
            gradient.addcmul_(torch.sign(self._values, out=signs), self._pull)
        step_adam(
            FlatParameters(self._flat, gradient.reshape(-1)),
            self._moments,
            step=step,
            learning_rate=recipe.rate(step, steps),
            weight_decay=recipe.weight_decay,
        )
        self._bits.bitwise_and_(self._held)

    def look(self, enough: float | None) -> None:
        """Take over the lanes for which this epoch is the best so far."""
        self.best.take(self._values, *self._looker(), enough=enough)

    def _again(self, step: Step) -> Step:
        """Let a step be repeated, if it can be."""
        recipe = self._program.recipe
        fixed = (recipe.inputs, recipe.targets, *recipe.checked_on)
        return repeated(step, fixed=fixed) if self._program.steady else step


# No methods: steps that know their lanes would keep each other's memory.
def _gradient(
    losses: Callable[..., Tensor], leaf: Tensor, batch: Batch
) -> tuple[Tensor, ...]:
    """Give the gradient of each lane's loss."""
    with torch.enable_grad():
        found = losses(leaf, batch.inputs, batch.targets)
        return torch.autograd.grad(found.sum(), leaf)


def _seen(
    looks: Callable[[Tensor], tuple[Tensor, ...]], values: Tensor
) -> tuple[Tensor, ...]:
    """Give each lane's loss and score on clean samples."""
    with torch.no_grad():
        return looks(values)


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
