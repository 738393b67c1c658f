"""Pickles written instruction by instruction: what pickle itself would not write."""

import struct

LINEAR = "torch.nn.modules.linear.Linear"
RELU = "torch.nn.modules.activation.ReLU"
SEQUENTIAL = "torch.nn.modules.container.Sequential"
EMPTY_PARTS = {
    "_parameters": b"}",
    "_buffers": b"}",
    "_modules": b"}",
    "training": b"\x88",
}


def text(value: str) -> bytes:
    return b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()


def number(value: int) -> bytes:
    content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(content)]) + content


def named(name: str) -> bytes:
    module, _, attribute = name.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def several(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def called(function: bytes, *arguments: bytes) -> bytes:
    return function + several(*arguments) + b"R"


def built(name: str, state: bytes) -> bytes:
    return named(name) + b")\x81" + state + b"b"


def table(**entries: bytes) -> bytes:
    return b"}(" + b"".join(text(k) + v for k, v in entries.items()) + b"u"


def entry(name: str, value: bytes) -> bytes:
    """A state dict of one entry."""
    return b"}" + text(name) + value + b"s"


def storage(*, count: int = 4, key: str = "0", kind: str = "FloatStorage") -> bytes:
    told = [
        text("storage"),
        named(f"torch.{kind}"),
        text(key),
        text("cpu"),
        number(count),
    ]
    return several(*told) + b"Q"


def tensor(
    *,
    offset: bytes = b"K\x00",
    shape: bytes = b"K\x02K\x02\x86",
    strides: bytes = b"K\x02K\x01\x86",
    stored: bytes | None = None,
    function: str = "torch._utils._rebuild_tensor_v2",
    more: tuple[bytes, ...] = (),
) -> bytes:
    parts = (storage() if stored is None else stored, offset, shape, strides)
    return called(named(function), *parts, b"\x89", b"}", *more)


def numbers(*values: int) -> bytes:
    return several(*map(number, values))


def parameter(*shape: int) -> bytes:
    """A learned tensor on the storage of four numbers."""
    strides = [1 for _ in shape]
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * max(1, shape[axis + 1])
    plain = tensor(shape=numbers(*shape), strides=numbers(*strides))
    return called(named("torch._utils._rebuild_parameter"), plain, b"\x88", b"}")


def frame(length: int) -> bytes:
    return b"\x95" + struct.pack("<Q", length)
