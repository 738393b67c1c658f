"""Opening a stranger's model file without running anything in it."""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from sculpt_plugin.errors import LoadingError, UnsafeFileError
from sculpt_plugin.files.chains import chain
from sculpt_plugin.files.checkpoints import chosen, is_model
from sculpt_plugin.files.factories import allowed_classes, built, summary
from sculpt_plugin.files.fitting import fill
from sculpt_plugin.files.formats import Format, recognise
from sculpt_plugin.files.pickles import read_pickle
from sculpt_plugin.files.quoting import shown
from sculpt_plugin.files.rebuild import rebuild
from sculpt_plugin.files.soundness import check_model
from sculpt_plugin.files.states import plain_state, tensors_of
from sculpt_plugin.files.tensor_tables import read_table
from sculpt_plugin.files.unpickling import Record


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model from a file, and how to call it.

    Attributes:
        model: The model, on the CPU, in the file's mode and dtype.
        input_shape: The shape of one example input, batch first, where the first layer
            tells it, else `None`.
        origin: Where the layers come from: inferred from a state dict, read from a
            pickled model, or built by the user's own factory.
        units: For each layer that Sculpt has cut, the original numbers of its units.
        sizes: For each of these layers, how many units it had.
    """

    model: nn.Module
    input_shape: tuple[int, ...] | None
    origin: Literal["state dict", "pickled model", "factory"]
    units: Mapping[str, Sequence[int]] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)


def load_model(
    path: str | Path,
    *,
    key: str | None = None,
    allow: Sequence[str] = (),
    unsafe: bool = False,
) -> LoadedModel:
    """Open a model file, whoever made it.

    Taken are state dicts of Linear and ReLU chains (safetensors, or `torch.save` old
    and new) and whole pickled `torch.nn` models. The content decides what a file is,
    not its suffix, and what cannot be opened safely is refused, never tried otherwise.

    Args:
        path: The file.
        key: Which model is meant, where the file holds several: its key, with dots
            between, or the prefix of its names.
        allow: Dotted names of your own `nn.Module` classes that may occur in a pickled
            model. They are imported, and their code runs.
        unsafe: Unpickle without any limit. This runs whatever code the file holds, so
            use it for files you made yourself only.

    Returns:
        The model and, where the first layer tells, the shape of an example input.

    Raises:
        UnsafeFileError: The file asks for code to be run.
        LoadingError: The file is missing, damaged, or no model.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "model.pt"
        ...     torch.save({"fc1.weight": torch.ones(3, 2)}, path)
        ...     loaded = load_model(path)
        >>> loaded.input_shape, [name for name, _ in loaded.model.named_modules()]
        ((1, 2), ['', 'fc1'])
    """
    path = Path(path)
    classes = allowed_classes(allow)
    file_format = recognise(path)
    _refuse_code(path, file_format)
    with _naming(path):
        if unsafe and file_format != "safetensors":
            value, notes = _unpickled(path), {}
        else:
            value, notes = _read(path, file_format)
        value = chosen(value, key=key)
        if isinstance(value, Record) and is_model(value):
            value = rebuild(value, classes=classes)
        if isinstance(value, nn.Module):
            check_model(value)
            return LoadedModel(value, _input_shape(value), "pickled model")
        state = plain_state(tensors_of(value))
        model = chain(state, in_order=file_format != "safetensors")
        check_model(model)
        units, sizes = _numbers(path, notes)
    return LoadedModel(model, _input_shape(model), "state dict", units, sizes)


def from_factory(
    spec: str, *, state_path: str | Path | None = None, key: str | None = None
) -> LoadedModel:
    """Build a model with the user's own code, and load a stranger's weights into it.

    Most networks cannot be told from their weights. The code that builds them is the
    user's own and trusted; the file still is not. Of a whole pickled model the tensors
    are read, whatever its classes are.

    Args:
        spec: `package.module:factory`; the factory is called without arguments. A class
            will do.
        state_path: The file with the weights; it must fit exactly. Without one the
            model keeps the weights it was built with.
        key: Which model in the file is meant, where several fit.

    Returns:
        The model.

    Raises:
        LoadingError: The factory cannot be imported or called, or the weights do
            not fit.

    Example:
        >>> from_factory("torch.nn:Identity").model
        Identity()
    """
    model = built(spec)
    if state_path is not None:
        path = Path(state_path)
        file_format = recognise(path)
        _refuse_code(path, file_format)
        with _naming(path):
            fill(model, _read(path, file_format)[0], key=key)
            check_model(model)
    return LoadedModel(model, _input_shape(model), "factory")


def _read(path: Path, file_format: Format) -> tuple[object, dict[str, str]]:
    """Read what a file holds, and the notes beside it, by the reader for its format."""
    if file_format == "safetensors":
        return read_table(path)
    return read_pickle(path, legacy=file_format == "torch legacy").value, {}


def _numbers(
    path: Path, notes: Mapping[str, str]
) -> tuple[dict[str, list[int]], dict[str, int]]:
    """Read the original unit numbers from the notes of a file that Sculpt wrote."""
    try:
        found = json.loads(notes.get("sculpt", "{}"))
        units = {str(n): [int(u) for u in x] for n, x in found.get("units", {}).items()}
        sizes = {str(name): int(size) for name, size in found.get("sizes", {}).items()}
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        raise LoadingError(
            f"{shown(path)} must have whole unit numbers in its header, and they are "
            f"damaged. Save the model again."
        ) from None
    return units, sizes


def _refuse_code(path: Path, file_format: Format) -> None:
    """Refuse the formats that are programs."""
    what = {
        "torchscript": "a TorchScript archive, which is a program",
        "pt2": "a torch.export archive, which is a program",
        "torch tar": "a tar file of PyTorch's first format, which runs code",
    }.get(file_format)
    if what is not None:
        raise UnsafeFileError(
            f"{shown(path)} must be data, but is {what}; this is not supported, even "
            f"with --unsafe-load. Save the model's state dict from the program that "
            f"made it."
        )


def _unpickled(path: Path) -> object:
    """Unpickle with no limit, as the user has asked."""
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(file, map_location="cpu", weights_only=False, mmap=False)
    except Exception as error:
        # The file's own code ran, and can raise anything.
        raise LoadingError(
            f"{shown(path)} must be a file that torch.save wrote, but could not be "
            f"unpickled ({summary(error)}). If a class is missing, run where it can "
            "be imported; one of a script's own, in __main__, never can: save the "
            "state dict there, and build the model with --model pkg.mod:factory."
        ) from None


def _input_shape(model: nn.Module) -> tuple[int, ...] | None:
    """Tell the input's shape where a first Linear layer fixes it."""
    first = model
    while type(first) is nn.Sequential:
        weighted = (
            child for child in first if next(child.parameters(), None) is not None
        )
        first = next(weighted, None)
    return (1, first.in_features) if isinstance(first, nn.Linear) else None


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in the errors of those who see only its content."""
    try:
        yield
    except LoadingError as error:
        if str(error).startswith(shown(path)):
            raise
        raise type(error)(f"{shown(path)}: {error}") from None
    except MemoryError:
        raise LoadingError(
            f"{shown(path)} must fit the memory, and does not. Save the part of the "
            f"model that you want to look at."
        ) from None
    except RecursionError:
        raise LoadingError(
            f"{shown(path)} must hold a model of sane depth, but nests hundreds of "
            f"objects or contains itself. Save the model's state dict."
        ) from None
