"""Pickles that want to run code, to fill the memory, or to lie about a tensor."""

import io
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from hostile_tensors import TENSORS
from model_files import LEGACY, Reduced, save, torch_zip
from opcodes import (
    EMPTY_PARTS,
    RELU,
    SEQUENTIAL,
    built,
    called,
    entry,
    frame,
    named,
    number,
    several,
    table,
    tensor,
    text,
)

FOUR = np.arange(1, 5, dtype="<f4").tobytes()


def code(canary: Path) -> str:
    return f"open({str(canary)!r}, 'w').close()"


def command(canary: Path) -> str:
    return f"touch {canary}"


def inert(content: bytes) -> Callable[[Path], bytes]:
    return lambda _: content


def doubled(first: bytes, times: int) -> bytes:
    """A tuple of two of a tuple of two of ..."""
    return first + b"2\x86" * times


def doubled_layers(times: int) -> bytes:
    content = built(RELU, table(**EMPTY_PARTS))
    for index in range(times):
        put, get = b"r" + struct.pack("<I", index), b"j" + struct.pack("<I", index)
        children = table(a=get, b=get)
        content += (
            put
            + b"0"
            + built(SEQUENTIAL, table(**{**EMPTY_PARTS, "_modules": children}))
        )
    return content


def shared_table(size: int, times: int) -> bytes:
    """Layers with one long table of buffers between them."""
    entries = table(**{f"b{index}": b"N" for index in range(size)})
    content = entries + b"q\x000"
    parts = {**EMPTY_PARTS, "_buffers": b"h\x00"}
    layers = {f"m{index}": built(RELU, table(**parts)) for index in range(times)}
    return content + built(
        SEQUENTIAL, table(**{**EMPTY_PARTS, "_modules": table(**layers)})
    )


EVAL = named("builtins.eval")

# What each writes into `data.pkl`, the exit code, and what is said.
CODE: dict[str, tuple[Callable[[Path], bytes], int, str]] = {
    "reduce": (
        lambda canary: called(named("posix.system"), text(command(canary))),
        3,
        "'posix.system', which no model needs",
    ),
    "eval of python 2": (
        lambda canary: called(named("__builtin__.eval"), text(code(canary))),
        3,
        "'builtins.eval'",
    ),
    "inst": (
        lambda canary: b"(" + text(command(canary)) + b"iposix\nsystem\n",
        1,
        "INST, which torch.save does not write",
    ),
    "obj": (
        lambda canary: b"(" + named("posix.system") + text(command(canary)) + b"o",
        3,
        "'posix.system'",
    ),
    "ext": (inert(b"\x82\x01)R"), 1, "EXT1, which torch.save does not write"),
    "newobj": (
        lambda canary: (
            named("subprocess.Popen") + several(text(code(canary))) + b"\x81"
        ),
        3,
        "'subprocess.Popen'",
    ),
    "newobj with names": (
        lambda canary: (
            named("subprocess.Popen") + b")" + table(args=text(code(canary))) + b"\x92"
        ),
        3,
        "'subprocess.Popen'",
    ),
    "stack global": (
        lambda canary: called(
            text("builtins") + text("exec") + b"\x93", text(code(canary))
        ),
        3,
        "'builtins.exec'",
    ),
    "stack global from memo": (
        lambda canary: (
            text("exec")
            + b"q\x000"
            + text("builtins")
            + b"h\x00\x93"
            + several(text(code(canary)))
            + b"R"
        ),
        3,
        "'builtins.exec'",
    ),
    "stack global of numbers": (inert(b"K\x01K\x02\x93"), 1, "without a name"),
    "getattr": (
        lambda canary: called(
            called(named("builtins.getattr"), EVAL, text("__call__")),
            text(code(canary)),
        ),
        3,
        "'builtins.eval'",
    ),
    "partial": (
        lambda canary: called(
            called(named("functools.partial"), EVAL), text(code(canary))
        ),
        3,
        "'builtins.eval'",
    ),
    "pickle in a pickle": (
        lambda canary: called(
            named("pickle.loads"),
            b"C" + bytes([len(command(canary))]) + command(canary).encode(),
        ),
        3,
        "'pickle.loads'",
    ),
    "build": (
        lambda canary: (
            built(RELU, table(__setstate__=EVAL, **EMPTY_PARTS))
            + text(code(canary))
            + b"b"
        ),
        3,
        "'builtins.eval'",
    ),
    "build of a class": (
        lambda canary: named(RELU) + table(forward=text(code(canary))) + b"b",
        1,
        "changes what is no object",
    ),
    "thrown away": (
        lambda canary: (
            called(EVAL, text(code(canary))) + b"0" + entry("fc.weight", tensor())
        ),
        3,
        "'builtins.eval'",
    ),
    "beside the weights": (
        lambda canary: table(
            state_dict=entry("fc.weight", tensor()),
            extra=called(named("os.system"), text(command(canary))),
        ),
        3,
        "'os.system'",
    ),
    "as a dict key": (
        lambda canary: b"}" + called(EVAL, text(code(canary))) + tensor() + b"s",
        3,
        "'builtins.eval'",
    ),
    "in a tensor's hooks": (
        lambda canary: entry(
            "fc.weight",
            called(
                named("torch._utils._rebuild_parameter"),
                tensor(),
                b"\x88",
                called(EVAL, text(code(canary))),
            ),
        ),
        3,
        "'builtins.eval'",
    ),
    "as a tensor's function": (
        lambda canary: entry(
            "fc.weight",
            called(
                named("torch._tensor._rebuild_from_type_v2"),
                EVAL,
                named("torch.Tensor"),
                several(text(code(canary))),
                b"}",
            ),
        ),
        3,
        "'builtins.eval'",
    ),
    "as an array of objects": (
        lambda canary: entry(
            "fc.weight",
            called(
                named("numpy.core.multiarray._reconstruct"),
                called(EVAL, text(code(canary))),
            ),
        ),
        3,
        "'builtins.eval'",
    ),
    "reconstructor": (
        lambda canary: called(
            named("copy_reg._reconstructor"), named("posix.system"), b"N", b"N"
        ),
        3,
        "'posix.system'",
    ),
    "calling a number": (inert(b"K\x01)R"), 1, "calls what is no function"),
    "stored elsewhere": (inert(several(text("file"), text("/x")) + b"Q"), 1, "stores"),
    "persistent text": (inert(b"P/etc/passwd\n"), 1, "stores other things"),
}

BOMBS: dict[str, tuple[Callable[[Path], bytes], int, str]] = {
    "memo far out": (inert(b"Nr\xff\xff\xff\xff0"), 1, "damaged"),
    "memo by text": (inert(b"Np" + b"9" * 10**5 + b"\n"), 1, "damaged"),
    "number of a million digits": (inert(b"I" + b"9" * 10**6 + b"\n"), 1, "damaged"),
    "text of 2**60 letters": (inert(b"\x8d" + struct.pack("<Q", 2**60)), 1, "damaged"),
    "bytes of 2**60": (inert(b"\x8e" + struct.pack("<Q", 2**60)), 1, "damaged"),
    "frame of 2**60": (inert(frame(2**60) + b"N"), 1, "holds a NoneType"),
    "deep list": (inert(b"]" * 10**4 + b"a" * (10**4 - 1)), 1, "holds a list"),
    "deep key": (inert(b"}" + b")" + b"\x85" * 10**5 + tensor() + b"s"), 1, "no text"),
    "deep dict": (
        inert(b"}" + (text("a") + b"}") * 10**4 + b"s" * 10**4),
        1,
        "also holds 'a'",
    ),
    "deep attribute": (
        inert(built(RELU, table(x=b"]" * 9999 + b"a" * 9998, **EMPTY_PARTS))),
        1,
        "contains itself",
    ),
    "list in itself": (inert(b"]q\x00h\x00a"), 1, "holds a list"),
    "dict in itself": (inert(b"}q\x00" + text("model") + b"h\x00s"), 1, "also holds"),
    "doubled tuples": (
        inert(built(RELU, table(x=doubled(b"N", 4000), **EMPTY_PARTS))),
        1,
        "sane depth",
    ),
    "doubled layers": (inert(doubled_layers(40)), 1, "less than 100,000 layers"),
    "numbers of one hash": (
        inert(
            b"}("
            + b"".join(number(k * (2**61 - 1)) + b"N" for k in range(1, 30_000))
            + b"u"
        ),
        1,
        "also holds <object>",
    ),
    "slow encoding": (
        inert(called(named("_codecs.encode"), text("a" * 10**5 + "é"), text("idna"))),
        1,
        "'_codecs.encode'",
    ),
    "byte array": (
        inert(called(named("builtins.bytearray"), number(2**40))),
        1,
        "bytearray",
    ),
    "storage made by a call": (
        inert(called(named("torch.FloatStorage"), number(2**40))),
        1,
        "FloatStorage",
    ),
    "tensor made by a call": (
        inert(called(named("torch.FloatTensor"), number(2**20), number(2**20))),
        1,
        "FloatTensor",
    ),
    "a list made into many sets": (
        inert(
            b"]q\x00("
            + b"K\x01" * 10**4
            + b"e"
            + (named("builtins.set") + b"h\x00\x85R0") * 1000
        ),
        1,
        "copies more than 200,000 things",
    ),
    "layers that share a long table": (inert(shared_table(1001, 3)), 1, "shares its"),
    "stack that is empty": (inert(b"0"), 1, "damaged"),
    "mark that is missing": (inert(b"t"), 1, "damaged"),
    "nothing at all": (inert(b""), 1, "more than one object"),
}


def in_zip(make: Callable[[Path], bytes], *, protocol: int = 2) -> Callable:
    def write(path: Path, canary: Path) -> None:
        content = b"\x80" + bytes([protocol]) + make(canary) + b"."
        torch_zip(path, content, data={"0": FOUR})

    return write


def legacy(value: bytes, keys: object = ("0",), count: int = 4) -> Callable:
    """A file in the format of before 1.6, with a pickle of one's own."""

    def write(path: Path, canary: Path) -> None:
        head = LEGACY.getvalue()
        start = head.index(b".", head.index(b"protocol")) + 1
        path.write_bytes(
            head[:start]
            + b"\x80\x02"
            + value
            + b"."
            + pickle.dumps(list(keys) if isinstance(keys, tuple) else keys, 2)
            + struct.pack("<q", count)
            + FOUR
        )

    return write


def objects(value: Callable[[Path], object], kind: str) -> Callable:
    return lambda path, canary: save(value(canary), path, kind)


GOOD = entry("fc.weight", tensor())

PICKLES: dict[str, tuple[Callable[[Path, Path], object], int, str]] = {
    **{f"code by {n}": (in_zip(x), code, said) for n, (x, code, said) in CODE.items()},
    **{f"bomb of {n}": (in_zip(x), code, said) for n, (x, code, said) in BOMBS.items()},
    **{
        f"tensor with {name}": (in_zip(inert(entry("fc.weight", content))), 1, said)
        for name, (content, said) in TENSORS.items()
    },
    "code in the legacy format": (
        objects(lambda canary: Reduced(os.system, command(canary)), "legacy"),
        3,
        "'posix.system'",
    ),
    "code of protocol 0": (
        in_zip(lambda canary: pickle.dumps(Reduced(exec, code(canary)), 0)[:-1]),
        3,
        "'builtins.exec'",
    ),
    "legacy count too large": (legacy(GOOD, count=2**62), 1, "of another size"),
    "legacy count below 0": (legacy(GOOD, count=-4), 1, "of another size"),
    "legacy keys twice": (legacy(GOOD, keys=("0", "0")), 1, "cut off"),
    "legacy keys unknown": (legacy(GOOD, keys=("1",)), 1, "damaged"),
    "legacy keys missing": (legacy(GOOD, keys=()), 1, "are not in it"),
    "legacy keys no list": (legacy(GOOD, keys=3), 1, "damaged"),
    "pickle beside torch": (
        lambda path, canary: path.write_bytes(
            pickle.dumps(Reduced(os.system, command(canary)))
        ),
        3,
        "torch.save did not write",
    ),
}


def cut(content: bytes, share: float) -> Callable[[Path, Path], object]:
    return lambda path, canary: path.write_bytes(content[: int(len(content) * share)])


def _saved(*, legacy: bool) -> bytes:
    file = io.BytesIO()
    state = {"a.weight": torch.ones(40, 30), "b.weight": torch.ones(2, 40)}
    torch.save(state, file, _use_new_zipfile_serialization=not legacy)
    return file.getvalue()


for _share in (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.999):
    for _kind in ("zip", "legacy"):
        PICKLES[f"{_kind} cut at {_share:.1%}"] = (
            cut(_saved(legacy=_kind == "legacy"), _share),
            1,
            " again",
        )
