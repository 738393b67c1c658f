"""Reading a stranger's torch pickle as inert data: names and tensors, no objects."""

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import serialization

from sculpt_plugin.errors import LoadingError, UnsafeFileError
from sculpt_plugin.files.quoting import listed, quoted, shown

REMEDY = (
    "If they are nn.Module classes that you trust, name them with --allow; else build "
    "the model in your own code with --model pkg.mod:factory."
)


class Record:
    """What a pickle says about one object: the name of its class and its state.

    Records stand in for every class a pickle names, so unpickling makes no object of
    that class, calls no method of it and imports nothing. Without a `__dict__` a record
    cannot be given a method by the file either.

    Attributes:
        path: The dotted name the file uses.
        state: What the file says the object's attributes are, `None` if nothing.
    """

    __slots__ = ("state",)
    path: ClassVar[str] = ""
    state: object

    def __new__(cls, *arguments: object) -> "Record":
        """Make an empty record; the arguments that the file gives are dropped."""
        record = object.__new__(cls)
        record.state = None
        return record

    def __setstate__(self, state: object) -> None:
        """Remember the state, unread."""
        self.state = state


def read_pickle(
    path: Path, *, names: Iterable[str] = (), every_name: bool = False
) -> object:
    """Read what `torch.save` wrote, with a `Record` for each object in it.

    PyTorch's restricted unpickler runs nothing but what is on its list, and calls what
    is on its list as the file says. So the list gets records and never a real class: a
    file can make nothing happen with those.

    Args:
        path: A file in one of the formats `torch zip` and `torch legacy`.
        names: The dotted names that may occur in the file.
        every_name: Take records for all other names too. Only tensors should be read
            from the result then.

    Returns:
        Tensors, records, numbers, texts and containers of these.

    Raises:
        UnsafeFileError: The file holds other names.
        LoadingError: The file is damaged.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "model.pt"
        ...     torch.save(torch.nn.ReLU(), path)
        ...     record = read_pickle(path, names=["torch.nn.modules.activation.ReLU"])
        >>> isinstance(record, Record), record.path
        (True, 'torch.nn.modules.activation.ReLU')
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _listed_only(names):
            others = _other_names(path)
        if others and not every_name:
            raise _refusal(path, others)
        try:
            # A file object, because torch trusts the suffix of a path. `weights_only`
            # is said aloud, because an environment variable can flip the default.
            with _listed_only([*names, *others]), path.open("rb") as file:
                return torch.load(
                    file, map_location="cpu", weights_only=True, mmap=False
                )
        except Exception as error:
            # A hostile file can make the unpickler raise anything.
            raise _failure(path, error) from None


def plain_tensor(value: torch.Tensor, *, name: str) -> torch.Tensor:
    """Give a tensor from a pickle as an ordinary one, with nothing attached.

    A pickle can hang attributes on a tensor that hide its methods, and can describe a
    tensor far larger than the file.

    Args:
        value: The tensor as it came.
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
    if type(value) not in (torch.Tensor, torch.nn.Parameter):
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
        raise LoadingError(
            f"Entry {quoted(name)} must be a dense tensor, but is {found}. Convert it "
            f"before saving."
        )
    plain = plain.contiguous()
    if isinstance(value, torch.nn.Parameter):
        return torch.nn.Parameter(plain, requires_grad=bool(value.requires_grad))
    return plain


@contextmanager
def _listed_only(names: Iterable[str]) -> Iterator[None]:
    """Let the unpickler know these names, as records, and no others for a while."""
    before: list[Any] = serialization.get_safe_globals()
    records: list[Any] = [
        (
            type(name.rpartition(".")[2], (Record,), {"__slots__": (), "path": name}),
            name,
        )
        for name in dict.fromkeys(names)
    ]
    # What the program or a library has listed for its own files is not for this one.
    serialization.clear_safe_globals()
    try:
        serialization.add_safe_globals(records)
        yield
    finally:
        # A library imported meanwhile may have listed its own.
        after = serialization.get_safe_globals()
        serialization.clear_safe_globals()
        serialization.add_safe_globals(
            before + [known for known in after if known not in records]
        )


def _other_names(path: Path) -> list[str]:
    """Find the names that are not listed, where the format lets one look first."""
    try:
        return sorted(serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception:
        # Legacy or damaged: loading, which is just as safe, will tell.
        return []


def _refusal(path: Path, names: Iterable[str]) -> UnsafeFileError:
    names = list(names)
    script = (
        " (A name in __main__ was saved from a script and cannot be allowed.)"
        if any(name.startswith("__main__.") for name in names)
        else ""
    )
    return UnsafeFileError(
        f"{shown(path)} must hold only tensors and torch.nn layers, but its pickle "
        f"also asks for {listed(names)}. Nothing was run. {REMEDY}{script}"
    )


def _failure(path: Path, error: Exception) -> LoadingError:
    """Say what stopped the restricted unpickler."""
    text = str(error)
    unlisted = re.search(
        r"GLOBAL (.*?) (?:was not an allowed|whose module)", text, re.DOTALL
    )
    if unlisted:
        return _refusal(path, [unlisted[1]])
    if "Only persistent_load of storage" in text:
        return UnsafeFileError(
            f"{shown(path)} holds a whole model in PyTorch's format of before 1.6, "
            f"which cannot be read without running code from it. Save its state dict "
            f"instead."
        )
    if "Unsupported operand" in text:
        return LoadingError(
            f"{shown(path)} must be a pickle of protocol 2, as torch.save writes it, "
            f"but uses instructions of another. Nothing was run. Save it again without "
            f"pickle_protocol."
        )
    return LoadingError(
        f"{shown(path)} must be a file that torch.save wrote, but is damaged or made "
        f"by hand ({type(error).__name__} while reading it). Nothing was run. Save or "
        f"download it again."
    )
