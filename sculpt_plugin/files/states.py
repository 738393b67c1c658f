"""State dicts made plain: found in their wrapping, prefixes and masks gone."""

from collections.abc import Mapping

import torch
from torch import nn

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.pickles import Record, plain_tensor
from sculpt_plugin.files.quoting import listed, quoted

# Where training programs keep the model among the rest of a checkpoint.
WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model")

# What nn.DataParallel and torch.compile put before each name.
PREFIXES = ("module.", "_orig_mod.")


def unwrap(value: object) -> object:
    """Take the model's part out of a checkpoint.

    Args:
        value: What a file holds.

    Returns:
        The state dict or model inside, or the value itself.

    Example:
        >>> unwrap({"epoch": 3, "state_dict": {"fc.weight": 1}})
        {'fc.weight': 1}
    """
    # A crafted checkpoint can contain itself.
    for _ in range(4):
        if not isinstance(value, dict):
            return value
        parts = (dict.get(value, key) for key in WRAPPERS)
        inner = next(
            (part for part in parts if isinstance(part, dict | Record | nn.Module)),
            None,
        )
        if inner is None:
            return value
        value = inner
    return value


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
        value = dict(_record_entries(value, prefix=""))
    if isinstance(value, nn.Module):
        value = value.state_dict()
    if not isinstance(value, dict) or not value:
        raise LoadingError(
            f"A model file must hold a state dict or a model, but this one holds "
            f"{'an empty' if value == {} else 'a'} {type(value).__name__}. Save "
            f"model.state_dict()."
        )
    # Called through the class: a pickle can give an OrderedDict its own `items`.
    found = dict.items(value)
    others = [name for name, entry in found if not isinstance(entry, torch.Tensor)]
    if others or not all(isinstance(name, str) for name, _ in found):
        raise LoadingError(
            f"A state dict must hold named tensors only, but this one also holds "
            f"{listed(others) or 'names that are no text'}. Save model.state_dict() "
            f"alone, or under the key 'state_dict'."
        )
    return {name: plain_tensor(entry, name=name) for name, entry in found}


def plain_state(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Drop wrapper prefixes from the names and multiply masks into the weights.

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
    while prefix := next(
        (
            prefix
            for prefix in PREFIXES
            if all(name.startswith(prefix) for name in plain)
        ),
        None,
    ):
        plain = {name.removeprefix(prefix): plain[name] for name in plain}
        if "" in plain or not plain:
            raise LoadingError(
                f"A name in a state dict must be more than {prefix!r}. Save "
                f"model.state_dict()."
            )
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


def _record_entries(record: Record, *, prefix: str) -> list[tuple[str, torch.Tensor]]:
    """Collect what `state_dict()` would give, from a model that is only recorded."""
    state = record.state if isinstance(record.state, dict) else {}
    entries: list[tuple[str, torch.Tensor]] = []
    passing = dict.get(state, "_non_persistent_buffers_set")
    for part in ("_parameters", "_buffers"):
        held = dict.get(state, part)
        entries += [
            (f"{prefix}{name}", value)
            for name, value in (dict.items(held) if isinstance(held, dict) else ())
            if isinstance(value, torch.Tensor)
            and not (
                part == "_buffers" and isinstance(passing, set) and name in passing
            )
        ]
    children = dict.get(state, "_modules")
    for name, child in dict.items(children) if isinstance(children, dict) else ():
        if isinstance(child, Record):
            entries += _record_entries(child, prefix=f"{prefix}{name}.")
    return entries
