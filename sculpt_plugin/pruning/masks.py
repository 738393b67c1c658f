"""Masks: which weights are kept. The only state that pruning has."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from sculpt_plugin.coupling import Coupling, UnitGroup
from sculpt_plugin.errors import ModelError


@dataclass(frozen=True, eq=False, repr=False)
class Masks:
    """Which entries of which parameters are kept.

    Masks only ever shrink: every method returns new masks that keep a subset.

    Attributes:
        keep: Parameter name to a boolean tensor of its shape, true where kept.
        weights: Names of the parameters whose entries are edges; only these count for
            `density`.

    Example:
        >>> masks = Masks({"0.weight": torch.ones(2, 3, dtype=bool)}, ("0.weight",))
        >>> masks.without_edges(torch.tensor([0, 5])).density
        0.6666666666666666
    """

    keep: Mapping[str, Bool[Tensor, "..."]]
    weights: tuple[str, ...]

    def __repr__(self) -> str:
        """Say how much is kept."""
        return f"Masks({self.edge_count} of {self.edge_total} edges kept)"

    @classmethod
    def dense(cls, model: nn.Module, coupling: Coupling) -> "Masks":
        """Keep everything of the parameters that units or edges can take away."""
        names = set(coupling.weights)
        for group in coupling.prunable:
            names |= {member.parameter for member in (*group.makes, *group.reads)}
        keep = {
            name: torch.ones_like(parameter, dtype=torch.bool)
            for name, parameter in model.named_parameters()
            if name in names
        }
        return cls(keep, coupling.weights)

    @cached_property
    def edge_count(self) -> int:
        """How many edges are kept."""
        return sum(int(self.keep[name].sum()) for name in self.weights)

    @property
    def edge_total(self) -> int:
        """How many edges there were."""
        return sum(self.keep[name].numel() for name in self.weights)

    @property
    def gone_count(self) -> int:
        """How many edges are gone."""
        return self.edge_total - self.edge_count

    @cached_property
    def gone(self) -> dict[str, Bool[Tensor, "..."]]:
        """What is masked, for the parameters of which anything is."""
        return {name: ~keep for name, keep in self.keep.items() if not keep.all()}

    @property
    def density(self) -> float:
        """The share of the edges that is kept, 0 to 1."""
        return self.edge_count / self.edge_total

    def unit_alive(self, group: UnitGroup) -> Bool[Tensor, " unit"]:
        """Tell for each unit of a group whether anything that makes it is kept."""
        alive = torch.zeros(group.size, dtype=torch.bool)
        for member in group.makes:
            mask = self.keep[member.parameter].movedim(member.axis, 0)
            kept = mask.flatten(1).any(1) if mask.ndim > 1 else mask
            # By number: after a flatten one unit has many positions.
            alive[member.unit[kept[member.index.to(kept.device)].cpu()]] = True
        return alive

    def without_units(self, group: UnitGroup, gone: Bool[Tensor, " unit"]) -> "Masks":
        """Drop units of a group: all that makes them and all that reads them."""
        keep = dict(self.keep)
        fresh = set()
        for member in (*group.makes, *group.reads):
            if member.parameter not in fresh:
                keep[member.parameter] = keep[member.parameter].clone()
                fresh.add(member.parameter)
            part = keep[member.parameter][member.rows]
            drop = member.index[gone[member.unit]].to(part.device)
            drop = drop % part.shape[member.axis]  # a grouped convolution's columns
            part.index_fill_(member.axis, drop, False)
        return Masks(keep, self.weights)

    def without_edges(self, gone: Tensor) -> "Masks":
        """Drop edges, numbered through all `weights` in their order."""
        flat = torch.cat([self.keep[name].flatten() for name in self.weights])
        flat[gone] = False
        sizes = [self.keep[name].numel() for name in self.weights]
        parts = flat.split(sizes)
        shaped = {
            name: part.view_as(self.keep[name])
            for name, part in zip(self.weights, parts, strict=True)
        }
        return Masks({**self.keep, **shaped}, self.weights)


def apply(model: nn.Module, masks: Masks) -> None:
    """Set every masked entry of the model's parameters to exact zero, in place.

    Args:
        model: The model to change.
        masks: Masks made for this model.

    Raises:
        ModelError: A masked parameter is missing or has another shape.
    """
    for name, gone in _pairs(model, masks):
        model.get_parameter(name).data.masked_fill_(gone, 0)


def attach(model: nn.Module, masks: Masks) -> RemovableHandle:
    """Hold the masked entries of a model at zero from now on, in place.

    Before each forward of the model the masked entries are set to zero, so any
    training loop that calls `model(...)` keeps the network sparse. Parameter names,
    optimizers and `state_dict` stay as they are.

    Args:
        model: The model to change.
        masks: Masks made for this model.

    Returns:
        A handle; `handle.remove()` lets the entries go.

    Raises:
        ModelError: A masked parameter is missing or has another shape.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> masks = Masks({"weight": torch.tensor([[True, False]])}, ("weight",))
        >>> handle = attach(layer, masks)
        >>> _ = layer(torch.zeros(1, 2))
        >>> layer.weight[0, 1].item()
        0.0
    """
    hook = HoldMasks([_held(model, *pair) for pair in _pairs(model, masks)])
    hook(model, ())
    return model.register_forward_pre_hook(hook)


class Held(NamedTuple):
    """A masked parameter: where it is, what was there last, and the bits for that."""

    owner: nn.Module
    name: str
    last: Tensor
    mask: Tensor


@dataclass(frozen=True, eq=False)
class HoldMasks:
    """A forward pre-hook that zeroes masked entries; a class so that it pickles.

    It runs before every forward, so it must cost little: a number AND all its bits is
    itself, AND none of them is zero, even where it was not finite. The bits are made
    anew where a parameter was exchanged or moved, or has another precision.
    """

    held: list[Held]

    def __call__(self, module: nn.Module, inputs: tuple) -> None:
        """Zero the masked entries, whatever the optimizer did to them."""
        for number, (owner, name, last, mask) in enumerate(self.held):
            parameter = owner._parameters.get(name)
            if parameter is None:
                parameter = last  # parametrized: it is under another name
            if (
                parameter is not last
                or parameter.element_size() != mask.element_size()
                or parameter.device != mask.device
            ):
                mask = bits(parameter, mask.to(parameter.device) == 0)
                self.held[number] = Held(owner, name, parameter, mask)
            parameter.data.view(mask.dtype).bitwise_and_(mask)


def bits(parameter: Tensor, gone: Bool[Tensor, "..."]) -> Tensor:
    """Give a mask as whole numbers of the parameter's width: all bits, or none."""
    widths = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    width = widths[parameter.element_size()]
    return torch.zeros_like(gone, dtype=width).masked_fill_(~gone, -1)


def _held(model: nn.Module, name: str, gone: Tensor) -> Held:
    """Find whose a parameter is, and make its bits."""
    path, _, own = name.rpartition(".")
    parameter = model.get_parameter(name)
    return Held(model.get_submodule(path), own, parameter, bits(parameter, gone))


def _pairs(model: nn.Module, masks: Masks) -> list[tuple[str, Tensor]]:
    """Pair each parameter's name with what is gone of it; a full mask needs no pair."""
    if not isinstance(masks, Masks):
        raise ModelError(
            f"masks must be Masks, got {type(masks).__name__}: take those of a "
            "sculpture, or what load_masks gives."
        )
    parameters = dict(model.named_parameters())
    for name, keep in masks.keep.items():
        parameter = parameters.get(name)
        if parameter is None or parameter.shape != keep.shape:
            found = "is missing" if parameter is None else f"is {list(parameter.shape)}"
            raise ModelError(
                f"The masks hold {name!r} of shape {list(keep.shape)}, which {found} "
                "in this model: use the model that the masks were made for."
            )
    return [
        (name, gone.to(parameters[name].device)) for name, gone in masks.gone.items()
    ]


def named_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Give all that a model holds: parameters, then buffers, also those not saved."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}
