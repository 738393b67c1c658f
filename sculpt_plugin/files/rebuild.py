"""Building torch.nn layers from the records of a pickle, after checking each."""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from sculpt_plugin.errors import LoadingError, UnsafeFileError
from sculpt_plugin.files.pickles import REMEDY, Record, plain_tensor
from sculpt_plugin.files.quoting import quoted
from sculpt_plugin.files.states import masked


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

PRUNINGS = frozenset(
    f"torch.nn.utils.prune.{name}"
    for name in (
        "CustomFromMask", "Identity", "L1Unstructured", "LnStructured",
        "PruningContainer", "RandomStructured", "RandomUnstructured",
    )
)  # fmt: skip

# The names that a pickled torch.nn model needs; none is more than a name here.
KNOWN_NAMES: tuple[str, ...] = (*LAYERS, *ACTIVATIONS, *PRUNINGS)

# The rest that an attribute may be.
PLAIN = (
    type(None), bool, int, float, complex, str, bytes, torch.Size, torch.dtype,
    torch.device,
)  # fmt: skip


def rebuild(
    record: Record, *, classes: Mapping[str, type[nn.Module]] | None = None
) -> nn.Module:
    """Build the model that a record describes.

    A pickled model is more than its weights: it can bring hooks, or attributes that
    hide a method. Each layer is made without calling its constructor and gets plain
    data, tensors, layers and activation functions only. Weights pruned with
    `torch.nn.utils.prune` get their mask multiplied in and lose the hook.

    Args:
        record: The record of a whole model.
        classes: Classes beside those of `torch.nn`, by the name the file uses. Their
            `__setstate__` and, later, `forward` run.

    Returns:
        The model, in the mode it was saved in.

    Raises:
        LoadingError: There is something else in it.

    Example:
        >>> relu = Record()
        >>> rebuild(relu)
        Traceback (most recent call last):
        ...
        sculpt_plugin.errors.UnsafeFileError: A model file must hold ...
    """
    return _module(record, "", {**LAYERS, **(classes or {})}, {})


def _module(
    record: Record,
    where: str,
    classes: Mapping[str, type[nn.Module]],
    memo: dict[int, Any],
) -> nn.Module:
    kind = classes.get(record.path)
    if kind is None:
        raise UnsafeFileError(
            f"A model file must hold torch.nn layers, but this one holds a "
            f"{quoted(record.path)}. {REMEDY}"
        )
    if not isinstance(record.state, dict):
        raise _damaged(where, "without attributes")
    state = dict.items(record.state)
    attributes: dict[str, Any] = {}
    pruned: list[str] = []
    for key, value in state:
        _check_attribute(kind, key, where)
        if "hooks" in key:
            pruned += _pruned_names(key, value, where)
            attributes[key] = OrderedDict()
        else:
            attributes[key] = _value(value, _join(where, key), classes, memo)
    _check_parts(attributes, where)
    for name in pruned:
        _apply_mask(attributes, name, where)
    try:
        module = kind.__new__(kind)
        module.__setstate__(attributes)
    except Exception as error:
        # A class's own code can raise anything about attributes it did not expect.
        raise _damaged(where, f"that {kind.__name__} rejects ({error!r:.80})") from None
    return module


def _value(
    value: Any, where: str, classes: Mapping[str, type[nn.Module]], memo: dict[int, Any]
) -> Any:
    """Copy an attribute, each object once, so that shared ones stay shared."""
    if type(value) in PLAIN:
        return value
    if id(value) in memo:
        return memo[id(value)]
    built: Any
    if isinstance(value, torch.Tensor):
        built = plain_tensor(value, name=where)
    elif isinstance(value, Record):
        built = _module(value, _layer_name(where), classes, memo)
    elif isinstance(value, type) and issubclass(value, Record):
        if value.path not in ACTIVATIONS:
            raise _damaged(
                where, f"set to {quoted(value.path)}, which is no activation"
            )
        built = ACTIVATIONS[value.path]
    elif type(value) in (list, tuple, set):
        again, items = cast(Any, type(value)), cast(Any, value)
        built = again([_value(item, where, classes, memo) for item in items])
    elif isinstance(value, dict):
        # Called through the class: a pickle can give an OrderedDict its own `items`.
        built = {
            key: _value(item, _join(where, key), classes, memo)
            for key, item in dict.items(value)
            if isinstance(key, str | int) or _damaged_key(where)
        }
    else:
        raise _damaged(where, f"set to a {type(value).__name__}")
    memo[id(value)] = built
    return built


def _check_attribute(kind: type, key: object, where: str) -> None:
    """Refuse attributes that would stand in for a method of the class."""
    if not isinstance(key, str):
        raise _damaged(where, "with attributes that have no name")
    hidden = inspect.getattr_static(kind, key, None)
    if (
        key.startswith("__")
        or key == "_compiled_call_impl"
        or hasattr(hidden, "__get__")
    ):
        raise _damaged(where, f"whose attribute {quoted(key)} hides a method")


def _check_parts(attributes: dict[str, Any], where: str) -> None:
    """Check the three tables that every nn.Module has."""
    for key, kind in (
        ("_parameters", nn.Parameter),
        ("_buffers", torch.Tensor),
        ("_modules", nn.Module),
    ):
        part = attributes.get(key)
        if not isinstance(part, dict):
            raise _damaged(where, f"without {key}")
        for name, entry in part.items():
            if not isinstance(name, str) or not name or "." in name:
                raise _damaged(where, f"with the name {quoted(name)} in {key}")
            if entry is not None and not isinstance(entry, kind):
                raise _damaged(where, f"whose {key} holds a {type(entry).__name__}")
        # Each module changes its own tables; a crafted file may share them.
        attributes[key] = dict(part)


def _pruned_names(key: str, hooks: object, where: str) -> list[str]:
    """Give the names of the pruned weights; no other hook is taken."""
    if not isinstance(hooks, dict):
        raise _damaged(where, f"whose {quoted(key)} is no table")
    names = []
    for hook in dict.values(hooks):
        state = hook.state if isinstance(hook, Record) else None
        name = dict.get(state, "_tensor_name") if isinstance(state, dict) else None
        if (
            key != "_forward_pre_hooks"
            or not isinstance(hook, Record)
            or hook.path not in PRUNINGS
            or not isinstance(name, str)
        ):
            raise UnsafeFileError(
                f"Layers must come without hooks, as a hook is code, but "
                f"{quoted(where or 'the model')} has one in {quoted(key)}. Remove it "
                f"before saving, or save the state dict."
            )
        names.append(name)
    return names


def _apply_mask(attributes: dict[str, Any], name: str, where: str) -> None:
    """Put the masked weight where the pruning method found the unmasked one."""
    original = attributes["_parameters"].pop(f"{name}_orig", None)
    mask = attributes["_buffers"].pop(f"{name}_mask", None)
    weight = masked(original, mask, name=_join(where, name))
    # The layer's copy of the last masked weight would hide the parameter.
    attributes.pop(name, None)
    attributes["_parameters"][name] = nn.Parameter(weight)


def _join(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)


def _layer_name(where: str) -> str:
    return where.replace("_modules.", "")


def _damaged(where: str, what: str) -> LoadingError:
    return LoadingError(
        f"A pickled model must hold torch.nn layers as torch.save writes them, but "
        f"{quoted(where or 'the model')} is one {what}. Save its state dict instead."
    )


def _damaged_key(where: str) -> bool:
    raise _damaged(where, "with a table whose keys are no names")
