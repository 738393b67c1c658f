"""State dicts and whole models that no program of torch would have saved."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hostile_pickles import in_zip, inert
from model_files import network, save
from opcodes import (
    EMPTY_PARTS,
    LINEAR,
    RELU,
    SEQUENTIAL,
    built,
    entry,
    named,
    number,
    numbers,
    parameter,
    table,
    tensor,
    text,
)
from torch import nn

Maker = Callable[[Path, Path], object]

TWO = torch.ones(2, 2)


def changed(model: nn.Module, **attributes: Any) -> nn.Module:
    """A model with attributes set behind its back."""
    model.__dict__.update(attributes)
    return model


def within(model: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(2, 2), model)


def odd_hook() -> nn.Module:
    model = network()
    model[0]._forward_hooks[0] = print  # type: ignore[assignment]
    return model


def resized(layer: nn.Linear) -> nn.Module:
    layer.weight = nn.Parameter(torch.ones(7, 7))
    return layer


def layer(name: str, parts: dict[str, bytes] | None = None, **more: bytes) -> bytes:
    return built(name, table(**{**EMPTY_PARTS, **(parts or {})}, **more))


def recurrent(**attributes: bytes) -> bytes:
    """An LSTM without weights, as its attributes say."""
    sizes: dict[str, bytes] = {
        "input_size": b"K\x01",
        "hidden_size": b"K\x01",
        "num_layers": b"K\x01",
    }
    told = {"mode": text("LSTM"), "_flat_weights_names": b"]", "_all_weights": b"]"}
    entries = table(**{**EMPTY_PARTS, **sizes, **told, **attributes})
    return built("torch.nn.modules.rnn.LSTM", entries)


UNSOUND = "weights must fit the numbers"
FILL = "fc.weight"

# What `torch.save` gets to save, and what is said.
STATES: dict[str, tuple[Callable[[], object], str]] = {
    "nothing": (dict, "an empty dict"),
    "a number": (lambda: 3, "holds a int"),
    "a tensor": (lambda: TWO, "holds a Tensor"),
    "a list": (lambda: [TWO], "holds a list"),
    "a text": (lambda: "x" * 10**5, "holds a str"),
    "an optimizer": (
        lambda: torch.optim.Adam(network().parameters()).state_dict(),
        "also holds 'state', 'param_groups'",
    ),
    "an array": (lambda: {FILL: np.ones((2, 2))}, "also holds 'fc.weight'"),
    "objects": (lambda: {FILL: np.array([{}, None])}, "also holds 'fc.weight'"),
    "nones": (lambda: {FILL: None, "a": TWO}, "also holds 'fc.weight'"),
    "lists": (lambda: {FILL: [1, 2], "a": TWO}, "also holds 'fc.weight'"),
    "numbers as names": (lambda: {1: TWO}, "names that are no text"),
    "tuples as names": (lambda: {(1, 2): TWO}, "names that are no text"),
    "two models": (
        lambda: {"netG": {FILL: TWO}, "netD": {FILL: TWO.clone()}},
        "this one holds 'netG', 'netD'. Name one of them with --key",
    ),
    "whole numbers": (lambda: {FILL: TWO.int()}, "is torch.int32"),
    "complex numbers": (lambda: {FILL: TWO.to(torch.complex64)}, "is torch.complex64"),
    "eight bits": (
        lambda: {FILL: TWO.to(torch.float8_e4m3fn)},
        "is torch.float8_e4m3fn",
    ),
    "sparse": (lambda: {FILL: TWO.to_sparse_coo()}, "sparse (use .to_dense())"),
    "meta": (lambda: {FILL: TWO.to("meta")}, "without data"),
    "expanded": (lambda: {FILL: torch.ones(1).expand(9, 9)}, "an expanded view"),
    "no number": (lambda: {FILL: TWO * torch.nan}, "NaN or infinity"),
    "infinity": (lambda: {FILL: TWO / 0}, "NaN or infinity"),
    "zero size": (lambda: {FILL: torch.ones(0, 2)}, "has the shape (0, 2)"),
    "one number": (lambda: {FILL: torch.tensor(3.0), "a": TWO}, "is 0-D"),
    "layers that do not fit": (
        lambda: {"a.weight": torch.ones(3, 2), "b.weight": torch.ones(2, 4)},
        "'a' (2 to 3 units) is followed by 'b' (4 to 2 units)",
    ),
    "a convolution": (lambda: {"c.weight": torch.ones(1, 1, 3, 3)}, "--model"),
    "a batch norm": (nn.BatchNorm1d(2).state_dict, "--model pkg.mod:factory"),
    "half a pair": (lambda: {"fc.weight_orig": TWO}, "'fc.weight_mask' is missing"),
    "pair of two shapes": (
        lambda: {"fc.weight_orig": TWO, "fc.weight_mask": torch.ones(3)},
        "one shape",
    ),
    "two names in one": (
        lambda: {"_orig_mod.a.weight": TWO, "a.weight": TWO},
        "no two may be one",
    ),
    "prefix alone": (lambda: {"module.": TWO}, "more than a wrapper's prefix"),
    "no name": (lambda: {"": TWO}, "must be more than"),
    "dots": (lambda: {"a..b.weight": TWO}, "'a..b' is taken"),
    "many dots": (lambda: {"a." * 5000 + "weight": TWO}, "is longer"),
    "dunder": (lambda: {"__class__.weight": TWO}, "is taken by another layer or by"),
    "method's name": (lambda: {"forward.weight": TWO}, "'forward' is taken"),
    "escapes": (lambda: {"\x1b[31mred\x1b]0;x\a.weight": TWO}, r"'\x1b[31mred\x1b]0;x"),
    "newlines": (lambda: {"a\r\nsculpt: fine.weight": TWO}, r"'a\r\nsculpt: fine'"),
    "text that turns": (lambda: {"a\u202eb\u2066.weight": TWO}, r"'a\u202eb\u2066'"),
    "lone surrogate": (lambda: {"a\ud800.weight": TWO}, r"'a\ud800'"),
    "long name": (lambda: {"x" * 10**6 + ".weight": TWO}, "xxx'..."),
}

# Whole models, saved by torch after tampering.
MODELS: dict[str, tuple[Callable[[], object], str]] = {
    "a hook": (odd_hook, "'0' has one in '_forward_hooks'"),
    "forward of its own": (
        lambda: changed(nn.ReLU(), forward=nn.functional.relu), "'forward' hides"
    ),
    "call of its own": (
        lambda: changed(nn.ReLU(), _call_impl=nn.functional.relu), "hides a method"
    ),
    "mode of its own": (lambda: changed(nn.ReLU(), training=2), "neither training nor"),
    "weight beside the weight": (
        lambda: changed(nn.Linear(2, 2), weight=TWO), "'weight' hides a weight"
    ),
    "width below 0": (lambda: changed(nn.Linear(2, 2), in_features=-2), UNSOUND),
    "width of 2**60": (lambda: changed(nn.Linear(2, 2), in_features=2**60), UNSOUND),
    "width as text": (lambda: changed(nn.Linear(2, 2), in_features="2"), UNSOUND),
    "another width": (lambda: changed(nn.Linear(2, 2), out_features=3), UNSOUND),
    "another weight": (lambda: resized(nn.Linear(2, 2)), UNSOUND),
    "no groups": (lambda: changed(nn.Conv2d(2, 2, 1), groups=0), UNSOUND),
    "groups that do not divide": (
        lambda: changed(nn.Conv2d(2, 2, 1), groups=3), UNSOUND
    ),
    "kernel of another size": (
        lambda: changed(nn.Conv2d(2, 2, 1), kernel_size=(3, 3)), UNSOUND
    ),
    "no heads": (
        lambda: changed(nn.MultiheadAttention(4, 2), num_heads=0), UNSOUND
    ),
    "norm of another size": (
        lambda: changed(nn.BatchNorm1d(2), num_features=3), UNSOUND
    ),
    "wider words": (lambda: changed(nn.Embedding(3, 2), embedding_dim=5), UNSOUND),
    "endless recurrence": (
        lambda: changed(nn.LSTM(2, 2), num_layers=2**30), UNSOUND
    ),
    "two directions": (lambda: changed(nn.LSTM(2, 2), bidirectional=True), UNSOUND),
    "drop of everything": (lambda: changed(nn.Dropout(), p=7.0), UNSOUND),
    "whole numbers": (
        lambda: changed(nn.PReLU(), _parameters={"weight": nn.Parameter(
            torch.ones(1, dtype=torch.int8), requires_grad=False)}),
        "is torch.int8",
    ),
    "no numbers": (
        lambda: changed(nn.PReLU(), _parameters={"weight": nn.Parameter(
            torch.tensor([torch.nan]))}),
        "NaN or infinity",
    ),
    "dotted child": (
        lambda: changed(nn.Sequential(), _modules={"a.b": nn.ReLU()}), "'a.b'"
    ),
    "child of escapes": (
        lambda: changed(nn.Sequential(), _modules={"\x1b[2J": nn.ReLU()}),
        r"'\x1b[2J'",
    ),
    "child that is none": (
        lambda: changed(nn.Sequential(), _modules={"a": TWO}), "holds a Tensor"
    ),
    "an array": (lambda: changed(nn.ReLU(), x=np.ones(2)), "_reconstruct"),
    "lazy layer": (lambda: nn.LazyLinear(2), "LazyLinear"),
}  # fmt: skip

# Whole models, written by hand.
RECORDS: dict[str, tuple[bytes, int, str]] = {
    "own class": (
        layer("own.Net"), 3, "add --allow own.Net; else build the model in your own"
    ),
    "own class in torch": (layer("torch.nn.modules.linear.Evil"), 3, "linear.Evil'"),
    "own class of escapes": (layer("own.\x1b[31mNet"), 3, r"'own.\x1b[31mNet'"),
    "thousand classes": (
        built(SEQUENTIAL, table(**{
            **EMPTY_PARTS,
            "_modules": table(**{f"m{i}": layer(f"own{i}.Net") for i in range(1000)}),
        })),
        3,
        "and 994 more. Nothing was run. If you trust the code of these classes, add "
        "--allow CLASS; else",
    ),
    "layer without parts": (built(RELU, b"}"), 1, "holds an empty dict"),
    "layer without a mode": (
        built(RELU, table(_parameters=b"}", _buffers=b"}", _modules=b"}")),
        1,
        "neither training nor",
    ),
    "layer without state": (named(RELU) + b")\x81", 1, "holds a 'torch.nn"),
    "name of a layer": (named(RELU), 1, "holds a Name"),
    "parts that are lists": (
        layer(RELU, {"_parameters": b"]"}), 1, "without _parameters"
    ),
    "layer in itself": (
        named(RELU) + b")\x81q\x01"
        + table(**{**EMPTY_PARTS, "_modules": table(child=b"h\x01")}) + b"b",
        1,
        "contains itself",
    ),
    "shape of a weight": (
        layer(
            LINEAR,
            {"_parameters": table(weight=parameter(4, 1), bias=b"N")},
            in_features=b"K\x02",
            out_features=b"K\x02",
        ),
        1,
        UNSOUND,
    ),
    "attributes without names": (
        built(RELU, b"}(K\x01N" + text("_modules") + b"}u"), 1, "that have no name"
    ),
    "wrapper of nothing": (
        layer("torch.nn.parallel.data_parallel.DataParallel"), 1, "around no model"
    ),
    "wrapper in itself": (
        named("torch.nn.parallel.data_parallel.DataParallel") + b")\x81q\x01"
        + table(**{**EMPTY_PARTS, "_modules": table(module=b"h\x01")}) + b"b",
        1,
        "wraps itself",
    ),
    "recurrence without weights": (recurrent(), 1, "LSTM rejects"),
    "recurrence without size": (recurrent(num_layers=number(2**40)), 1, "LSTM rejects"),
    "list of passing buffers": (
        layer(RELU, _non_persistent_buffers_set=b"]"), 1, "is no set"
    ),
    "activation that is none": (
        layer(RELU, x=named("torch.nn.functional.rrelu")), 1, "is no activation"
    ),
    "weight that is not learned": (
        layer(RELU, {"_parameters": entry("weight", tensor())}), 1, "holds a Tensor"
    ),
    "part of another call": (
        layer(RELU, x=built("functools.partial", b"N")), 1, "'functools.partial'"
    ),
    "weight of a negative shape": (
        layer(LINEAR, {"_parameters": entry("weight", tensor(shape=numbers(-1)))}),
        1,
        "whole numbers",
    ),
}  # fmt: skip


def saved(make: Callable[[], object], kind: str = "zip") -> Maker:
    return lambda path, _: save(make(), path, kind)


ALL: dict[str, tuple[Maker, int, str]] = {
    **{f"state of {n}": (saved(make), 1, said) for n, (make, said) in STATES.items()},
    **{
        f"model with {name}": (
            saved(make), 3 if name in ("a hook", "an array", "lazy layer") else 1, said
        )
        for name, (make, said) in MODELS.items()
    },
    **{
        f"record of {name}": (in_zip(inert(content)), code, said)
        for name, (content, code, said) in RECORDS.items()
    },
}  # fmt: skip
