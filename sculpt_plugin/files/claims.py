"""Tensors as a file describes them: claims that are checked before a byte is read."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.quoting import quoted

# More than torch itself takes.
MOST_AXES = 64

DTYPES: dict[str, torch.dtype] = {
    str(value): value
    for value in vars(torch).values()
    if isinstance(value, torch.dtype)
}

STORAGES: dict[str, torch.dtype] = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32,
    "HalfStorage": torch.float16, "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8,
    "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
    "ComplexDoubleStorage": torch.complex128, "ComplexFloatStorage": torch.complex64,
    "UntypedStorage": torch.uint8, "QInt8Storage": torch.qint8,
    "QUInt8Storage": torch.quint8, "QInt32Storage": torch.qint32,
    "QUInt4x2Storage": torch.quint4x2, "QUInt2x4Storage": torch.quint2x4,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Storage:
    """Numbers in a file, one after the other, that tensors are views of.

    Attributes:
        key: What the file calls it.
        dtype: What kind of numbers it holds.
        count: How many, as the file says.
        start: From which of them on.
        read: Gives all its bytes, to be used for so many; refuses where the file does
            not have them, or where tensors share them too often.
    """

    key: str
    dtype: torch.dtype
    count: int
    read: Callable[["Storage", int], bytearray]
    start: int = 0


@dataclass(frozen=True, eq=False)
class Claim:
    """What a file says about one tensor.

    Attributes:
        storage: The numbers it is a view of.
        offset: Which of them is its first.
        shape: Its shape.
        strides: How many numbers on the next one along each axis is.
        dtype: The type of its elements.
        learned: Whether it was an `nn.Parameter`.
        requires_grad: Whether it was to be learned further.
        fault: What makes it no plain tensor, if anything.
    """

    storage: Storage | None = None
    offset: Any = 0
    shape: Any = None
    strides: Any = None
    dtype: torch.dtype = torch.float32
    learned: bool = False
    requires_grad: bool = False
    fault: str | None = None


def as_parameter(claim: object, *, requires_grad: object) -> Claim:
    """Give the claim of a parameter that holds a tensor.

    Example:
        >>> as_parameter(Claim(), requires_grad=True).learned
        True
    """
    if not isinstance(claim, Claim):
        raise TypeError("a parameter of something else than a tensor")
    return replace(claim, learned=True, requires_grad=requires_grad is True)


def granted(claim: Claim, *, name: str) -> torch.Tensor:
    """Read the tensor that a claim describes.

    The claim is a stranger's: it may describe a tensor that lies outside its storage,
    or one far larger than the file.

    Args:
        claim: What the file says.
        name: What to call it in an error.

    Returns:
        A dense tensor on the CPU, an `nn.Parameter` if it was one.

    Raises:
        LoadingError: The claim is false, or the tensor is of a kind that is not taken.

    Example:
        >>> storage = Storage("0", torch.uint8, 3, lambda *_: bytearray(b"abc"))
        >>> claim = Claim(storage, 1, (2,), (1,), dtype=torch.uint8)
        >>> granted(claim, name="weight")
        tensor([98, 99], dtype=torch.uint8)
    """
    if claim.fault is not None or claim.storage is None:
        raise odd_tensor(name, claim.fault or "without data")
    shape, strides = _sizes(claim.shape), _sizes(claim.strides)
    offset = _sizes((claim.offset,))
    if shape is None or strides is None or offset is None or len(shape) != len(strides):
        raise LoadingError(
            f"Entry {quoted(name)} must have a shape and strides of whole numbers from "
            f"0 up, but the file was made by hand. Save it again with torch.save."
        )
    reach = 1 + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    count = 1
    for size in shape:
        count *= size
    if count == 0:
        return _finished(torch.empty(shape, dtype=claim.dtype), claim)
    held = claim.storage.count * claim.storage.dtype.itemsize // claim.dtype.itemsize
    if offset[0] + reach > held:
        raise LoadingError(
            f"Entry {quoted(name)} must lie within its storage of {held} numbers, but "
            f"reaches to number {offset[0] + reach}. The file is damaged or made by "
            f"hand: get it again."
        )
    if count > held:
        raise odd_tensor(name, "an expanded view (use .contiguous())")
    kind = claim.dtype
    content = claim.storage.read(claim.storage, count * kind.itemsize)
    whole = len(content) // kind.itemsize
    # A byte other than 0 and 1 in a Boolean tensor is undefined behaviour.
    safe_kind = torch.uint8 if kind == torch.bool else kind
    numbers = torch.frombuffer(content, dtype=safe_kind, count=whole)
    first = claim.storage.start + offset[0]
    tensor = numbers.as_strided(shape, strides, first)
    return _finished(tensor != 0 if kind == torch.bool else tensor, claim)


def odd_tensor(name: str, found: str) -> LoadingError:
    """Give the error for a tensor that is not a plain one.

    Example:
        >>> print(odd_tensor("weight", "sparse (use .to_dense())"))
        Entry 'weight' must be a dense tensor, but is sparse (use .to_dense()). Convert it before saving.
    """  # noqa: E501
    return LoadingError(
        f"Entry {quoted(name)} must be a dense tensor, but is {found}. Convert it "
        f"before saving."
    )


def _sizes(values: object) -> tuple[int, ...] | None:
    """Give whole numbers from 0 up that torch can count with."""
    if not isinstance(values, tuple | list) or len(values) > MOST_AXES:
        return None
    return (
        tuple(values)
        if all(type(value) is int and 0 <= value < 2**48 for value in values)
        else None
    )


def _finished(tensor: torch.Tensor, claim: Claim) -> torch.Tensor:
    if not claim.learned:
        return tensor
    learnable = tensor.is_floating_point() or tensor.is_complex()
    return torch.nn.Parameter(tensor, requires_grad=claim.requires_grad and learnable)
