"""One run of a model, operation by operation, with the module that runs."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from sculpt_plugin.inputs import Inputs, call
from sculpt_plugin.tracing import recurrent
from sculpt_plugin.tracing.operation import tensors_in

BLOCKS = (*recurrent.KINDS, nn.RMSNorm)
"""Modules that are one step of a run, whatever torch does inside them."""


class Walk(TorchDispatchMode):
    """Sees every operation of a run of a model; a base for those that look.

    Two runs of one model take the same moments, so that what one run found at a moment
    can be compared with another.

    Attributes:
        moment: The number of operations and blocks so far.
        path: The path of the module that runs, the innermost one.
        ran: The paths of all modules that ran.
        failed: The innermost module that failed, and the tensors it was called with.
    """

    def __init__(self) -> None:
        super().__init__()
        self.moment = 0
        self.ran: set[str] = set()
        self.failed: tuple[str, nn.Module, list[Tensor]] | None = None
        self._paths: list[str] = []
        self._inside = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep torch from importing its compiler, which takes seconds."""
        return False

    def see(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        """Look at an operation that was done."""
        raise NotImplementedError

    def begin(self, module: nn.Module, read: Sequence[Tensor]) -> None:
        """Look at a module that is about to run."""

    def see_block(self, module: nn.Module, read: Sequence[Tensor], made: Any) -> None:
        """Look at a block that was done."""
        raise NotImplementedError

    @property
    def path(self) -> str:
        """The path of the module that runs."""
        return self._paths[-1] if self._paths else "model"

    def run(self, model: nn.Module, inputs: Inputs) -> Any:
        """Run a model, which `undisturbed` keeps as it was; give what it gives."""
        with ExitStack() as stack:
            # Where autograd is off for good, torch takes several steps in one.
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.no_grad())
            stack.enter_context(_plain_attention())
            stack.enter_context(self._watching(model))
            stack.enter_context(self)
            return call(model, inputs)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Do an operation and look at it."""
        result = func(*args, **(kwargs or {}))
        if not self._inside:
            self.moment += 1
            self.see(func, args, kwargs or {}, result)
        return result

    @contextmanager
    def _watching(self, model: nn.Module) -> Iterator[None]:
        """Keep track of which module runs."""
        handles = []
        for name, module in model.named_modules():
            handles += [
                module.register_forward_pre_hook(
                    self._enter(name or "model"), with_kwargs=True
                ),
                module.register_forward_hook(
                    self._leave, with_kwargs=True, always_call=True, prepend=True
                ),
            ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, path: str) -> Any:
        def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
            self._paths.append(path)
            self.ran.add(path)
            self.begin(module, list(tensors_in((args, kwargs))))
            self._inside += isinstance(module, BLOCKS)

        return enter

    def _leave(self, module: nn.Module, args: Any, kwargs: Any, made: Any) -> None:
        if isinstance(module, BLOCKS):
            if self._inside == 1 and made is not None:
                self.moment += 1
                self.see_block(module, list(tensors_in((args, kwargs))), made)
            self._inside -= 1
        if made is None and self.failed is None:
            self.failed = self.path, module, list(tensors_in((args, kwargs)))
        self._paths.pop()


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Let attention be computed in steps that can be followed."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def copied(inputs: Any) -> Any:
    """Copy every tensor among the inputs, since a model may change them in place.

    Example:
        >>> x = torch.zeros(1)
        >>> copied({"x": [x, 2]})["x"][0] is x
        False
    """
    if isinstance(inputs, Tensor):
        with torch.inference_mode(False):
            return inputs.detach().clone()
    if isinstance(inputs, dict):
        return {name: copied(value) for name, value in inputs.items()}
    if isinstance(inputs, list | tuple):
        return [copied(value) for value in inputs]
    return inputs
