"""Adam on one flat vector of all parameters: half the time on a small network."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import nn

_DECAY = (0.9, 0.999)
_SMALLEST = 1e-8


@dataclass(frozen=True, eq=False)
class FlatParameters:
    """All trainable parameters of a model in one vector, and their gradients.

    Attributes:
        values: The parameters; the model computes with this very memory.
        gradients: What `backward` adds to, laid out in the same way.
    """

    values: Float[torch.Tensor, " weight"]
    gradients: Float[torch.Tensor, " weight"]


@contextmanager
def flattened(model: nn.Module) -> Iterator[FlatParameters]:
    """Let a model compute with one flat vector of parameters for a while.

    An optimizer's step costs a few small operations on each parameter. In one
    vector they are a few operations in all, and keeping the best epoch is one copy.
    At the end the model has its own memory back, with the vector's last values.

    Args:
        model: A model on one device and of one dtype. What changes its parameters
            meanwhile must do it in place.

    Yields:
        The parameters and their gradients, the latter zero at first.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> with flattened(model) as flat:
        ...     _ = flat.values.fill_(0.5)
        >>> model.weight.tolist(), model.bias.tolist()
        ([[0.5, 0.5]], [0.5])
    """
    parameters = [item for item in model.parameters() if item.requires_grad]
    own_memory = [item.data for item in parameters]
    own_gradients = [item.grad for item in parameters]
    values = torch.cat([item.reshape(-1) for item in own_memory])
    gradients = torch.zeros_like(values)
    sizes = [item.numel() for item in own_memory]
    pieces = zip(values.split(sizes), gradients.split(sizes), strict=True)
    for parameter, (value, gradient) in zip(parameters, pieces, strict=True):
        parameter.data = value.view_as(parameter)
        parameter.grad = gradient.view_as(parameter)
    try:
        yield FlatParameters(values=values, gradients=gradients)
    finally:
        for parameter, memory, gradient in zip(
            parameters, own_memory, own_gradients, strict=True
        ):
            memory.copy_(parameter.data)
            parameter.data = memory
            parameter.grad = gradient


@dataclass(frozen=True, eq=False)
class Moments:
    """Adam's running means of the gradients and of their squares.

    Attributes:
        first: The means of the gradients.
        second: The means of their squares.
        spare: Memory to compute a step in; new memory each time would cost as much as
            the rest of a step.
    """

    first: Float[torch.Tensor, " weight"]
    second: Float[torch.Tensor, " weight"]
    spare: Float[torch.Tensor, " weight"]


def start_adam(flat: FlatParameters) -> Moments:
    """Give the moments of an optimizer that has made no step yet.

    Args:
        flat: What it will optimize.

    Returns:
        Zeros.

    Example:
        >>> with flattened(nn.Linear(2, 1)) as flat:
        ...     start_adam(flat).first
        tensor([0., 0., 0.])
    """
    first, second, spare = (torch.zeros_like(flat.values) for _ in range(3))
    return Moments(first, second, spare)


def step_adam(
    flat: FlatParameters,
    moments: Moments,
    *,
    step: int,
    learning_rate: float,
    weight_decay: float,
) -> None:
    """Change the parameters by one step of Adam, then forget the gradients.

    The step is that of `torch.optim.Adam`, operation for operation, with its
    defaults for what is not an argument here: weight decay is added to the gradient.

    Args:
        flat: The parameters and their gradients.
        moments: The optimizer's memory, changed too.
        step: Number of this step, from 1.
        learning_rate: Size of a step.
        weight_decay: Share of each parameter that is added to its gradient.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> with flattened(model) as flat:
        ...     moments = start_adam(flat)
        ...     _ = flat.values.fill_(0.5), flat.gradients.fill_(3.0)
        ...     step_adam(flat, moments, step=1, learning_rate=0.1, weight_decay=0.0)
        >>> model.bias.data
        tensor([0.4000])
    """
    first_decay, second_decay = _DECAY
    values, gradients = flat.values, flat.gradients
    if weight_decay:
        gradients.add_(values, alpha=weight_decay)
    moments.first.lerp_(gradients, 1 - first_decay)
    moments.second.mul_(second_decay).addcmul_(
        gradients, gradients, value=1 - second_decay
    )
    # Roots of zeros are ten times as slow as others; that of the least number vanishes
    # beside what is added to it, unless numbers are short.
    least = torch.finfo(values.dtype).tiny
    least = least if least < _SMALLEST**3 else 0.0
    spread = torch.clamp_min(moments.second, least, out=moments.spare).sqrt_()
    spread.div_((1 - second_decay**step) ** 0.5)
    values.addcdiv_(
        moments.first,
        spread.add_(_SMALLEST),
        value=-learning_rate / (1 - first_decay**step),
    )
    gradients.zero_()
