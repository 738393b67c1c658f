"""The best epoch of a training, and a model set up to be trained."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sculpt_plugin.training.flat_adam import FlatParameters, flattened


def reached(best: "BestEpoch", enough: float | None) -> bool:
    """Tell whether the best epoch is good enough to stop."""
    return enough is not None and best.rank is not None and best.rank[0] >= enough


@dataclass(frozen=True, eq=False)
class BestEpoch:
    """The best epoch so far: its rank, its parameters and its buffers."""

    rank: tuple[float, float] | None
    values: Tensor
    buffers: list[Tensor]


def better(
    best: BestEpoch, rank: tuple[float, float], flat: FlatParameters, model: nn.Module
) -> BestEpoch:
    """Take over the model as it is, if it is the best so far."""
    if best.rank is not None and rank < best.rank:
        return best
    # In the same memory: a copy of its own each time would be slower.
    best.values.copy_(flat.values)
    return BestEpoch(rank, best.values, [buffer.clone() for buffer in model.buffers()])


def put_buffers(model: nn.Module, buffers: list[Tensor]) -> None:
    """Set a model's buffers."""
    with torch.no_grad():
        for buffer, value in zip(model.buffers(), buffers, strict=True):
            put(buffer, value)


def put(tensor: Tensor, value: Tensor) -> None:
    """Set a tensor in place, also a buffer that another batch gave another shape.

    Example:
        >>> last = torch.zeros(3)
        >>> put(last, torch.ones(2))
        >>> last
        tensor([1., 1.])
    """
    if tensor.shape != value.shape:
        tensor.data = tensor.new_empty(value.shape)
    tensor.copy_(value)


@contextmanager
def as_one_vector(model: nn.Module) -> Iterator[FlatParameters]:
    """Set a model up to be trained as one flat vector."""
    with torch.enable_grad(), switched(model, training=True), flattened(model) as flat:
        yield flat


@contextmanager
def switched(model: nn.Module, *, training: bool) -> Iterator[None]:
    """Switch a model to training or to evaluation, and leave it as it was."""
    modes = [module.training for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, mode in zip(model.modules(), modes, strict=True):
            module.training = mode
