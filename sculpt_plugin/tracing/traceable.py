"""Which modules can be traced, and why the others can't."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.nn.utils import parametrize

from sculpt_plugin.errors import ModelError, TraceError

KINDS = {
    nn.Linear: "linear",
    nn.Conv1d: "conv1d",
    nn.Conv2d: "conv2d",
    nn.Conv3d: "conv3d",
}
"""The layers whose weights are edges, and what a report calls them."""
WEIGHTED = tuple(KINDS)
NORMS = (_BatchNorm, _InstanceNorm)
"""The norms that keep units apart."""
SUPPORTED = (*WEIGHTED, *NORMS, nn.PReLU)
"""All modules that may hold parameters."""
AXES = {
    nn.Linear: 2,
    **dict.fromkeys((nn.Conv1d, nn.InstanceNorm1d), 3),
    **dict.fromkeys((nn.Conv2d, nn.InstanceNorm2d), 4),
    **dict.fromkeys((nn.Conv3d, nn.InstanceNorm3d), 5),
}
"""With how many axes a layer finds the units on axis 1; batch norms always do."""
_MIXING = (nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm)


def refusal(module: nn.Module) -> str | None:
    """Say why a module, without those inside it, cannot be traced; None if it can.

    Example:
        >>> refusal(nn.Linear(2, 1)), refusal(nn.ReLU())
        (None, None)
        >>> refusal(nn.LayerNorm(2))
        'which mixes all units of a layer: use a batch norm'
    """
    if isinstance(module, _MIXING):
        return "which mixes all units of a layer: use a batch norm"
    if isinstance(module, SUPPORTED):
        forward = vars(module).get("forward", type(module).forward)
        if not forward.__module__.startswith("torch.nn."):
            return "whose forward is not torch's own: give its class another base"
        return None
    if any(True for _ in module.parameters(recurse=False)):
        held = ", ".join(name for name, _ in module.named_parameters(recurse=False))
        return (
            f"whose own parameters ({held}) do not stand for edges between units: "
            "build it from Linear and convolution layers"
        )
    return None


def class_name(module: nn.Module) -> str:
    """Name a module's class, without what a parametrization makes of it.

    Example:
        >>> from torch.nn.utils import parametrizations
        >>> class_name(parametrizations.weight_norm(nn.Linear(2, 1)))
        'Linear'
    """
    return parametrize.type_before_parametrizations(module).__name__


def parts(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """List a model's modules by name, those inside parametrizations left out.

    Example:
        >>> [name for name, _ in parts(nn.Sequential(nn.Linear(2, 1)))]
        ['model', '0']
    """
    for name, module in model.named_modules():
        if "parametrizations" not in name.split("."):
            yield name or "model", module


def checked(model: Any, example_inputs: Any) -> Tensor:
    """Give the inputs as one tensor, or refuse what tracing cannot begin with.

    Raises:
        ModelError: The model is no `nn.Module`, or the inputs do not fit it.
        TraceError: It has no weighted layer, or holds one that is not supported.

    Example:
        >>> import torch
        >>> checked(nn.Linear(2, 1), (torch.zeros(3, 2),)).shape
        torch.Size([3, 2])
    """
    if not isinstance(model, nn.Module):
        raise ModelError(
            f"model must be a torch.nn.Module, got {type(model).__name__}: pass the "
            "model itself, not its weights."
        )
    inputs = example_inputs
    if isinstance(inputs, list | tuple) and len(inputs) == 1:
        inputs = inputs[0]
    if not isinstance(inputs, Tensor):
        many = isinstance(example_inputs, list | tuple | dict)
        found = f" of {len(example_inputs)}" if many else ""
        raise ModelError(
            "example_inputs must be one tensor (or a tuple of one), got "
            f"{type(example_inputs).__name__}{found}: wrap the model to take one."
        )
    shape = list(inputs.shape)
    if len(shape) < 2 or 0 in shape:
        raise ModelError(
            "example_inputs must have a batch axis and a unit axis, neither empty, got "
            f"shape {shape}: for one sample, pass example_inputs[None]."
        )
    if not any(isinstance(module, WEIGHTED) for _, module in parts(model)):
        raise TraceError(
            f"model must have weighted layers (Linear or convolutions), and "
            f"{class_name(model)} has none: there is nothing to trace."
        )
    for name, module in parts(model):
        reason = refusal(module)
        if reason:
            raise TraceError(f"Layer {name!r} is {class_name(module)}, {reason}.")
    for name, parameter in model.named_parameters():
        if isinstance(parameter, nn.UninitializedParameter):
            raise ModelError(
                f"Parameter {name!r} has no shape yet: run the model once first."
            )
        if parameter.device != inputs.device:
            raise ModelError(
                "example_inputs must be on the model's device "
                f"{str(parameter.device)!r}, got {str(inputs.device)!r}: move "
                "one of them with .to(...)."
            )
        if parameter.dtype != inputs.dtype:
            raise ModelError(
                f"example_inputs must have the model's dtype {parameter.dtype}, got "
                f"{inputs.dtype}: convert one of them with .to(...)."
            )
    return inputs
