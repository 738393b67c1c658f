"""One run of a model, operation by operation, with the module that runs."""

import copy
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from sculpt_plugin.inputs import Inputs, call
from sculpt_plugin.tracing import recurrent
from sculpt_plugin.tracing.operation import tensors_in

_BLOCKS = (*recurrent.KINDS, nn.RMSNorm)


def is_block(module: nn.Module) -> bool:
    """Tell whether a module is one step of a run, whatever torch does inside it.

    Example:
        >>> is_block(nn.LSTM(1, 1)), is_block(nn.LSTMCell(1, 1))
        (True, False)
    """
    forward = vars(module).get("forward", type(module).forward)
    return any(forward is block.forward for block in _BLOCKS)


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
        """The path of the module that runs; empty for the model itself."""
        return self._paths[-1] if self._paths else ""

    def run(self, model: nn.Module, inputs: Inputs) -> Any:
        """Run a model, which `undisturbed` keeps as it was; give what it gives."""
        with ExitStack() as stack:
            # Where autograd is off for good, torch takes several steps in one.
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.no_grad())
            stack.enter_context(_plain_attention())
            if "torch._dynamo" in sys.modules:
                # What torch.compile made is run as it was written.
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            torch.manual_seed(0)
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
            if isinstance(module, torch.jit.ScriptModule):
                continue  # takes no such hooks
            handles += [
                module.register_forward_pre_hook(self._enter(name), with_kwargs=True),
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
            self._inside += is_block(module)

        return enter

    def _leave(self, module: nn.Module, args: Any, kwargs: Any, made: Any) -> None:
        if is_block(module):
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
    if isinstance(inputs, tuple) and hasattr(inputs, "_fields"):
        return type(inputs)(*map(copied, inputs))
    if isinstance(inputs, list | tuple):
        return type(inputs)(map(copied, inputs))
    made = copy.copy(inputs)
    if isinstance(inputs, Mapping):
        for name, value in inputs.items():
            made[name] = copied(value)  # pyright: ignore[reportIndexIssue]
    elif is_dataclass(inputs) and not isinstance(inputs, type):
        for item in fields(inputs):
            object.__setattr__(made, item.name, copied(getattr(inputs, item.name)))
    return made
