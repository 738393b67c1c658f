"""Training many networks at once: one vmapped model, one optimizer for all lanes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.func import functional_call, vmap

from sculpt_plugin.errors import LaneError, one_line
from sculpt_plugin.pruning.masks import bits
from sculpt_plugin.training.flat_adam import FlatParameters, start_adam, step_adam
from sculpt_plugin.training.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Trained:
    """What one training made of each lane: its best epoch.

    Attributes:
        values: The parameters of each lane.
        score: The score of each lane.
        loss: The loss of each lane on the validation set; not finite where the lane's
            training has diverged.
    """

    values: Float[Tensor, "lane entry"]
    score: Float[Tensor, " lane"]
    loss: Float[Tensor, " lane"]


@dataclass(frozen=True, eq=False)
class Program:
    """A model and a recipe as one program over lanes.

    Attributes:
        model: The model; only its structure is used.
        recipe: How each lane is trained.
        names: The names of its parameters, in the order of a row.
        apart: Whether the model sees each sample by itself.
    """

    model: nn.Module
    recipe: Recipe
    names: tuple[str, ...]
    apart: bool

    def outputs(self, parts: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """Run the model with the parameters of one lane."""
        return functional_call(
            self.model, dict(zip(self.names, parts, strict=True)), (inputs,)
        )


def program(model: nn.Module, recipe: Recipe) -> Program:
    """Make a program of a model, and try whether it can run in lanes.

    Raises:
        LaneError: `torch.func.vmap` cannot run the model; it says why.
    """
    recipe = recipe.on_device_of(model)
    names = tuple(name for name, _ in model.named_parameters())
    made = Program(model, recipe, names, recipe.sees_rows_apart(model))
    parts = [p.detach().expand(2, *p.shape) for p in model.parameters()]
    try:
        with torch.no_grad():
            model.train()
            found = vmap(made.outputs, in_dims=(0, None))(parts, recipe.inputs)
            expected = model(recipe.inputs)
    except Exception as error:
        raise LaneError(
            "A model must run under torch.func.vmap to be trained in lanes, and this "
            f"one does not: {one_line(error)}. Pass lanes=False to sculpt one network "
            "at a time."
        ) from error
    if not torch.allclose(found[1], expected, rtol=1e-4, atol=1e-6):
        raise LaneError(
            "A model must give the same outputs under torch.func.vmap as alone, and "
            "this one does not: pass lanes=False to sculpt one network at a time."
        )
    return made


def train_lanes(
    program: Program,
    rows: Float[Tensor, "lane entry"],
    keep: Bool[Tensor, "lane entry"],
    seeds: Sequence[int],
    cut: Callable[[Tensor], list[Tensor]],
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
        cut: Cuts rows into one stack per parameter.
        epochs: How long.

    Returns:
        The best epoch of each lane.
    """
    recipe = program.recipe
    held = bits(rows, ~keep)
    values = rows.clone()
    values.view(held.dtype).bitwise_and_(held)
    parts = [part.detach().requires_grad_() for part in cut(values)]
    flat = FlatParameters(values.view(-1), torch.zeros_like(values).view(-1))
    gradients = cut(flat.gradients.view_as(values))
    moments = start_adam(flat)
    draw, varies = _drawing(program, seeds)
    step = vmap(_step(program), in_dims=(0, 0 if varies else None))
    best = Trained(
        values.clone(),
        values.new_full((len(rows),), -torch.inf),
        values.new_zeros(len(rows)),
    )
    for epoch in range(epochs + 1):
        with torch.enable_grad():
            loss, clean_loss, score = step(parts, draw())
        if epoch > 0:
            best = _better(best, values, score, clean_loss)
        if epoch == epochs:
            break
        found = torch.autograd.grad(loss.sum(), parts, allow_unused=True)
        for gradient, part in zip(gradients, found, strict=True):
            if part is not None:
                gradient.copy_(part)
        step_adam(
            flat,
            moments,
            step=epoch + 1,
            learning_rate=recipe.rate(epoch + 1, epochs),
            weight_decay=recipe.weight_decay,
        )
        values.view(held.dtype).bitwise_and_(held)
    return best


def _step(
    program: Program,
) -> Callable[[list[Tensor], Tensor], tuple[Tensor, Tensor, Tensor]]:
    """One lane's loss on noisy samples, and its loss and score on clean ones."""
    recipe = program.recipe
    targets = recipe.targets.repeat(recipe.draws, *[1] * (recipe.targets.ndim - 1))
    clean, wanted = recipe.checked_on
    count = len(targets)

    def step(parts: list[Tensor], inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outputs = program.outputs(parts, inputs)
        if program.apart:
            seen = outputs[count:].detach()
        else:
            still = [part.detach() for part in parts]
            program.model.eval()
            seen = program.outputs(still, clean)
            program.model.train()
        loss = recipe.loss(outputs[:count], targets)
        return loss, recipe.loss(seen, wanted), recipe.score(seen, wanted)

    return step


def _drawing(
    program: Program, seeds: Sequence[int]
) -> tuple[Callable[[], Tensor], bool]:
    """Give what draws each epoch's inputs, and whether they differ between lanes.

    The noise is drawn once for each seed, as its network alone would draw it. Where
    the model sees samples apart, the clean ones follow the noisy ones.
    """
    recipe = program.recipe
    clean = recipe.checked_on[0] if program.apart else recipe.inputs[:0]
    if not recipe.noise:
        inputs = torch.cat([recipe.noisy(torch.Generator()), clean])
        return lambda: inputs, False
    distinct = sorted(set(seeds))
    lane = torch.tensor([distinct.index(seed) for seed in seeds])
    generators = [torch.Generator().manual_seed(seed) for seed in distinct]

    def draw() -> Tensor:
        each = [torch.cat([recipe.noisy(source), clean]) for source in generators]
        return torch.stack(each)[lane]

    return draw, True


def _better(best: Trained, values: Tensor, score: Tensor, loss: Tensor) -> Trained:
    """Take over the lanes for which this epoch is the best so far.

    A loss that was not finite once stays so: the lane has diverged.
    """
    first = best.score.isneginf()
    wins = (score > best.score) | ((score == best.score) & (loss <= best.loss)) | first
    wins &= ~(best.loss.isnan())
    lost = ~loss.isfinite()
    return Trained(
        torch.where(wins[:, None], values, best.values),
        torch.where(wins, score, best.score),
        torch.where(lost, torch.nan, torch.where(wins, loss, best.loss)),
    )
