"""Networks with weights set by hand, and the edges of their graphs."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sculpt_plugin.analysis.graph import LayeredGraph


class Net(nn.Module):
    """Layers by name and a forward given as a function of the net and its input."""

    def __init__(self, run: Callable[..., Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def weigh(layer: nn.Linear | nn.Conv1d | nn.Conv2d, weight: list) -> nn.Module:
    """Set the weights of a layer; a convolution gets them at one kernel position."""
    with torch.no_grad():
        layer.weight.zero_()
        positions = layer.weight.view(*layer.weight.shape[:2], -1)
        positions[..., -1] = torch.tensor(weight, dtype=layer.weight.dtype)
    return layer


def edges(graph: LayeredGraph) -> list[tuple[int, int]]:
    rows, columns = graph.adjacency.nonzero()
    return sorted(zip(rows.tolist(), columns.tolist(), strict=True))
