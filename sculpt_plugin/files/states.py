"""State dicts made plain: tensors by name, wrappers' prefixes and masks gone."""

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.claims import Claim, granted, odd_tensor
from sculpt_plugin.files.quoting import listed, quoted
from sculpt_plugin.files.unpickling import Record

MOST_TENSORS = 100_000
LONGEST_NAME = 1000

# What every nn.Module keeps its parts in.
TABLES = ("_parameters", "_buffers", "_modules")

# What wrappers of a model put before each name ...
PREFIXES = ("module.", "_orig_mod.")

# ... and within names, where they wrap a part; no one calls a layer that.
WRAPPINGS = frozenset(
    {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
)


def tensors_of(value: object) -> dict[str, torch.Tensor]:
    """Read a state dict, or the state of a recorded model, as names and tensors.

    Args:
        value: A dict, or the record of an `nn.Module` of whatever class.

    Returns:
        The tensors by name, in the file's order.

    Raises:
        LoadingError: There are other things than tensors in it.

    Example:
        >>> list(tensors_of({"fc.weight": torch.ones(1, 2)}))
        ['fc.weight']
    """
    if isinstance(value, Record):
        if not isinstance(value.state, dict):
            raise LoadingError(
                f"A model file must hold a state dict or a model, but this one holds a "
                f"{quoted(value.path)}. Save model.state_dict()."
            )
        value = dict(_record_entries(value))
    if isinstance(value, nn.Module):
        value = value.state_dict()
    if not isinstance(value, dict) or not value:
        raise LoadingError(
            f"A model file must hold a state dict or a model, but this one holds "
            f"{'an empty' if value == {} else 'a'} {_kind(value)}. Save "
            f"model.state_dict()."
        )
    # Called through the class: a pickle can give an OrderedDict its own `items`.
    found = [
        (name, entry)
        for name, entry in dict.items(value)
        if not (isinstance(name, str) and name.endswith("_extra_state"))
    ]
    others = [name for name, x in found if not isinstance(x, torch.Tensor | Claim)]
    if others or not all(isinstance(name, str) for name, _ in found):
        raise LoadingError(
            f"A state dict must hold named tensors only, but this one also holds "
            f"{listed(others) or 'names that are no text'}. Save model.state_dict() "
            f"alone, or under the key 'state_dict'."
        )
    long = next((name for name, _ in found if len(name) > LONGEST_NAME), None)
    if long is not None:
        raise LoadingError(
            f"A name in a state dict must be at most {LONGEST_NAME} characters long, "
            f"but {quoted(long)} is longer. Rename it before saving."
        )
    if len(found) > MOST_TENSORS:
        raise LoadingError(
            f"A state dict must hold at most {MOST_TENSORS:,} tensors, but this one "
            f"holds {len(found):,}. Save the part that you want to look at."
        )
    return {name: plain_tensor(entry, name=name) for name, entry in found}


def plain_tensor(value: torch.Tensor | Claim, *, name: str) -> torch.Tensor:
    """Give a file's tensor as an ordinary one, with nothing attached.

    A pickle can hang attributes on a tensor that hide its methods, and can describe a
    tensor far larger than the file.

    Args:
        value: The tensor as it came, or what the file says about it.
        name: What to call it in an error.

    Returns:
        A dense tensor on the CPU, an `nn.Parameter` if it was one.

    Raises:
        LoadingError: The tensor is sparse, quantised, without data or of a class of
            its own.

    Example:
        >>> plain_tensor(torch.ones(2), name="weight")
        tensor([1., 1.])
    """
    if isinstance(value, Claim):
        return granted(value, name=name)
    if type(value) not in (torch.Tensor, nn.Parameter):
        raise LoadingError(
            f"Entry {quoted(name)} must be a plain tensor, but is a "
            f"{type(value).__name__}. Convert it before saving."
        )
    # Called through the class: the file may have set an attribute of that name.
    plain = torch.Tensor.detach(value)
    found = None
    if plain.is_quantized:
        found = "quantised (use .dequantize())"
    elif plain.layout != torch.strided or plain.is_nested:
        found = "sparse or nested (use .to_dense())"
    elif plain.device.type != "cpu":
        found = f"on the {plain.device.type} device, without data"
    elif plain.numel() * plain.itemsize > plain.untyped_storage().nbytes():
        found = "an expanded view (use .contiguous())"
    if found is not None:
        raise odd_tensor(name, found)
    plain = plain.contiguous()
    if isinstance(value, nn.Parameter):
        return nn.Parameter(plain, requires_grad=bool(value.requires_grad))
    return plain


def plain_state(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Drop wrappers from the names and multiply masks into the weights.

    `nn.DataParallel`, `torch.compile`, `AveragedModel` and the sharding wrappers of
    torch leave their mark on each name.

    Args:
        state: The tensors of a state dict; `torch.nn.utils.prune` keeps a weight there
            as the pair `weight_orig` and `weight_mask`.

    Returns:
        A new dict, each pair replaced by its product in the place of the first.

    Raises:
        LoadingError: One of a pair is missing, or their shapes differ.

    Example:
        >>> original, mask = torch.tensor([2., 3.]), torch.tensor([1., 0.])
        >>> plain_state({"module.weight_orig": original, "module.weight_mask": mask})
        {'weight': tensor([2., 0.])}
    """
    plain = dict(state)
    if any(name.startswith("module.") for name in plain):
        # How many models AveragedModel has averaged.
        plain.pop("n_averaged", None)
    while prefix := common_prefix(plain):
        plain = _renamed(plain, {name: name.removeprefix(prefix) for name in plain})
    plain = _renamed(plain, {name: _unwrapped(name) for name in plain})
    folded: dict[str, torch.Tensor] = {}
    for name, value in plain.items():
        stem, _, kind = name.rpartition("_")
        if kind not in ("orig", "mask") or stem.rpartition(".")[2] not in (
            "weight",
            "bias",
        ):
            folded[name] = value
        elif stem not in folded:
            folded[stem] = masked(
                plain.get(f"{stem}_orig"), plain.get(f"{stem}_mask"), name=stem
            )
    return folded


def common_prefix(names: Iterable[str]) -> str | None:
    """Tell which wrapper's prefix all names have, if any.

    Example:
        >>> common_prefix(["module.a", "module.b"]), common_prefix(["module.a", "b"])
        ('module.', None)
    """
    every = list(names)
    for prefix in PREFIXES:
        if every and all(name.startswith(prefix) for name in every):
            return prefix
    return None


def _unwrapped(name: str) -> str:
    parts = name.split(".")
    return ".".join(part for part in parts if part not in WRAPPINGS)


def _renamed(
    state: dict[str, torch.Tensor], names: dict[str, str]
) -> dict[str, torch.Tensor]:
    """Rename entries, and refuse names that would be lost."""
    renamed = {names[name]: value for name, value in state.items()}
    if "" in renamed or len(renamed) < len(state):
        raise LoadingError(
            "A name in a state dict must be more than a wrapper's prefix, and no two "
            "may be one without it. Save model.state_dict()."
        )
    return renamed


def masked(
    original: torch.Tensor | None, mask: torch.Tensor | None, *, name: str
) -> torch.Tensor:
    """Multiply a weight of `torch.nn.utils.prune` by its mask.

    Args:
        original: What the file has under `<name>_orig`.
        mask: What the file has under `<name>_mask`.
        name: The weight's name.

    Returns:
        The weight as the pruned layer uses it.

    Raises:
        LoadingError: One is missing, or their shapes differ.

    Example:
        >>> masked(torch.tensor([2., 3.]), torch.tensor([0., 1.]), name="bias")
        tensor([0., 3.])
    """
    if original is None or mask is None:
        missing = f"{name}_{'orig' if original is None else 'mask'}"
        raise LoadingError(
            f"A pruned weight must come as a pair, but {quoted(missing)} is missing. "
            f"Save the whole state dict, or call torch.nn.utils.prune.remove first."
        )
    if original.shape != mask.shape:
        raise LoadingError(
            f"A pruned weight and its mask must have one shape, but {quoted(name)} has "
            f"{tuple(original.shape)} and {tuple(mask.shape)}. Save it again."
        )
    return original.detach() * mask.detach().to(original.dtype)


def _record_entries(record: Record) -> list[tuple[str, object]]:
    """Collect what `state_dict()` would give, from a model that is only recorded."""
    entries: list[tuple[str, object]] = []
    # A layer that occurs in two places has two names, so crafted ones can double.
    visits = 0
    waiting = [("", record)]
    while waiting:
        prefix, record = waiting.pop()
        visits += 1 + _size(record)
        if visits > 5 * MOST_TENSORS or len(prefix) > 10_000:
            raise LoadingError(
                f"A model must have at most {MOST_TENSORS:,} layers, but this one has "
                f"more or contains itself. Save model.state_dict()."
            )
        state = record.state if isinstance(record.state, dict) else {}
        passing = state.get("_non_persistent_buffers_set")
        for part in ("_parameters", "_buffers"):
            held = state.get(part)
            entries += [
                (f"{prefix}{name}", value)
                for name, value in (held.items() if isinstance(held, dict) else ())
                if isinstance(value, torch.Tensor | Claim)
                and not (
                    part == "_buffers" and isinstance(passing, set) and name in passing
                )
            ]
        children = state.get("_modules")
        waiting += [
            (f"{prefix}{name}.", child)
            for name, child in (children.items() if isinstance(children, dict) else ())
            if isinstance(child, Record)
        ][::-1]
    return entries


def _size(record: Record) -> int:
    """Count what a record's tables hold, which crafted records can share."""
    state = record.state if isinstance(record.state, dict) else {}
    return sum(len(state[k]) for k in TABLES if isinstance(state.get(k), dict))


def _kind(value: object) -> str:
    return "Tensor" if isinstance(value, Claim) else type(value).__name__
