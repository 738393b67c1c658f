"""Building torch.nn layers from the records of a pickle, after checking each."""

import inspect
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import torch
from torch import nn

from sculpt_plugin.errors import LoadingError, UnsafeFileError
from sculpt_plugin.files.claims import DTYPES, Claim
from sculpt_plugin.files.layers import (
    ACTIVATIONS,
    LAYERS,
    WRAPPERS,
    check_layer,
    known_class,
    occurrences,
)
from sculpt_plugin.files.quoting import listed, quoted
from sculpt_plugin.files.states import (
    LONGEST_NAME,
    MOST_TENSORS,
    TABLES,
    masked,
    plain_tensor,
)
from sculpt_plugin.files.unpickling import Name, Record

PRUNINGS = frozenset(
    f"torch.nn.utils.prune.{name}"
    for name in (
        "CustomFromMask", "Identity", "L1Unstructured", "LnStructured",
        "PruningContainer", "RandomStructured", "RandomUnstructured",
    )
)  # fmt: skip

MOST_SHARED = 1000

# A crafted wrapper can wrap itself.
MOST_WRAPPERS = 4

# Layers are made with these; they stay what they are, and are called by no one here.
PLAIN_CALLS = ("functools.partial", "torch.device")

# The rest that an attribute may be.
PLAIN = (type(None), bool, int, float, complex, str, bytes)


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
        UnsafeFileError: There are classes in it that are neither of these.
        LoadingError: There is something else in it.

    Example:
        >>> rebuild(Record("own.Net"))
        Traceback (most recent call last):
        ...
        sculpt_plugin.errors.UnsafeFileError: A model file must hold ...
    """
    classes = classes or {}
    for _ in range(MOST_WRAPPERS):
        if record.path in WRAPPERS and record.path not in classes:
            record = _wrapped(record)
    unknown = [n for n in _class_names(record) if not known_class(n, classes)]
    if unknown:
        raise UnsafeFileError(
            f"A model file must hold torch.nn layers, but this one also holds "
            f"{listed(unknown)}. Nothing was run. {_remedy(unknown)}"
        )
    if record.path in WRAPPERS and record.path not in classes:
        raise _damaged("", "in too many wrappers, or a wrapper that wraps itself")
    model = _module(record, "", {**LAYERS, **classes}, {})
    if occurrences(model, most=MOST_TENSORS) >= MOST_TENSORS:
        raise LoadingError(
            f"A model must have less than {MOST_TENSORS:,} layers, but this one holds "
            f"itself in more places. Save its state dict instead."
        )
    return model


def _remedy(unknown: list[str]) -> str:
    """Say how the user can vouch for classes."""
    if any(name.startswith("__main__.") for name in unknown):
        return (
            "A class in __main__ was saved from a script and cannot be allowed: build "
            "the model in your own code with --model pkg.mod:factory."
        )
    modules = dict.fromkeys(name.rpartition(".")[0] for name in unknown)
    for names in (unknown, modules, ["CLASS"]):
        allowed = " ".join(f"--allow {name}" for name in names)
        if len(allowed) < 300 and allowed.isprintable():
            break
    return (
        f"If you trust the code of these classes, add {allowed}; else build the model "
        f"in your own code with --model pkg.mod:factory."
    )


def _class_names(record: Record) -> list[str]:
    """List the classes of a model and of what hangs on it, each once."""
    names: dict[str, None] = {}
    seen: set[int] = set()
    waiting: list[tuple[object, bool]] = [(record, False)]
    while waiting:
        value, hook = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Record):
            if not hook and value.path not in PLAIN_CALLS:
                names.setdefault(value.path)
            waiting.append((value.state, hook))
        elif isinstance(value, dict):
            waiting += [(x, hook or _of_hooks(k)) for k, x in value.items()]
        elif isinstance(value, list | tuple | set):
            waiting += [(x, hook) for x in value]
    return list(names)


def _of_hooks(key: object) -> bool:
    return isinstance(key, str) and len(key) < LONGEST_NAME and "hooks" in key


def _wrapped(record: Record) -> Record:
    """Give the model within a wrapper that computes nothing."""
    state = record.state if isinstance(record.state, dict) else {}
    children = state.get("_modules")
    inner = children.get(WRAPPERS[record.path]) if isinstance(children, dict) else None
    if not isinstance(inner, Record):
        raise _damaged("", f"a {record.path.rpartition('.')[2]} around no model")
    return inner


def _module(
    record: Record,
    where: str,
    classes: Mapping[str, type[nn.Module]],
    memo: dict[int, Any],
) -> nn.Module:
    kind = classes.get(record.path)
    if kind is None:
        raise _damaged(where, f"{quoted(record.path)}, which is no layer")
    if not isinstance(record.state, dict):
        raise _damaged(where, "without attributes")
    _check_sharing(record.state, where, memo)
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
    _check_shadows(attributes, where)
    try:
        module = kind.__new__(kind)
        module.__setstate__(attributes)
        if isinstance(module, nn.RNNBase):
            # The list that is computed with must be that of the named weights.
            names = module._flat_weights_names
            module._flat_weights = [getattr(module, name) for name in names]
        check_layer(module, name=_layer_name(where))
    except LoadingError:
        raise
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
    if isinstance(value, torch.Tensor | Claim):
        built = plain_tensor(value, name=where)
    elif isinstance(value, Record) and value.path in PLAIN_CALLS:
        built = _plain_call(value, where, classes, memo)
    elif isinstance(value, Record):
        built = _module(value, _layer_name(where), classes, memo)
    elif isinstance(value, Name):
        built = _named(value.path, where, classes)
    elif type(value) in (list, tuple, set):
        again, items = cast(Any, type(value)), cast(Any, value)
        built = again([_value(item, where, classes, memo) for item in items])
    elif isinstance(value, dict):
        # Called through the class: a pickle can give an OrderedDict its own `items`.
        built = {
            key: _value(item, _join(where, key), classes, memo)
            for key, item in dict.items(value)
            if _is_name(key) or _damaged_key(where)
        }
    else:
        raise _damaged(where, f"set to a {type(value).__name__}")
    memo[id(value)] = built
    return built


def _plain_call(
    record: Record, where: str, classes: Mapping[str, type[nn.Module]], memo: dict
) -> object:
    """Make one of the few objects beside layers that layers are made with."""
    if record.path == "torch.device" and record.arguments[:1] == ("cpu",):
        return torch.device("cpu")
    if record.path != "functools.partial" or not isinstance(record.state, tuple):
        raise _damaged(where, f"set to a {quoted(record.path)}")
    function, arguments, options, _ = record.state
    kind = function.path if isinstance(function, Name) else ""
    if kind not in classes or not isinstance(options, dict):
        raise _damaged(where, "set to a part of a call that is no layer's")
    plain = _value((arguments, options), where, classes, memo)
    return partial(classes[kind], *plain[0], **plain[1])


def _named(path: str, where: str, classes: Mapping[str, type[nn.Module]]) -> object:
    """Give a function, layer class or number type that an attribute may be."""
    for known in (ACTIVATIONS, classes, DTYPES):
        if path in known:
            return known[path]
    raise _damaged(where, f"set to {quoted(path)}, which is no activation")


def _check_sharing(state: dict, where: str, memo: dict[int, Any]) -> None:
    """Refuse a long table in a second layer: crafted ones would take for ever."""
    for table in (state, *map(state.get, TABLES)):
        if isinstance(table, dict) and len(table) > MOST_SHARED:
            if id(table) in memo:
                raise _damaged(where, "that shares its parts with another layer")
            if table is state:
                memo[id(table)] = None


def _check_shadows(attributes: dict[str, Any], where: str) -> None:
    """Refuse an attribute that would be used in place of a weight or a layer."""
    if not isinstance(attributes.get("training"), bool):
        raise _damaged(where, "whose mode is neither training nor evaluation")
    passing = attributes.get("_non_persistent_buffers_set", set())
    if not isinstance(passing, set):
        raise _damaged(where, "whose list of passing buffers is no set")
    for part in TABLES:
        for name in attributes[part]:
            if name in attributes:
                raise _damaged(where, f"whose attribute {quoted(name)} hides a weight")


def _check_attribute(kind: type, key: object, where: str) -> None:
    """Refuse attributes that would stand in for a method of the class."""
    if not isinstance(key, str) or not _is_name(key):
        raise _damaged(where, "with attributes that have no name, or a very long one")
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


def _is_name(key: object) -> bool:
    return isinstance(key, int) or (isinstance(key, str) and len(key) <= LONGEST_NAME)


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
