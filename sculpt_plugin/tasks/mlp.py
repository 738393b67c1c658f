"""The dense network that a task is learned with."""

import os
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from operator import index
from typing import Any

import torch
from torch import nn

from sculpt_plugin.errors import TaskError
from sculpt_plugin.tasks.digits import DigitTask
from sculpt_plugin.tasks.task import Task

MOST_LAYERS = 100
"""A chain of ReLUs that is deeper learns nothing, and takes long to do so."""

_BYTES = 4 * 4
"""What training takes for a parameter: its value, its gradient, Adam's two moments."""


def mlp(
    task: Task | DigitTask, *, hidden: Sequence[int] = (24, 24), seed: int = 0
) -> nn.Sequential:
    """Make a dense network for a task, as the paper starts it.

    Linear layers with ReLUs between them, Kaiming-normal weights and zero biases.
    The last layer is linear: its outputs are logits, an output is 1 where its logit
    is above 0, and the loss applies the sigmoid itself, which is numerically safer.

    Args:
        task: What the network will learn: gives the numbers of inputs and outputs.
        hidden: Units of each hidden layer.
        seed: Decides the weights. Torch's own random state stays as it is.

    Returns:
        The network, untrained.

    Raises:
        TaskError: There is no hidden layer, or one without units, or more layers or
            units than can be trained, or the seed is out of range.

    Example:
        >>> from sculpt_plugin import tasks
        >>> mlp(tasks.get("4,1,4"), hidden=(6,))
        Sequential(
          (0): Linear(in_features=4, out_features=6, bias=True)
          (1): ReLU()
          (2): Linear(in_features=6, out_features=4, bias=True)
        )
    """
    hidden = checked_widths(hidden)
    generator = torch.Generator().manual_seed(checked_seed(seed))
    sizes = (task.input_count, *hidden, task.output_count)
    # Nothing says so later: memory is given freely, and taken back by a kill.
    if _BYTES * sum((1 + below) * above for below, above in pairwise(sizes)) > _room():
        raise _too_wide(hidden)
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        try:
            linear = nn.Linear(before, after, device="meta")
            # `to_empty` would do, but the first time it imports sympy.
            linear.weight = nn.Parameter(torch.empty(after, before))
            linear.bias = nn.Parameter(torch.zeros(after))
        except (RuntimeError, TypeError, MemoryError) as error:
            raise _too_wide(hidden) from error
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu", generator=generator)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def checked_seed(seed: Any) -> int:
    """Give a start network's seed as Python's own number.

    Raises:
        TaskError: It is no whole number, or one that torch does not take.

    Example:
        >>> checked_seed(3)
        3
    """
    try:
        number = index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < 2**63:
        raise TaskError(f"seed must be from 0 to 2**63 - 1, got {seed}.")
    return number


def checked_widths(hidden: Any) -> tuple[int, ...]:
    """Give the widths of hidden layers as plain numbers.

    Raises:
        TaskError: There is none, or too many, or one is no whole number of 1 or more
            that torch can count to.

    Example:
        >>> checked_widths([24, 12])
        (24, 12)
    """
    try:
        widths = tuple(map(index, hidden))
    except TypeError:
        widths = ()
    if not widths or min(widths) < 1:
        raise TaskError(
            "hidden must be the units of at least one layer, each 1 or more, got "
            f"{reprlib.repr(hidden)}: (24, 24) is the paper's smallest."
        )
    if len(widths) > MOST_LAYERS:
        raise TaskError(
            f"hidden must be at most {MOST_LAYERS} layers, as deeper ones learn "
            f"nothing, got {len(widths)}: choose fewer."
        )
    if max(widths) >= 2**63:
        raise _too_wide(widths)
    return widths


def _room() -> float:
    """Give the bytes of memory of this machine, infinity where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # on Windows
        return inf


def _too_wide(hidden: Sequence[int]) -> TaskError:
    """Say that a network is too large to be trained."""
    return TaskError(
        f"hidden must fit the memory, got {reprlib.repr(hidden)}: choose narrower "
        "layers."
    )


@dataclass(frozen=True, eq=False)
class StartNetworks:
    """Makes the dense network of each seed; a class, so that processes can pass it on.

    Attributes:
        task: What the networks will learn.
        hidden: Units of each hidden layer.
    """

    task: Task
    hidden: tuple[int, ...]

    def __call__(self, seed: int) -> nn.Sequential:
        """Make the network of a seed, untrained; see `mlp`."""
        return mlp(self.task, hidden=self.hidden, seed=seed)
