"""Narrow layers: lanes whose units are gone pay only for those that are left."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from sculpt_plugin.pruning.lanes.layout import Layout


@dataclass(frozen=True, eq=False)
class Narrow:
    """The entries of each lane that narrower layers are made of.

    Attributes:
        index: For each lane the entries that are taken along, in their order.
        shapes: The shapes of the narrower parameters, the same in all lanes.
    """

    index: Int[Tensor, "lane taken"]
    shapes: list[tuple[int, ...]]

    def take(self, rows: Tensor) -> Tensor:
        """Give the rows without what is left out."""
        return rows.gather(1, self.index)


def narrowed(layout: Layout, alive: Bool[Tensor, "lane unit"]) -> Narrow | None:
    """Find the narrowest layers that hold the live units of every lane.

    A lane with fewer live units than another takes some of its dead ones along, so
    that all have the same shapes; these are masked as before.

    Args:
        layout: Where everything lies.
        alive: The live units of each lane.

    Returns:
        What to take, or None where the shapes would differ from lane to lane.
    """
    taken = torch.zeros_like(alive)
    for units in layout.unit_slices:
        part = alive[:, units]
        width = int(part.sum(1).max())
        order = (~part).to(torch.uint8).argsort(dim=1, stable=True)[:, :width]
        taken[:, units] = torch.zeros_like(part).scatter_(1, order, value=True)
    taken = torch.cat([taken, torch.ones_like(taken[:, :1])], dim=1)
    lanes = len(alive)
    indices, shapes = [], []
    for piece in layout.pieces:
        index = torch.full((lanes, *[1] * len(piece.shape)), piece.start)
        shape = []
        for axis, (units, length) in enumerate(
            zip(piece.units, piece.shape, strict=True)
        ):
            if units is None:
                positions = torch.arange(length).expand(lanes, -1)
            else:
                keep = taken[:, units]
                counts = keep.sum(1)
                if int(counts.min()) != int(counts.max()):
                    return None
                positions = keep.nonzero()[:, 1].view(lanes, -1)
            stride = math.prod(piece.shape[axis + 1 :])
            view = [lanes, *[1] * len(piece.shape)]
            view[axis + 1] = -1
            index = index + (positions * stride).reshape(view)
            shape.append(positions.shape[1])
        indices.append(index.reshape(lanes, -1))
        shapes.append(tuple(shape))
    return Narrow(torch.cat(indices, dim=1), shapes)
