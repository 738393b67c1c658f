"""Finding the model among all that a checkpoint holds."""

from collections.abc import Mapping

import torch
from torch import nn

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.claims import Claim
from sculpt_plugin.files.quoting import listed, quoted
from sculpt_plugin.files.unpickling import Record

# Where training programs keep the model, best first; other names are another model's.
USUAL = (
    "state_dict", "model_state_dict", "model_state", "model", "module", "net",
    "network", "weights", "params",
)  # fmt: skip

DEEPEST = 4


def models_in(value: object) -> dict[str, object]:
    """List the state dicts and models in a checkpoint by their keys.

    A checkpoint holds optimizers, schedules and settings beside the model, and
    sometimes several models: a generator and its critic, a student and its teacher, a
    model and the moving average of it.

    Args:
        value: What a file holds.

    Returns:
        The parts by their keys with dots between; the whole is `""`.

    Example:
        >>> one, other = ({"fc.weight": torch.ones(1, 1)} for _ in range(2))
        >>> list(models_in({"epoch": 3, "model": one, "ema": {"shadow": other}}))
        ['model', 'ema.shadow']
    """
    return _models(value, (), set())


def chosen(value: object, *, key: str | None = None) -> object:
    """Choose the model of a checkpoint, where there is no doubt which one.

    Args:
        value: What a file holds.
        key: The model's key where a checkpoint holds several, as `models_in` gives it,
            or the prefix of its names within one state dict.

    Returns:
        A state dict or a model; the value itself where it has no such part.

    Raises:
        LoadingError: There are several models and no key, or none of this key.

    Example:
        >>> chosen({"epoch": 3, "state_dict": {"fc.weight": torch.ones(1, 1)}})
        {'fc.weight': tensor([[1.]])}
    """
    models = models_in(value)
    if key is not None:
        return _of_key(models, key)
    if len(models) < 2:
        return next(iter(models.values()), value)
    usual = [name for name in models if set(name.split(".")) <= set(USUAL)]
    if usual:
        return models[min(usual, key=lambda name: USUAL.index(name.split(".")[0]))]
    raise LoadingError(
        f"A checkpoint must tell which model is meant, but this one holds "
        f"{listed(models)}. Name one of them with --key."
    )


def _of_key(models: Mapping[str, object], key: str) -> object:
    """Give the part of a key, or the part of a state dict under a prefix."""
    if key in models:
        return models[key]
    prefix = f"{key}."
    for part in models.values():
        if not isinstance(part, dict):
            continue
        under = {
            name.removeprefix(prefix): entry
            for name, entry in dict.items(part)
            if isinstance(name, str) and name.startswith(prefix) and name != prefix
        }
        if under:
            return under
    named = listed(name for name in models if name)
    found = named or ("one model, which needs no key" if models else "no model at all")
    raise LoadingError(
        f"--key must name a model in the file, which has no {quoted(key)}, but "
        f"{found}. Correct the key, or leave it out."
    )


def _models(value: object, path: tuple[str, ...], seen: set[int]) -> dict[str, object]:
    """Look for models in a table and the tables in it, each once."""
    if is_model(value):
        return {".".join(path): value}
    # An optimizer's state is made of tensors too.
    if (
        not isinstance(value, dict)
        or id(value) in seen
        or dict.__contains__(value, "param_groups")
        or len(path) > DEEPEST
    ):
        return {}
    seen.add(id(value))
    entries = [(k, x) for k, x in dict.items(value) if isinstance(k, str)]
    found: dict[str, object] = {}
    for key, entry in entries:
        found |= _models(entry, (*path, key), seen)
    return found or ({".".join(path): value} if is_state(value) else {})


def is_model(value: object) -> bool:
    """Tell a whole model, pickled or recorded, from other objects.

    Example:
        >>> is_model(nn.ReLU()), is_model({})
        (True, False)
    """
    if isinstance(value, nn.Module):
        return True
    return (
        isinstance(value, Record)
        and isinstance(value.state, dict)
        and dict.__contains__(value.state, "_modules")
    )


def is_state(value: object) -> bool:
    """Tell a state dict: named tensors, not all of them single numbers.

    Example:
        >>> is_state({"a": torch.ones(2)}), is_state({"best": torch.tensor(0.3)})
        (True, False)
    """
    if not isinstance(value, dict):
        return False
    tensors = [x for k, x in dict.items(value) if not _is_extra(k)]
    return all(isinstance(x, torch.Tensor | Claim) for x in tensors) and any(
        x.shape != () for x in tensors
    )


def _is_extra(key: object) -> bool:
    """Tell what torch keeps beside tensors, for layers that ask for it."""
    return isinstance(key, str) and key.rpartition(".")[2] == "_extra_state"
