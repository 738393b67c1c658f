"""Tensors of which a pickle says what cannot be."""

import struct

from opcodes import (
    called,
    named,
    number,
    numbers,
    several,
    storage,
    table,
    tensor,
    text,
)

ODD = "must have a shape and strides of whole numbers"
TENSORS: dict[str, tuple[bytes, str]] = {
    "storage of 2**60": (tensor(stored=storage(count=2**60)), "no known type or size"),
    "storage of 2**40": (
        tensor(stored=storage(count=2**40)),
        "where 4398046511104 are needed",
    ),
    "storage below 0": (tensor(stored=storage(count=-1)), "no known type or size"),
    "storage that is short": (tensor(stored=storage(count=5)), "where 20 are needed"),
    "storage of no type": (tensor(stored=storage(kind="OddStorage")), "no known type"),
    "storage that is absent": (tensor(stored=storage(key="9")), "are not in it"),
    "storage outside": (tensor(stored=storage(key="../data.pkl")), "are not in it"),
    "shape of 2**60": (tensor(shape=numbers(2**60, 1)), ODD),
    "shape of 2**30": (tensor(shape=numbers(2**30, 2**30)), "must lie within"),
    "shape below 0": (tensor(shape=numbers(-2, -2)), ODD),
    "shape of a text": (tensor(shape=text("22")), ODD),
    "shape of yes and no": (tensor(shape=b"\x88\x88\x86"), ODD),
    "shape of fractions": (tensor(shape=b"G" + struct.pack(">d", 2.0) + b"\x85"), ODD),
    "shape without strides": (tensor(strides=b")"), ODD),
    "thousand axes": (tensor(shape=numbers(*[1] * 999), strides=b")"), ODD),
    "strides below 0": (tensor(strides=numbers(-2, -1)), ODD),
    "strides that overlap": (
        tensor(shape=numbers(4, 4), strides=numbers(0, 1)),
        "view",
    ),
    "strides too wide": (tensor(strides=numbers(2**40, 1)), "must lie within"),
    "offset too far": (tensor(offset=b"K\x01"), "must lie within its storage of 4"),
    "offset below 0": (tensor(offset=number(-1)), ODD),
    "no numbers but many axes": (tensor(shape=numbers(0, 2**47)), "has the shape"),
    "no storage": (tensor(stored=b"N"), "without a storage"),
    "no arguments": (called(named("torch._utils._rebuild_tensor_v2")), "damaged"),
    "odd type": (
        tensor(
            function="torch._utils._rebuild_tensor_v3", more=(named("torch.float3"),)
        ),
        "damaged",
    ),
    "conjugate": (tensor(more=(table(conj=b"\x88"),)), "lazy conjugate"),
    "own class": (
        called(
            named("torch._tensor._rebuild_from_type_v2"),
            named("torch._utils._rebuild_tensor_v2"),
            named("own.Tensor"),
            several(storage(), b"K\x00", numbers(2, 2), numbers(2, 1), b"\x89", b"}"),
            b"}",
        ),
        "of a class of its own, 'own.Tensor'",
    ),
    "wrapper": (
        called(named("torch._utils._rebuild_wrapper_subclass"), b"N"),
        "of a class of its own",
    ),
}
