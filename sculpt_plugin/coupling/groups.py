"""Units in groups, each with the slices of parameters that live and die with it."""

from dataclasses import dataclass, field

import torch_pruning as tp
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

WEIGHTED = (_ConvNd, nn.Linear)
"""The layers whose weights are edges."""

ACROSS_UNITS = (nn.LayerNorm, nn.GroupNorm)
"""Norms that mix the units of a layer."""


@dataclass(frozen=True, eq=False)
class Member:
    """The part of one parameter that belongs to the units of a group.

    Attributes:
        parameter: Dotted name of the parameter.
        axis: The axis along which units are counted.
        index: Positions along that axis; of a grouped convolution's columns the number
            of the input channel, which is a column modulo the axis' length.
        unit: For each position the number of its unit within the group.
        rows: Which part of axis 0 is meant, where a grouped convolution reads a unit
            with some of its rows only.
    """

    parameter: str
    axis: int
    index: Int[Tensor, " position"]
    unit: Int[Tensor, " position"]
    rows: slice = field(default_factory=lambda: slice(None))


@dataclass(frozen=True, eq=False)
class UnitGroup:
    """The units of one layer, or of several layers that are added together.

    Attributes:
        name: The layer that torch-pruning takes as the group's root.
        size: Number of units.
        makes: What produces the units: rows of weights, biases, norms.
        reads: What reads them: columns of weights.
        obstacle: Why the units must not be pruned, or None if they may.
        shrinks: Whether cutting them out leaves the model's function as it is.
        root: The torch-pruning group itself, over all units.
    """

    name: str
    size: int
    makes: tuple[Member, ...]
    reads: tuple[Member, ...]
    obstacle: str | None
    shrinks: bool
    root: tp.Group = field(repr=False)


@dataclass(frozen=True, eq=False)
class Coupling:
    """A model's units in groups, and its edges.

    Attributes:
        groups: All groups, in the order of the model's layers.
        weights: Names of the parameters whose entries are edges, ignored layers left
            out.
    """

    groups: tuple[UnitGroup, ...]
    weights: tuple[str, ...]

    @property
    def prunable(self) -> tuple[UnitGroup, ...]:
        """The groups whose units may be pruned."""
        return tuple(group for group in self.groups if group.obstacle is None)

    @property
    def obstacles(self) -> dict[str, str]:
        """Why the units of a group must not be pruned, for each that has a reason."""
        return {group.name: group.obstacle for group in self.groups if group.obstacle}

    @property
    def unit_count(self) -> int:
        """How many units may be pruned, over all groups."""
        return sum(group.size for group in self.prunable)


def edge_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Give the layers whose weights are edges, by the weight's dotted name.

    Example:
        >>> list(edge_layers(nn.Sequential(nn.Linear(4, 3), nn.ReLU())))
        ['0.weight']
    """
    return {
        f"{name}.weight" if name else "weight": module
        for name, module in model.named_modules()
        if isinstance(module, WEIGHTED)
    }


def layer_of(parameter: str) -> str:
    """Give the dotted name of the layer that a parameter belongs to.

    Example:
        >>> layer_of("block.0.weight")
        'block.0'
    """
    return parameter.rpartition(".")[0]


def output_axis(layer: nn.Module) -> int:
    """Say along which axis of its weight a layer's outputs are.

    Example:
        >>> output_axis(nn.Conv2d(1, 8, 3)), output_axis(nn.ConvTranspose2d(1, 8, 3))
        (0, 1)
    """
    return 1 if getattr(layer, "transposed", False) else 0
