"""Tiny networks that several tests use."""

from itertools import pairwise

import torch
from torch import Tensor, nn


def mlp(*sizes: int) -> nn.Sequential:
    """A chain of Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Residual(nn.Module):
    """Two convolutions with batch norm, an addition, a flatten, two Linear layers."""

    shape = (2, 4, 4)

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 5, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(5)
        self.conv2 = nn.Conv2d(5, 5, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(5)
        self.hidden = nn.Linear(5 * 16, 6)
        self.output = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        below = self.norm1(self.conv1(x)).relu()
        above = (self.norm2(self.conv2(below)) + below).relu()
        return self.output(self.hidden(above.flatten(1)).relu())


class Concat(nn.Module):
    """Two branches side by side, read by one layer."""

    shape = (4,)

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Linear(4, 3)
        self.right = nn.Linear(4, 5)
        self.output = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([self.left(x).relu(), self.right(x).tanh()], dim=1)
        return self.output(both)


class Chain(nn.Module):
    """A plain chain, with a bias-free layer."""

    shape = (4,)

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(4, 7), nn.ReLU(), nn.Linear(7, 5, bias=False), nn.ReLU()
        )
        self.output = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.layers(x))


class Grouped(nn.Module):
    """A depthwise and a grouped convolution."""

    shape = (1, 4, 4)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1)
        self.depthwise = nn.Conv2d(6, 6, 3, groups=6)
        self.grouped = nn.Conv2d(6, 4, 1, groups=2)
        self.output = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        below = self.depthwise(self.conv(x).relu()).relu()
        return self.output(self.grouped(below).relu().flatten(1))


ZOO = (Chain, Residual, Concat)


def warmed(kind: type[nn.Module]) -> tuple[nn.Module, Tensor]:
    """Make a network with norm statistics that are not 0 and 1, and a batch for it."""
    model = kind()
    batch = torch.randn(9, *kind.shape)
    for _ in range(3):
        model(torch.randn(9, *kind.shape))
    return model.eval(), batch


class FixedWidth(nn.Module):
    """A recurrent net by hand, whose first state says how many units there are."""

    shape = (4,)

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(4, 8)
        self.again = nn.Linear(8, 8)
        self.output = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), 8)
        for _ in range(3):
            state = torch.tanh(self.read(x) + self.again(state))
        return self.output(state)
