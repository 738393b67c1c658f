"""A model as a function of its parameters, so that many can run as one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from sculpt_plugin.errors import LaneError, one_line
from sculpt_plugin.inputs import copy_of
from sculpt_plugin.pruning.lanes.tape import repeats
from sculpt_plugin.pruning.samples import reduction, samples_per_loss
from sculpt_plugin.training.mini_batches import shuffled
from sculpt_plugin.training.recipe import Recipe

Samples = tuple[Tensor, Tensor]
"""Inputs and targets, one row per sample."""

_BANK = 2**26
"""Of the samples that are drawn so many numbers are kept; others are drawn anew."""


@dataclass(frozen=True, eq=False)
class Program:
    """A model and a recipe as one program over lanes.

    Attributes:
        shell: The model without parameters; they are lent to it for each run.
        places: For each parameter where the model looks for it: modules with names.
        recipe: How each lane is trained.
        scale: What makes a sample's own loss of its share in the loss of all.
        steady: Whether each run does the same operations.
    """

    shell: nn.Module
    places: tuple[tuple[tuple[nn.Module, str], ...], ...]
    recipe: Recipe
    scale: int
    steady: bool = False
    _bank: dict[tuple[int, int], list[list[Samples]]] = field(
        default_factory=dict, repr=False
    )

    def outputs(self, parts: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """Run the model with the given parameters."""
        for places, part in zip(self.places, parts, strict=True):
            for module, name in places:
                # As torch.func.functional_call does, in a tenth of its time.
                vars(module)[name] = part
        return self.shell(inputs)

    def drawn(self, seed: int, epochs: int) -> Iterable[list[Samples]]:
        """Give the samples of so many epochs, drawn as `Recipe.train` draws them.

        Args:
            seed: Names the noise and the order of the samples.
            epochs: How many.

        Returns:
            For each epoch its batches: inputs and targets.
        """
        key = (seed, epochs)
        if key in self._bank:
            return self._bank[key]
        source = torch.Generator().manual_seed(seed)
        drawn = (self._epoch(source) for _ in range(epochs))
        numbers = self.recipe.inputs.numel() + self.recipe.targets.numel()
        if (epochs + sum(kept for _, kept in self._bank)) * numbers <= _BANK:
            self._bank[key] = drawn = list(drawn)
        return drawn

    def _epoch(self, source: torch.Generator) -> list[Samples]:
        """Draw one epoch."""
        recipe = self.recipe
        if recipe.batch_size is None:
            return [(recipe.noisy(source), recipe.targets)]
        batches = shuffled(len(recipe.targets), recipe.batch_size, source)
        return [
            (recipe.noisy(source, samples), recipe.targets[samples])
            for samples in batches
        ]


def program(model: nn.Module, recipe: Recipe) -> Program:
    """Make a program of a model, and try whether it can run in lanes.

    Raises:
        LaneError: `torch.func.vmap` cannot run the model; it says why.
    """
    model = copy_of(model).train()
    recipe = recipe.on_device_of(model)
    with torch.no_grad():
        count = len(recipe.checked_on[0])
        outputs = model(recipe.checked_on[0])
        known = reduction(recipe.loss, outputs, recipe.checked_on[1], count)
        scale = samples_per_loss(known, count)
    lanes = {
        name: torch.stack([p.detach(), p.detach() * 0.5 + 0.1])
        for name, p in model.named_parameters()
    }
    size = recipe.batch_size
    inputs, targets = recipe.inputs[:size], recipe.targets[:size]
    # A score may count on the number of samples that it is given.
    clean, wanted = (x[:size] for x in recipe.checked_on)
    with torch.no_grad():
        expected = [
            functional_call(model, {n: x[lane] for n, x in lanes.items()}, inputs)
            for lane in (0, 1)
        ]
    made = Program(model, _emptied(model), recipe, scale)

    def run(parts: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        outputs = made.outputs(parts, inputs)
        score = recipe.score(made.outputs(parts, clean), wanted)
        return outputs, recipe.loss(outputs, targets), score

    try:
        with torch.no_grad():
            found, _, _ = vmap(run)(list(lanes.values()))
            steady = repeats(lambda: vmap(run)(list(lanes.values())))
    except Exception as error:
        raise LaneError(
            "A model, its loss and its score must run under torch.func.vmap to be "
            f"trained in lanes, and these do not: {one_line(error)}. Pass lanes=False "
            "to sculpt one network at a time."
        ) from error
    if not torch.allclose(found, torch.stack(expected), rtol=1e-3, atol=1e-5):
        raise LaneError(
            "A model must give the same outputs under torch.func.vmap as alone, and "
            "this one does not: pass lanes=False to sculpt one network at a time."
        )
    return replace(made, steady=steady)


def _emptied(
    model: nn.Module,
) -> tuple[tuple[tuple[nn.Module, str], ...], ...]:
    """Take a model's parameters out, and say where each one was."""
    places: dict[int, list[tuple[nn.Module, str]]] = {
        id(parameter): [] for parameter in model.parameters()
    }
    for module in model.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None:
                places[id(parameter)].append((module, name))
    for found in places.values():
        for module, name in found:
            del module._parameters[name]
    return tuple(tuple(found) for found in places.values())
