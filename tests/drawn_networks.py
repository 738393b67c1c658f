"""A small network as a list of steps, drawn one by one."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

Values = list[Tensor]


class Drawn(nn.Module):
    """A program of steps; each makes one more value of those before it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        self.scales = nn.ParameterList()
        self.steps: list[Callable[[Values], Tensor]] = []
        self.said: list[str] = []
        self.results: tuple[int, ...] = ()
        self.named = False
        self.multiplies = False
        self.example: tuple[Tensor, ...] = ()

    def forward(self, *inputs: Tensor) -> Tensor | tuple | dict:
        values = list(inputs)
        for step in self.steps:
            values.append(step(values))
        given = [values[result] for result in self.results]
        if self.named:
            return {f"output {number}": value for number, value in enumerate(given)}
        return tuple(given) if len(given) > 1 else given[0]

    def __repr__(self) -> str:
        return "\n".join(["Drawn:", *self.said, f"results {self.results}"])


class Builder:
    """Draws steps, and knows the shape of every value so far."""

    def __init__(self, draw: Callable, shapes: Sequence[tuple[int, ...]]) -> None:
        self.draw = draw
        self.model = Drawn()
        self.shapes = list(shapes)
        # Inputs are read as channels, so none is flattened before a layer read it.
        self.raw = [len(shape) == 3 for shape in shapes]
        self.read: set[int] = set()

    def choose(self, among: Sequence) -> Any:
        return self.draw(st.sampled_from(among))

    def any_value(self, *, rank: int | None = None, raw: bool = True) -> Any:
        """Choose a value, the latest ones preferred."""
        fit = [
            number
            for number, shape in enumerate(self.shapes)
            if rank in (None, len(shape)) and (raw or not self.raw[number])
        ]
        return self.choose(fit[-3:]) if fit else None

    def partner(self, value: int, *, axes: slice) -> Any:
        """Choose another value of the same size along these axes."""
        fit = [
            other
            for other, shape in enumerate(self.shapes)
            if other != value
            and len(shape) == len(self.shapes[value])
            and shape[axes] == self.shapes[value][axes]
        ]
        return self.choose(fit) if fit else None

    def layer(self, layer: nn.Module) -> nn.Module:
        self.model.layers.append(layer)
        return layer

    def add(
        self,
        say: str,
        step: Callable[[Values], Tensor],
        shape: tuple[int, ...],
        *sources: int,
        weighted: bool = False,
    ) -> int:
        self.model.steps.append(step)
        self.read.update(sources)
        self.raw.append(not weighted and all(self.raw[source] for source in sources))
        self.shapes.append(shape)
        number = len(self.shapes) - 1
        self.model.said.append(f"  v{number} = {say} of {sources} {shape}")
        return number


def apply(builder: Builder, layer: nn.Module, value: int, shape: tuple, **more) -> int:
    """Add a step that runs a layer."""
    name = f"{len(builder.model.layers)}: {layer}"
    builder.layer(layer)
    return builder.add(name, lambda v: layer(v[value]), shape, value, **more)


def prune(model: Drawn, random: torch.Generator, *, left: float) -> None:
    """Give every parameter random values, and most weights zero.

    Each unit keeps a weight and a bias: what is always zero switches off all that is
    multiplied by it, which only its values tell.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=random)
            if parameter.ndim > 1:
                kept = torch.rand(parameter.shape, generator=random) < left
                kept.view(-1)[0] = True
                empty = ~kept.flatten(1).any(1)
                kept[empty] = True
                parameter.mul_(kept)
        for norm in model.modules():
            if isinstance(norm, nn.BatchNorm2d | nn.GroupNorm) and not model.multiplies:
                norm.weight[0] = 0.0
