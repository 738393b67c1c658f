"""Epochs of mini-batches, cut from data in memory: no workers, no copies to and fro."""

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor, nn


def shuffled(
    count: int, size: int, generator: torch.Generator
) -> tuple[Int[Tensor, " sample"], ...]:
    """Give the numbers of an epoch's samples, batch by batch, in a new order.

    The last batch has what is left. A single sample that would be left goes with the
    batch before: a batch norm has nothing to go by in one.

    Args:
        count: How many samples there are.
        size: Samples of a batch.
        generator: Draws the order.

    Example:
        >>> batches = shuffled(7, 3, torch.Generator().manual_seed(0))
        >>> [len(batch) for batch in batches], sorted(torch.cat(batches).tolist())
        ([3, 4], [0, 1, 2, 3, 4, 5, 6])
    """
    order = torch.randperm(count, generator=generator)
    return order.split(batch_sizes(count, size))


def batch_sizes(count: int, size: int) -> list[int]:
    """Say how many samples each batch of an epoch has; see `shuffled`."""
    alone = size > 1 and count > size and count % size == 1
    sizes = [size] * (count // size) + [count % size] * (count % size > 0)
    return [*sizes[:-2], sizes[-2] + 1] if alone else sizes


def train_in_batches(
    model: nn.Module,
    loss_of: Callable[[nn.Module, Int[Tensor, " sample"]], Tensor],
    *,
    count: int,
    batch_size: int,
    epochs: int,
    rate: Callable[[int, int], float],
    weight_decay: float,
    l1_decay: float = 0.0,
    generator: torch.Generator,
    after_epoch: Callable[[int], bool],
) -> None:
    """Train a model in place, batch by batch, with a fresh Adam.

    Args:
        model: The model, in training mode.
        loss_of: Gives the loss of some samples.
        count: How many samples there are.
        batch_size: Samples of a batch.
        epochs: Most times to go through all samples.
        rate: Gives the learning rate of a step, from its number (the first is 1) and
            how many there would be at most.
        weight_decay: Adam's, added to the gradient.
        l1_decay: What is added to the gradient of a weight with the weight's sign;
            biases and scales, which have one dimension, are left alone.
        generator: Draws the order of the samples.
        after_epoch: Called with the number of each epoch that has ended; true ends the
            training.
    """
    # On the CPU one pass over the parameters instead of a dozen; GPUs have it, too.
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    adam = torch.optim.Adam(trained, weight_decay=weight_decay, fused=True)
    step = 0
    for epoch in range(1, epochs + 1):
        batches = shuffled(count, batch_size, generator)
        steps = epochs * len(batches)
        for samples in batches:
            step += 1
            for group in adam.param_groups:
                group["lr"] = rate(step, steps)
            adam.zero_grad(set_to_none=True)
            loss_of(model, samples).backward()
            for parameter in trained:
                if parameter.grad is None:
                    # What the loss does not depend on decays like the rest.
                    parameter.grad = torch.zeros_like(parameter)
            if l1_decay:
                pull_to_zero(model, l1_decay)
            adam.step()
        if after_epoch(epoch):
            return


@torch.no_grad()
def pull_to_zero(model: nn.Module, strength: float) -> None:
    """Add the gradient of the sum of all absolute weights, times a strength.

    Args:
        model: The model, after `backward`. Biases and the scales of norms, which have
            one dimension, are left alone.
        strength: What is added to a positive weight's gradient.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> _ = model.weight.data.copy_(torch.tensor([[0.5, -2.0]]))
        >>> model(torch.zeros(1, 2)).sum().backward()
        >>> pull_to_zero(model, 0.1)
        >>> model.weight.grad, model.bias.grad
        (tensor([[ 0.1000, -0.1000]]), tensor([1.]))
    """
    for parameter in model.parameters():
        if parameter.ndim > 1 and parameter.grad is not None:
            parameter.grad.add_(parameter.sign(), alpha=strength)
