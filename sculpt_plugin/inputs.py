"""How a model is called: its inputs as a tensor, a tuple or a dict."""

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sculpt_plugin import randomness
from sculpt_plugin.errors import ModelError, one_line

Inputs = Tensor | Sequence[Any] | dict[str, Any]
"""One tensor, a sequence of positional arguments, or a dict of named ones."""


def call(model: nn.Module, inputs: Inputs) -> Any:
    """Run a model on inputs given as a tensor, a sequence or a dict.

    Example:
        >>> call(nn.Identity(), torch.zeros(1, 2)).shape
        torch.Size([1, 2])
    """
    if isinstance(inputs, dict):
        return model(**inputs)
    if isinstance(inputs, Tensor):
        return model(inputs)
    return model(*inputs)


def tensors(inputs: Inputs) -> list[Tensor]:
    """List the tensors among the inputs, in order.

    Example:
        >>> [tuple(x.shape) for x in tensors((torch.zeros(1, 2), "a"))]
        [(1, 2)]
    """
    if isinstance(inputs, Tensor):
        return [inputs]
    values = inputs.values() if isinstance(inputs, dict) else inputs
    return [value for value in values if isinstance(value, Tensor)]


def with_fractions(inputs: Inputs, change: Callable[[Tensor], Tensor]) -> Inputs:
    """Change every tensor of fractions among the inputs, and nothing else.

    Example:
        >>> with_fractions((torch.zeros(1), torch.tensor([3])), lambda x: x + 1)
        [tensor([1.]), tensor([3])]
    """

    def changed(value: Any) -> Any:
        is_fraction = isinstance(value, Tensor) and value.is_floating_point()
        return change(value) if is_fraction else value

    if isinstance(inputs, dict):
        return {name: changed(value) for name, value in inputs.items()}
    return changed(inputs) if isinstance(inputs, Tensor) else [*map(changed, inputs)]


def flat_tensors(output: Any) -> list[Tensor]:
    """List the tensors in what a model gives, however nested, in order.

    Example:
        >>> output = {"a": torch.zeros(1), "b": (None, torch.zeros(2))}
        >>> [len(x) for x in flat_tensors(output)]
        [1, 2]
    """
    if isinstance(output, Mapping):
        output = list(output.values())
    if is_dataclass(output) and not isinstance(output, type):
        output = [getattr(output, item.name) for item in fields(output)]
    if isinstance(output, list | tuple):
        return [x for part in output for x in flat_tensors(part)]
    return [output] if isinstance(output, Tensor) else []


def check_call(
    model: nn.Module, inputs: Inputs, *, name: str = "example_inputs"
) -> None:
    """Refuse inputs that the model cannot take, in one line that says why.

    Args:
        model: The model, left as it was found.
        inputs: What it is to be called with.
        name: How the caller calls the inputs, for the message.

    Raises:
        ModelError: The model is no `nn.Module`, has no parameters, or cannot be run
            on these inputs: wrong type, device, dtype or shape.

    Example:
        >>> check_call(nn.Linear(4, 2), torch.zeros(1, 3))
        Traceback (most recent call last):
            ...
        sculpt_plugin.errors.ModelError: The model cannot run on example_inputs of shape
        [1, 3]: mat1 and mat2 shapes cannot be multiplied (1x3 and 4x2). Pass ...
    """
    if not isinstance(model, nn.Module):
        raise ModelError(
            f"model must be a torch.nn.Module, got {type(model).__name__}."
        )
    if not isinstance(inputs, Tensor | dict | Sequence) or not tensors(inputs):
        raise ModelError(
            f"{name} must be a tensor, or a tuple or dict with tensors, got "
            f"{type(inputs).__name__}."
        )
    parameter = next(model.parameters(), None)
    if parameter is None:
        raise ModelError("The model has no parameters: there is nothing to prune.")
    try:
        with undisturbed(model), torch.no_grad():
            call(model, inputs)
    except Exception as error:
        raise ModelError(_why(parameter, inputs, name, error)) from error


def _why(parameter: Tensor, inputs: Inputs, name: str, error: Exception) -> str:
    """Say why a model cannot run on its inputs: device, dtype, or what it said."""
    for tensor in tensors(inputs):
        if tensor.device != parameter.device:
            return (
                f"{name} must be on the model's device {str(parameter.device)!r}, got "
                f"{str(tensor.device)!r}: move one of them with .to(...)."
            )
        if tensor.is_floating_point() and tensor.dtype != parameter.dtype:
            return (
                f"{name} must have the model's dtype {parameter.dtype}, got "
                f"{tensor.dtype}: convert one of them with .to(...)."
            )
    shapes = " and ".join(str(list(tensor.shape)) for tensor in tensors(inputs))
    return (
        f"The model cannot run on {name} of shape {shapes}: {one_line(error)}. "
        "Pass inputs as the model's forward takes them, with a batch dimension."
    )


def copy_of(model: nn.Module) -> nn.Module:
    """Copy a model, also one that keeps what its last forward made.

    Such a tensor hangs on the computation that made it, and torch copies none of these.

    Example:
        >>> layer = nn.Linear(1, 1)
        >>> layer.seen = layer(torch.zeros(1, 1))
        >>> copy_of(layer).seen.requires_grad
        False
    """
    kept = [x for module in model.modules() for x in flat_tensors(vars(module))]
    loose = {id(x): x.detach().clone() for x in kept if not x.is_leaf}
    return copy.deepcopy(model, loose)


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put the model in evaluation mode, and each part back in its own mode after.

    Example:
        >>> layer = nn.Dropout()
        >>> with evaluating(layer):
        ...     layer.training
        False
        >>> layer.training
        True
    """
    modes = [(module, module.training) for module in model.modules()]
    with contextlib.suppress(NotImplementedError):
        model.eval()  # an exported program has one mode only
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextlib.contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Leave modes, buffers, plain tensor attributes and random numbers as found.

    Example:
        >>> norm = nn.BatchNorm1d(2)
        >>> with undisturbed(norm):
        ...     norm.running_mean += 1
        >>> norm.running_mean
        tensor([0., 0.])
    """
    own = [
        (module, dict(module._buffers))
        for module in model.modules()
        if not isinstance(module, torch.jit.ScriptModule)
    ]
    # An embedding with a largest norm shrinks its own weights.
    shrinking = [m for m in model.modules() if getattr(m, "max_norm", None)]
    changing = [*model.buffers(), *(p for m in shrinking for p in m.parameters())]
    copies = [(tensor, tensor.detach().clone()) for tensor in changing]
    # torch.nn.utils.prune sets `weight` anew in every forward.
    plain = [
        (module, {key: x for key, x in vars(module).items() if isinstance(x, Tensor)})
        for module in model.modules()
    ]
    try:
        with randomness.kept(), evaluating(model):
            yield
    finally:
        for module, buffers in own:
            module._buffers.clear()
            module._buffers.update(buffers)
        for tensor, copy in copies:
            if not torch.equal(tensor.detach(), copy):
                with torch.inference_mode(tensor.is_inference()), torch.no_grad():
                    tensor.copy_(copy)
        for module, attributes in plain:
            now = [key for key, x in vars(module).items() if isinstance(x, Tensor)]
            for key in now:
                del vars(module)[key]
            vars(module).update(attributes)
