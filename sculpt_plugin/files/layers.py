"""The torch.nn layers that are rebuilt from plain data, and whether one is sound."""

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.quoting import quoted


def _dotted(named: type | Callable[..., object]) -> str:
    return f"{named.__module__}.{named.__qualname__}"


# Lazy layers are left out: they carry hooks and have no shapes yet.
LAYERS: dict[str, type[nn.Module]] = {
    _dotted(kind): kind
    for kind in [*vars(nn.modules).values(), NonDynamicallyQuantizableLinear]
    if isinstance(kind, type)
    and issubclass(kind, nn.Module)
    and not issubclass(kind, LazyModuleMixin)
    and kind.__module__.startswith("torch.nn.modules.")
}

# Transformer layers keep their activation as a function.
ACTIVATIONS: dict[str, Callable[..., torch.Tensor]] = {
    _dotted(function): function
    for function in (
        F.relu, F.relu6, F.gelu, F.silu, F.mish, F.elu, F.celu, F.selu, F.leaky_relu,
        F.tanh, F.sigmoid, F.softplus, F.softsign, F.hardtanh, F.hardswish,
        F.hardsigmoid,
    )
}  # fmt: skip

# What wraps a model without computing anything, and what it calls the model.
WRAPPERS = {
    "torch.nn.parallel.data_parallel.DataParallel": "module",
    "torch.nn.parallel.distributed.DistributedDataParallel": "module",
    "torch.optim.swa_utils.AveragedModel": "module",
    "torch._dynamo.eval_frame.OptimizedModule": "_orig_mod",
}

LARGEST_NUMBER = 2**31
MOST_RECURRENT_LAYERS = 1000

RECURRENT = (
    "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout",
    "bidirectional",
)  # fmt: skip


def check_layer(layer: nn.Module, *, name: str) -> None:
    """Refuse a torch.nn layer that torch itself would not have built.

    A file sets attributes and weights apart from each other, without the checks of a
    constructor: negative widths, no groups, a weight of another shape than the layer
    says. The layer's constructor is asked, on a device without memory, what it would
    have built from the attributes.

    Args:
        layer: A layer of torch.nn; others, and mere containers, are not looked at.
        name: What to call it in an error.

    Raises:
        LoadingError: The constructor refuses the attributes, or would have built
            weights of other shapes.

    Example:
        >>> layer = nn.Linear(3, 2)
        >>> layer.in_features = 4
        >>> check_layer(layer, name="fc")
        Traceback (most recent call last):
        ...
        sculpt_plugin.errors.LoadingError: A layer's weights must fit ...
    """
    kind = type(layer)
    if LAYERS.get(_dotted(kind)) is not kind:
        return
    for key, value in vars(layer).items():
        numbers = value if isinstance(value, tuple | list) else (value,)
        if any(type(n) is int and abs(n) > LARGEST_NUMBER for n in numbers):
            raise _unsound(name, f"its {quoted(key)} is above {LARGEST_NUMBER:,}")
    arguments = _arguments(layer)
    if arguments is None:
        return
    try:
        # Nothing is drawn or filled on this device, and nothing takes memory.
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = kind(**arguments)
    except Exception as error:
        # Each constructor has its own way to refuse.
        raise _unsound(name, f"{kind.__name__} refuses them ({error!s:.80})") from None
    for part in ("_parameters", "_buffers"):
        held = getattr(layer, part)
        for key, wanted in getattr(model, part).items():
            shape = None if wanted is None else tuple(wanted.shape)
            found = held.get(key)
            if shape != (None if found is None else tuple(found.shape)):
                raise _unsound(
                    name,
                    f"{quoted(key)} has {'no shape' if found is None else found.shape} "
                    f"where {kind.__name__} needs {shape}",
                )


def _arguments(layer: nn.Module) -> dict[str, Any] | None:
    """Gather what the layer's constructor was called with, if that can be told."""
    state = vars(layer)
    if isinstance(layer, nn.RNNBase):
        if layer.num_layers > MOST_RECURRENT_LAYERS:
            # The constructor would be busy for ever.
            return {"input_size": 0, "hidden_size": 0}
        more = ("nonlinearity",) if type(layer) is nn.RNN else ()
        more += ("proj_size",) if type(layer) is nn.LSTM else ()
        return {key: state[key] for key in (*RECURRENT, *more) if key in state}
    if isinstance(layer, nn.MultiheadAttention):
        parts = layer._parameters
        told = ("embed_dim", "num_heads", "dropout", "add_zero_attn", "kdim", "vdim")
        return {
            **{key: state[key] for key in told if key in state},
            "bias": parts.get("in_proj_bias") is not None,
            "add_bias_kv": parts.get("bias_k") is not None,
        }
    if layer._modules or type(layer) in CONTAINERS:
        return None
    wanted = inspect.signature(type(layer)).parameters
    arguments: dict[str, Any] = {}
    for key, parameter in wanted.items():
        if key == "bias" and (key in layer._parameters):
            arguments[key] = layer._parameters[key] is not None
        elif key in state:
            arguments[key] = state[key]
        elif key in layer._buffers:
            # The weights of classes that a loss is made with.
            arguments[key] = layer._buffers[key]
        elif key not in ("device", "dtype") and (
            parameter.default is inspect.Parameter.empty
        ):
            return None
    return arguments


CONTAINERS = (
    nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict,
    nn.Identity, nn.Module,
)  # fmt: skip


def occurrences(model: nn.Module, *, most: int) -> int:
    """Count the places of layers in a model, a shared one at each, up to a limit.

    Example:
        >>> relu = nn.ReLU()
        >>> occurrences(nn.Sequential(relu, nn.Sequential(relu)), most=10)
        4
    """
    known: dict[int, int] = {}

    def count(module: nn.Module) -> int:
        if id(module) not in known:
            below = sum(count(child) for child in module._modules.values() if child)
            known[id(module)] = min(most, 1 + below)
        return known[id(module)]

    return count(model)


def _unsound(name: str, found: str) -> LoadingError:
    return LoadingError(
        f"A layer's weights must fit the numbers that it is made with, but in "
        f"{quoted(name or 'the model')} {found}. Save the model's state dict, and "
        f"build it with --model pkg.mod:factory."
    )


def known_class(path: str, classes: Mapping[str, type[nn.Module]]) -> bool:
    """Tell whether a class of this name can be rebuilt.

    Example:
        >>> known_class("torch.nn.modules.linear.Linear", {})
        True
    """
    return path in LAYERS or path in classes or path in WRAPPERS
