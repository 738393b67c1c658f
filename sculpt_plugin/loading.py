"""Opening a stranger's model file without running anything in it."""

import importlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from sculpt_plugin.errors import LoadingError, UnsafeFileError
from sculpt_plugin.files.chains import chain
from sculpt_plugin.files.formats import Format, recognise
from sculpt_plugin.files.pickles import Record, read_pickle
from sculpt_plugin.files.quoting import listed, quoted, shown
from sculpt_plugin.files.rebuild import KNOWN_NAMES, rebuild
from sculpt_plugin.files.states import plain_state, tensors_of, unwrap


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
    path: str | Path, *, allow: Sequence[str] = (), unsafe: bool = False
) -> LoadedModel:
    """Open a model file, whoever made it.

    Taken are state dicts of Linear and ReLU chains (safetensors, or `torch.save` old
    and new) and whole pickled `torch.nn` models. The content decides what a file is,
    not its suffix, and what cannot be opened safely is refused, never tried otherwise.

    Args:
        path: The file.
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
    classes = _allowed_classes(allow)
    file_format = recognise(path)
    _refuse_code(path, file_format)
    with _naming(path):
        if unsafe and file_format != "safetensors":
            value = _unpickled(path)
        else:
            value = _read(path, file_format, names=(*KNOWN_NAMES, *classes))
        value = unwrap(value)
        if isinstance(value, Record):
            value = rebuild(value, classes=classes)
        if isinstance(value, nn.Module):
            return LoadedModel(value, _input_shape(value), "pickled model")
        state = plain_state(tensors_of(value))
        model = chain(state, in_order=file_format != "safetensors")
        units, sizes = _numbers(path, file_format)
    return LoadedModel(model, _input_shape(model), "state dict", units, sizes)


def from_factory(spec: str, *, state_path: str | Path | None = None) -> LoadedModel:
    """Build a model with the user's own code, and load a stranger's weights into it.

    Most networks cannot be told from their weights. The code that builds them is the
    user's own and trusted; the file still is not. Of a whole pickled model the tensors
    are read, whatever its classes are.

    Args:
        spec: `package.module:factory`; the factory is called without arguments. A class
            will do.
        state_path: The file with the weights; it must fit exactly. Without one the
            model keeps the weights it was built with.

    Returns:
        The model.

    Raises:
        LoadingError: The factory cannot be imported or called, or the weights do
            not fit.

    Example:
        >>> from_factory("torch.nn:Identity").model
        Identity()
    """
    model = _built(spec)
    if state_path is not None:
        path = Path(state_path)
        file_format = recognise(path)
        _refuse_code(path, file_format)
        with _naming(path):
            value = _read(path, file_format, names=KNOWN_NAMES, every_name=True)
            _fill(model, tensors_of(unwrap(value)), spec, path)
    return LoadedModel(model, _input_shape(model), "factory")


def _read(
    path: Path,
    file_format: Format,
    *,
    names: Sequence[str],
    every_name: bool = False,
) -> object:
    """Read what a file holds, by the reader for its format."""
    if file_format != "safetensors":
        return read_pickle(path, names=names, every_name=every_name)
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise LoadingError(
            f"{shown(path)} must be a safetensors file, but its header is damaged or "
            f"does not fit its content ({type(error).__name__}). Save or download it "
            f"again."
        ) from None


def _numbers(
    path: Path, file_format: Format
) -> tuple[dict[str, list[int]], dict[str, int]]:
    """Read the original unit numbers from a file that Sculpt wrote."""
    if file_format != "safetensors":
        return {}, {}
    with safe_open(path, framework="pt") as file:
        text = (file.metadata() or {}).get("sculpt", "{}")
    try:
        found = json.loads(text)
        units = {str(n): [int(u) for u in x] for n, x in found.get("units", {}).items()}
        sizes = {str(name): int(size) for name, size in found.get("sizes", {}).items()}
    except (ValueError, TypeError, AttributeError):
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
            f"unpickled ({_summary(error)}). If a class is missing, run where it can "
            f"be imported."
        ) from None


def _allowed_classes(allow: Sequence[str]) -> dict[str, type[nn.Module]]:
    """Import the classes that the user trusts, by both names a pickle may use."""
    classes: dict[str, type[nn.Module]] = {}
    for name in allow:
        # The colon of --model is taken here too.
        module, _, attribute = name.replace(":", ".").rpartition(".")
        kind = _imported(module, attribute, said=f"--allow {name}")
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            raise LoadingError(
                f"--allow takes classes derived from nn.Module, but {quoted(name)} is "
                f"none. Build the model in your own code with --model pkg.mod:factory."
            )
        classes[f"{module}.{attribute}"] = classes[
            f"{kind.__module__}.{kind.__qualname__}"
        ] = kind
    return classes


def _imported(module: str, attribute: str, *, said: str) -> object:
    """Import what the user named on purpose."""
    parts = [*module.split("."), attribute]
    if not all(part.isidentifier() for part in parts):
        raise LoadingError(
            f"{quoted(said)} must name something in a module, as pkg.mod:factory for "
            f"--model or pkg.mod.Class for --allow. Correct the name."
        )
    try:
        found = importlib.import_module(module)
    except Exception as error:
        # The module's own code ran, and can raise anything.
        raise LoadingError(
            f"{quoted(said)} must name an importable module, but importing "
            f"{quoted(module)} failed ({_summary(error)}). Check the name and "
            f"PYTHONPATH."
        ) from None
    if not hasattr(found, attribute):
        raise LoadingError(
            f"{quoted(said)} must name something in {quoted(module)}, which has no "
            f"{quoted(attribute)}. Correct the name."
        )
    return getattr(found, attribute)


def _built(spec: str) -> nn.Module:
    """Call the user's factory."""
    module, _, attribute = spec.partition(":")
    said = f"--model {spec}"
    factory = _imported(module, attribute, said=said)
    if not callable(factory):
        raise LoadingError(
            f"{quoted(said)} must name a function or class that builds the model, but "
            f"names a {type(factory).__name__}. Name a callable."
        )
    try:
        model = factory()
    except (Exception, SystemExit) as error:
        # The user's own code ran, and can raise anything.
        raise LoadingError(
            f"{quoted(said)} must build a model when called without arguments, but "
            f"raised {_summary(error)}. Mend it, and give every argument a default."
        ) from None
    if not isinstance(model, nn.Module):
        raise LoadingError(
            f"{quoted(said)} must return an nn.Module, but returned a "
            f"{type(model).__name__}. Return the model."
        )
    return model


def _fill(
    model: nn.Module, state: dict[str, torch.Tensor], spec: str, path: Path
) -> None:
    """Copy weights into a model that they fit exactly."""
    wanted = model.state_dict()
    if state.keys() != wanted.keys():
        state = plain_state(state)
    faults = [
        f"it {label} {listed(names)}"
        for label, names in (
            ("misses", [name for name in wanted if name not in state]),
            ("has too much", [name for name in state if name not in wanted]),
            (
                "has another shape for",
                [
                    name
                    for name, value in state.items()
                    if name in wanted and value.shape != wanted[name].shape
                ],
            ),
        )
        if names
    ]
    if faults:
        raise LoadingError(
            f"{shown(path)} must fit the model of {quoted(spec)}, but "
            f"{'; '.join(faults)}. Let the factory build the model that was saved."
        )
    model.load_state_dict(state, strict=True)


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
    except RecursionError:
        raise LoadingError(
            f"{shown(path)} must hold a model of sane depth, but nests hundreds of "
            f"objects or contains itself. Save the model's state dict."
        ) from None


def _summary(error: BaseException) -> str:
    """Give the kind of an error and the start of its text, on one line."""
    line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {line[:120]!r}" if line else type(error).__name__
