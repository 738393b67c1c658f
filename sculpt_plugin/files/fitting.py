"""Fitting a file's weights into a model that the user's own code has built."""

from collections.abc import Mapping

import torch
from torch import nn

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.checkpoints import chosen, models_in
from sculpt_plugin.files.factories import summary
from sculpt_plugin.files.quoting import listed, quoted
from sculpt_plugin.files.states import plain_state, tensors_of

# Batch norms have counted their batches only since PyTorch 0.4.1.
YOUNGER = "num_batches_tracked"


def fill(model: nn.Module, value: object, *, key: str | None = None) -> None:
    """Copy a file's weights into a model, which they must fit exactly.

    A checkpoint may hold several models; the one that fits is taken. Its names may
    have something before them, such as the `model.` of a Lightning module; that is
    told from the names that the model has.

    Args:
        model: The model, changed.
        value: What the file holds.
        key: The model's key in a checkpoint, where several fit.

    Raises:
        LoadingError: None fits, or several do.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> fill(model, {"state_dict": {"net.weight": torch.full((1, 1), 3.0)}})
        >>> model.weight.item()
        3.0
    """
    wanted = model.state_dict()
    models = models_in(value)
    if key is not None or len(models) < 2:
        state = _renamed(tensors_of(chosen(value, key=key)), wanted)
    else:
        fitting = {}
        for name, part in models.items():
            state = _renamed(tensors_of(part), wanted)
            if not _misfits(state, wanted):
                fitting[name] = state
        if len(fitting) == 1:
            state = next(iter(fitting.values()))
        elif fitting:
            parts = {name: models[name] for name in fitting}
            state = fitting[_name_of(chosen(parts), parts)]
        else:
            raise LoadingError(
                f"One of the models in the checkpoint must fit the one that was built, "
                f"but none of {listed(models)} does. Name one of them with --key to "
                f"hear why."
            )
    misfits = _misfits(state, wanted)
    if misfits:
        raise LoadingError(
            f"The weights must fit the model that was built, but the file "
            f"{'; '.join(misfits)}. Let the factory build the model as it was saved."
        )
    # With the model's own notes on its format, which a file may have lost.
    wanted.update(state)
    try:
        model.load_state_dict(wanted, strict=True)
    except Exception as error:
        # A model's own way to load can raise anything.
        raise LoadingError(
            f"The model must take a state dict of its own names and shapes, but raised "
            f"{summary(error)}. Load the weights in the factory instead."
        ) from None


def _name_of(part: object, parts: Mapping[str, object]) -> str:
    return next(name for name, other in parts.items() if other is part)


def _renamed(
    state: dict[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Give the file's tensors the model's names, where there is one way to."""
    if state.keys() == wanted.keys():
        return state
    state = plain_state(state)
    names = [name for name in wanted if not name.endswith(YOUNGER)]
    if not names or all(name in state for name in names):
        return state
    endings = (name.removesuffix(names[0]) for name in state if name.endswith(names[0]))
    prefixes = [
        prefix
        for prefix in endings
        if prefix.endswith(".") and all(f"{prefix}{name}" in state for name in names)
    ]
    if len(prefixes) > 1:
        raise LoadingError(
            f"The names in a state dict must tell which part is the model, but it fits "
            f"under {listed(prefix[:-1] for prefix in prefixes)}. Name one of them "
            f"with --key."
        )
    if not prefixes:
        return state
    under = {f"{prefixes[0]}{name}": name for name in wanted}
    return {name: state[long] for long, name in under.items() if long in state}


def _misfits(
    state: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]
) -> list[str]:
    """Say in what the names and shapes differ."""
    shapes = [
        f"{quoted(name)} with {list(value.shape)} where {list(wanted[name].shape)} fits"
        for name, value in state.items()
        if name in wanted and value.shape != wanted[name].shape
    ]
    if len(shapes) > 3:
        shapes = [*shapes[:3], f"{len(shapes) - 3} more"]
    return [
        f"{label} {text}"
        for label, text in (
            (
                "misses",
                listed(n for n in wanted if n not in state and not n.endswith(YOUNGER)),
            ),
            ("has too much:", listed(name for name in state if name not in wanted)),
            ("has", ", ".join(shapes)),
        )
        if text
    ]
