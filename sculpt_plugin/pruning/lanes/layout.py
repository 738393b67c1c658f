"""Where everything lies when the parameters of a model are one row of numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor, nn

from sculpt_plugin.coupling import Coupling, UnitGroup
from sculpt_plugin.errors import LaneError
from sculpt_plugin.pruning.masks import named_tensors


@dataclass(frozen=True, eq=False)
class Piece:
    """One parameter within the row.

    Attributes:
        name: Its dotted name.
        shape: Its shape.
        start: Where it begins.
        units: For each of its axes the unit that each position belongs to, -1 where
            none does; None for an axis without units.
        is_weight: Whether its entries are edges.
    """

    name: str
    shape: tuple[int, ...]
    start: int
    units: tuple[Int[Tensor, " _position"] | None, ...]
    is_weight: bool

    @property
    def stop(self) -> int:
        """Where it ends."""
        return self.start + math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class Layout:
    """The parameters of a model in one row, and the units in another.

    Attributes:
        pieces: The parameters, in the order of the model.
        groups: The groups of units that may be pruned, in the order of the model.
        is_edge: For each entry of the row, whether it is an edge.
    """

    pieces: tuple[Piece, ...]
    groups: tuple[UnitGroup, ...]
    is_edge: Bool[Tensor, " entry"]

    @property
    def size(self) -> int:
        """How many entries the row has."""
        return self.pieces[-1].stop

    @property
    def unit_slices(self) -> list[slice]:
        """Where the units of each group lie."""
        slices, start = [], 0
        for group in self.groups:
            slices.append(slice(start, start + group.size))
            start += group.size
        return slices

    @property
    def unit_count(self) -> int:
        """How many units may be pruned."""
        return sum(group.size for group in self.groups)

    def kept_by_units(
        self, alive: Bool[Tensor, "lane unit"]
    ) -> Bool[Tensor, "lane entry"]:
        """Tell which entries the live units leave."""
        # One more column, for the positions that belong to no unit.
        alive = torch.cat([alive, torch.ones_like(alive[:, :1])], dim=1)
        parts = []
        for piece in self.pieces:
            keep = torch.ones(len(alive), *piece.shape, dtype=torch.bool)
            for axis, units in enumerate(piece.units):
                if units is not None:
                    shape = [1] * len(piece.shape)
                    shape[axis] = -1
                    keep &= alive[:, units].view(len(alive), *shape)
            parts.append(keep.reshape(len(alive), -1))
        return torch.cat(parts, dim=1)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the parameters."""
        return [piece.shape for piece in self.pieces]


def cut(
    row: Shaped[Tensor, " entry"], shapes: Sequence[tuple[int, ...]]
) -> list[Tensor]:
    """Cut a row into parameters of the given shapes, views of the same memory."""
    parts = row.split([math.prod(shape) for shape in shapes])
    return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]


def lay_out(model: nn.Module, coupling: Coupling) -> Layout:
    """Lay a model's parameters out in a row, and behind them its buffers."""
    slices = Layout((), coupling.prunable, torch.empty(0, dtype=torch.bool)).unit_slices
    shapes = {name: tuple(x.shape) for name, x in named_tensors(model).items()}
    units: dict[tuple[str, int], Tensor] = {}
    for group, place in zip(coupling.prunable, slices, strict=True):
        for member in (*group.makes, *group.reads):
            key = (member.parameter, member.axis)
            if key not in units:
                length = shapes[member.parameter][member.axis]
                units[key] = torch.full((length,), -1)
            # A grouped convolution's columns are numbered through; see `check_lanes`.
            index = member.index % len(units[key])
            units[key][index] = member.unit + place.start
    pieces: list[Piece] = []
    for name, shape in shapes.items():
        axes = tuple(units.get((name, axis)) for axis in range(len(shape)))
        start = pieces[-1].stop if pieces else 0
        pieces.append(Piece(name, shape, start, axes, name in coupling.weights))
    is_edge = [torch.full((p.stop - p.start,), p.is_weight) for p in pieces]
    return Layout(tuple(pieces), coupling.prunable, torch.cat(is_edge))


def check_lanes(model: nn.Module, coupling: Coupling) -> None:
    """Refuse a model that cannot be a row of parameters with masks over whole axes.

    Raises:
        LaneError: It keeps numbers besides its parameters, some of these are frozen,
            or a layer reads units with a part of its rows only.
    """
    buffer = next((name for name, _ in model.named_buffers()), None)
    if buffer is not None:
        raise LaneError(
            f"A model that is trained in lanes must have parameters only, but this one "
            f"also keeps {buffer!r}, which changes as it runs: pass lanes=False to "
            "sculpt one network at a time."
        )
    frozen = [n for n, p in model.named_parameters() if not p.requires_grad]
    if frozen:
        raise LaneError(
            "A model that is trained in lanes must be trained as a whole, but "
            f"{frozen[0]!r} is frozen: pass lanes=False to sculpt one network at a "
            "time."
        )
    for group in coupling.prunable:
        for member in (*group.makes, *group.reads):
            if member.rows != slice(None):
                raise LaneError(
                    f"{member.parameter!r} belongs to a grouped convolution, which "
                    "reads a unit with some of its rows only and so has no lanes: pass "
                    "lanes=False to sculpt one network at a time."
                )
