"""Models that read some of their inputs, and trainings that gather no others."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class ReadSome:
    """A forward pre-hook that hands on some of the inputs; a class, so that it pickles.

    Attributes:
        columns: The inputs that the model reads, along the last axis.
    """

    columns: Int[Tensor, " input"]

    def __call__(self, module: nn.Module, inputs: tuple) -> tuple:
        """Leave the other inputs out."""
        values, *others = inputs
        columns = self.columns.to(values.device)
        return (values.index_select(-1, columns), *others)


@contextmanager
def hands_on(model: nn.Module, *, wanted: bool) -> Iterator[Tensor | None]:
    """Let whoever has the data leave inputs out, once and not at every call.

    Args:
        model: A model, perhaps with a `ReadSome`, which is taken off for the while.
        wanted: Whether that is wanted.

    Yields:
        The inputs that the model must be called with; None for all of them.

    Example:
        >>> import torch
        >>> model = nn.Linear(1, 1)
        >>> _ = model.register_forward_pre_hook(ReadSome(torch.tensor([2])))
        >>> with hands_on(model, wanted=True) as columns:
        ...     columns, model(torch.zeros(5, 1)).shape
        (tensor([2]), torch.Size([5, 1]))
        >>> model(torch.zeros(5, 3)).shape
        torch.Size([5, 1])
    """
    hooks = model._forward_pre_hooks
    before = dict(hooks)
    found = [(key, hook) for key, hook in before.items() if isinstance(hook, ReadSome)]
    if not wanted or len(found) != 1:
        yield None
        return
    key, hook = found[0]
    del hooks[key]
    try:
        yield hook.columns.to(next(model.parameters()).device)
    finally:
        hooks.clear()
        hooks.update(before)
