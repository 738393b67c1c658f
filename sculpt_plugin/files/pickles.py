"""Reading a stranger's `torch.save` file as inert data: names, records and tensors."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from sculpt_plugin.errors import LoadingError, UnsafeFileError
from sculpt_plugin.files.archives import Span, members, read_span
from sculpt_plugin.files.claims import DTYPES, STORAGES, Claim, Storage, as_parameter
from sculpt_plugin.files.quoting import listed, shown
from sculpt_plugin.files.unpickling import (
    Name,
    PickleError,
    Record,
    key_of,
    unpickle,
)

# The pickle beside the tensors; their numbers are not in it.
LONGEST_PICKLE = 64 * 2**20

# Things in the lists and tables that calls are made with; sound files have few.
MOST_COPIED = 200_000

# How often tensors may use the same numbers: a layer that occurs in many places does.
MOST_SHARING = 32

# What `torch.save` puts first in its format of before 1.6.
LEGACY_NUMBERS = (0x1950A86A20F9469CFC6C, 1001)

# No model needs these. Whoever asks for them wants to run a program.
ATTACKING_MODULES = frozenset(
    {
        "os", "posix", "nt", "sys", "subprocess", "runpy", "pty", "shutil", "socket",
        "ctypes", "importlib", "code", "codeop", "webbrowser", "pickle", "_pickle",
        "marshal", "multiprocessing", "commands", "timeit", "pdb", "bdb", "cProfile",
        "profile",
    }
)  # fmt: skip
ATTACKS = frozenset(
    {
        "builtins.eval", "builtins.exec", "builtins.compile", "builtins.open",
        "builtins.__import__", "builtins.breakpoint", "builtins.input",
        "builtins.globals", "io.open", "_io.open", "torch.load", "torch.hub.load",
        "torch.serialization.load", "torch.serialization.save", "torch.jit.load",
        "numpy.load", "numpy.save", "numpy.savetxt",
    }
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Pickled:
    """What a pickle holds.

    Attributes:
        value: Numbers, texts, containers, tensors' claims and records of the rest.
        names: Each class and function that it asks for, in order.
    """

    value: object
    names: tuple[str, ...]


def read_pickle(path: Path, *, legacy: bool = False) -> Pickled:
    """Read what `torch.save` wrote, and make none of the objects in it.

    `torch.load(weights_only=True)` still calls some thirty functions as the file says,
    allocates what the file says, and has two environment variables that change what it
    does. Here nothing is called and nothing is taken that the file does not have.

    Args:
        path: A file in one of the formats `torch zip` and `torch legacy`.
        legacy: Whether it is the second.

    Returns:
        The content and the names in it. Tensors are read only when granted.

    Raises:
        UnsafeFileError: The file asks for something that no model needs.
        LoadingError: The file is damaged.

    Example:
        >>> import tempfile, torch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "model.pt"
        ...     torch.save(torch.nn.ReLU(), path)
        ...     pickled = read_pickle(path)
        >>> pickled.value.path, pickled.names[0]
        ('torch.nn.modules.activation.ReLU', 'torch.nn.modules.activation.ReLU')
    """
    names: dict[str, None] = {}
    try:
        value = (_legacy if legacy else _zipped)(path, names)
    except LoadingError:
        raise
    except Exception as error:
        # A hostile file can make any step go wrong.
        _refuse_attack(path, names)
        reason = str(error) if isinstance(error, PickleError) else type(error).__name__
        raise LoadingError(
            f"{shown(path)} must be a file that torch.save wrote, but is damaged or "
            f"made by hand ({reason}). Nothing was run. Save or download it again."
        ) from None
    _refuse_attack(path, names)
    return Pickled(value, tuple(names))


def _refuse_attack(path: Path, names: Mapping[str, None]) -> None:
    """Warn of a file that another program would be harmed by."""
    found = [
        name
        for name in names
        if name.partition(".")[0] in ATTACKING_MODULES or name in ATTACKS
    ]
    if found:
        raise UnsafeFileError(
            f"{shown(path)} must hold a model, but its pickle asks for "
            f"{listed(found)}, which no model needs: it is made to run code. Nothing "
            f"was run. Open it with no other program, and get the model's state dict "
            f"from its owner, best as safetensors."
        )


def _zipped(path: Path, names: dict[str, None]) -> object:
    """Read the format of since 1.6: a pickle and its storages in one archive."""
    spans = members(path)
    order = spans.get("byteorder")
    if order is not None and order.size < 10 and read_span(path, order) != b"little":
        raise _big_endian(path)
    if spans["data.pkl"].size > LONGEST_PICKLE:
        raise _too_long(path)

    def place(storage: Storage) -> Span:
        span = spans[f"data/{storage.key}"]
        size = storage.count * storage.dtype.itemsize
        return Span(span.start, min(size, span.size))

    stream = BytesIO(read_span(path, spans["data.pkl"]))
    return _unpickled(stream, _Storages(path, place), names)


def _legacy(path: Path, names: dict[str, None]) -> object:
    """Read the format of before 1.6: five pickles, then the storages."""
    with path.open("rb") as file:
        stream = BytesIO(file.read(LONGEST_PICKLE))
    spans: dict[str, Span] = {}
    storages = _Storages(path, lambda storage: spans[storage.key])
    try:
        for number in LEGACY_NUMBERS:
            if unpickle(stream) != number:
                raise PickleError("no file of torch.save")
        if unpickle(stream).get("little_endian") is not True:
            raise _big_endian(path)
        value = _unpickled(stream, storages, names)
        keys = [_text(key) for key in unpickle(stream)]
    except ValueError as error:
        if stream.tell() >= LONGEST_PICKLE and not isinstance(error, LoadingError):
            raise _too_long(path) from None
        raise
    start = stream.tell()
    for key in keys:
        known = storages.known[key]
        (count,) = struct.unpack("<q", read_span(path, Span(start, 8)))
        if key in spans or not 0 <= count <= known.count:
            raise PickleError("a storage of another size than its tensors need")
        spans[key] = Span(start + 8, count * known.dtype.itemsize)
        start += 8 + count * known.dtype.itemsize
    if start > path.stat().st_size:
        raise PickleError("a file that ends before its tensors do")
    return value


def _unpickled(stream: BytesIO, storages: "_Storages", names: dict[str, None]) -> Any:
    copied = 0

    def made(name: str, arguments: tuple[Any, ...]) -> object:
        # One long list can be made into a million sets.
        nonlocal copied
        copied += sum(len(x) for x in arguments if isinstance(x, list | dict | set))
        if copied > MOST_COPIED:
            raise PickleError(f"a pickle that copies more than {MOST_COPIED:,} things")
        return _made(name, arguments)

    return unpickle(
        stream, made=made, stored=storages.found, named=lambda n: names.setdefault(n)
    )


class _Storages:
    """The storages that a pickle speaks of, each read once and when needed."""

    def __init__(self, path: Path, place: Callable[[Storage], Span]) -> None:
        self.path, self.place = path, place
        self.known: dict[str, Storage] = {}
        self.content: dict[str, bytearray] = {}
        self.used, self.most = 0, MOST_SHARING * path.stat().st_size

    def found(self, told: object) -> object:
        """Give what a pickle says is stored outside of it."""
        what, *rest = told if isinstance(told, tuple) else ("",)
        if what == "module" and isinstance(rest[0], Name):
            # A class, with its source code beside it, which no one reads.
            return rest[0]
        if what != "storage":
            raise PickleError("a pickle that stores other things than tensors")
        kind, key, _, count, *view = rest
        dtype = STORAGES.get(kind.path.rpartition(".")[2])
        if dtype is None or type(count) is not int or not 0 <= count < 2**48:
            raise PickleError("a storage of no known type or size")
        storage = Storage(_text(key), dtype, count, self._read)
        self.known.setdefault(storage.key, storage)
        if not view or view[0] is None:
            return storage
        _, start, size = view[0]
        if type(start) is not int or type(size) is not int or min(start, size) < 0:
            raise PickleError("a storage of no known type or size")
        return Storage(storage.key, dtype, size, self._read, start)

    def _read(self, storage: Storage, used: int) -> bytearray:
        self.used += used
        if self.used > self.most:
            raise LoadingError(
                f"{shown(self.path)} must hold the numbers of its tensors, but they "
                f"share them more than {MOST_SHARING} times, so that they would not "
                f"fit the memory. Save the model's state dict anew."
            )
        if storage.key not in self.content:
            try:
                span = self.place(self.known[storage.key])
            except KeyError:
                raise LoadingError(
                    f"{shown(self.path)} must hold the numbers of each tensor, but "
                    f"those of storage {storage.key[:20]!r} are not in it. Save or "
                    f"download it again."
                ) from None
            self.content[storage.key] = read_span(self.path, span)
        content = self.content[storage.key]
        end = (storage.start + storage.count) * storage.dtype.itemsize
        if len(content) < end:
            raise LoadingError(
                f"{shown(self.path)} must hold the numbers of each tensor, but has "
                f"{len(content)} bytes where {end} are needed. Save or download it "
                f"again."
            )
        return content


def _made(name: str, arguments: tuple[Any, ...]) -> object:
    """Give what stands in for a call: a tensor's claim, plain data, or a record."""
    if name in ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"):
        return _claim(*arguments[:5], metadata=arguments[6:])
    if name == "torch._utils._rebuild_tensor_v3":
        return _claim(*arguments[:5], metadata=arguments[7:], dtype=arguments[6])
    if name in (
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
    ):
        return as_parameter(arguments[0], requires_grad=arguments[1])
    if name == "torch._tensor._rebuild_from_type_v2":
        return _typed(*arguments)
    if name in ODD_TENSORS:
        return Claim(fault=ODD_TENSORS[name])
    if name in ("collections.OrderedDict", "collections.Counter", "builtins.dict"):
        pairs = arguments[0] if arguments else []
        items = pairs.items() if isinstance(pairs, dict) else pairs
        return {key_of(key): value for key, value in items}
    if name == "collections.defaultdict":
        return {}
    if name in ("builtins.set", "builtins.frozenset"):
        return set(map(key_of, arguments[0])) if arguments else set()
    if name == "torch.Size":
        return tuple(arguments[0])
    if name in ("copyreg._reconstructor", "copyreg.__newobj__"):
        return Record(arguments[0].path, tuple(arguments[1:]))
    return Record(name, arguments)


ODD_TENSORS = {
    "torch._utils._rebuild_qtensor": "quantised (use .dequantize())",
    "torch._utils._rebuild_sparse_tensor": "sparse (use .to_dense())",
    "torch._utils._rebuild_nested_tensor": "nested (use .to_padded_tensor(0))",
    "torch._utils._rebuild_meta_tensor_no_storage": "on the meta device, without data",
    "torch._utils._rebuild_wrapper_subclass": "of a class of its own",
    "torch._utils._rebuild_device_tensor_from_numpy": "of another device (use .cpu())",
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": (
        "of another device (use .cpu())"
    ),
}


def _claim(
    storage: object,
    offset: object,
    shape: object,
    strides: object,
    requires_grad: object = False,
    *,
    metadata: tuple[Any, ...] = (),
    dtype: Any = None,
) -> Claim:
    """Write down what the file says about a tensor."""
    if not isinstance(storage, Storage):
        raise PickleError("a tensor without a storage")
    bits = metadata[0] if metadata else None
    return Claim(
        storage,
        offset,
        shape,
        strides,
        dtype=storage.dtype if dtype is None else DTYPES[dtype.path],
        requires_grad=requires_grad is True,
        fault="a lazy conjugate or negative (use .resolve_conj())" if bits else None,
    )


def _typed(function: Any, kind: Any, arguments: Any, _: object) -> object:
    """Take a tensor with Python attributes; they are dropped."""
    made = _made(function.path, arguments)
    if not isinstance(made, Claim):
        raise PickleError("a tensor made by something else")
    if kind.path in ("torch.Tensor", "torch._tensor.Tensor"):
        return made
    if kind.path == "torch.nn.parameter.Parameter":
        return as_parameter(made, requires_grad=made.requires_grad)
    return Claim(fault=f"of a class of its own, {kind.path[:80]!r}")


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii")
    if not isinstance(value, str):
        raise PickleError("a storage without a name")
    return value


def _big_endian(path: Path) -> LoadingError:
    return LoadingError(
        f"{shown(path)} must hold numbers with the lowest byte first, but was saved on "
        f"a machine of the other order. Save it there as safetensors."
    )


def _too_long(path: Path) -> LoadingError:
    return LoadingError(
        f"{shown(path)} must describe its content in at most "
        f"{LONGEST_PICKLE // 2**20} MiB beside the tensors, but needs more. Save the "
        f"model's state dict alone."
    )
