"""Hostile pickles: none runs, each is refused in one line."""

import os
import pickle
import runpy
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from model_files import LEGACY, Reduced, network, refusal, save, torch_zip
from opcodes import EMPTY_PARTS, LINEAR, RELU, built, called, named, table, text
from torch import nn

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.pickles import read_pickle
from sculpt_plugin.files.unpickling import Record
from sculpt_plugin.loading import from_factory, load_model

ENVIRONMENT = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


@pytest.fixture(autouse=True, params=["0", "1"], ids=["", "forced"])
def environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(ENVIRONMENT, request.param)


def with_attribute(value: object) -> nn.Module:
    model = network()
    model.__dict__["extra"] = value
    return model


def with_hook(hook: Any) -> nn.Module:
    model = network()
    model[0]._forward_hooks[0] = hook
    return model


def code(canary: Path) -> str:
    return f"open({str(canary)!r}, 'w').close()"


def command(canary: Path) -> str:
    return f"touch {canary}"


def nested(canary: Path) -> bytes:
    return pickle.dumps(Reduced(os.system, command(canary)))


def script(canary: Path) -> str:
    path = canary.with_name("script.py")
    path.write_text(code(canary))
    return str(path)


# Each, unpickled without a guard, leaves a file behind.
PAYLOADS: dict[str, Callable[[Path], Any]] = {
    "os.system": lambda canary: Reduced(os.system, command(canary)),
    "eval": lambda canary: Reduced(eval, code(canary)),
    "exec": lambda canary: Reduced(exec, code(canary)),
    "open": lambda canary: Reduced(open, str(canary), "w"),
    "subprocess": lambda canary: Reduced(subprocess.call, ["touch", str(canary)]),
    "runpy": lambda canary: Reduced(runpy.run_path, script(canary)),
    "pickle.loads": lambda canary: Reduced(pickle.loads, nested(canary)),
    "torch.save": lambda canary: Reduced(torch.save, [1], str(canary)),
    "np.save": lambda canary: Reduced(np.savetxt, str(canary), [1.0]),
    "beside weights": lambda canary: {
        "fc.weight": torch.ones(2, 2),
        "extra": Reduced(os.system, command(canary)),
    },
    "in a layer": lambda canary: with_attribute(Reduced(exec, code(canary))),
    "in a hook": lambda canary: with_hook(Reduced(exec, code(canary))),
}


# Written instruction by instruction.
HANDMADE: dict[str, Callable[[Path], bytes]] = {
    "posix": lambda canary: called(named("posix.system"), text(command(canary))),
    "python 2 os": lambda canary: called(named("__builtin__.eval"), text(code(canary))),
    "protocol 4": lambda canary: pickle.dumps(Reduced(exec, code(canary)), 4),
    "getattr": lambda canary: called(
        called(named("builtins.getattr"), named("builtins.__import__"), text("x")),
        text(code(canary)),
    ),
    "partial": lambda canary: called(
        called(named("functools.partial"), named("builtins.eval")), text(code(canary))
    ),
    "layer as function": lambda canary: called(
        named(LINEAR), text(command(canary)), b"N"
    ),
    "calling a layer": lambda _: called(built(RELU, table(**EMPTY_PARTS)), b"N"),
    "setstate twice": lambda canary: (
        built(
            RELU, table(__setstate__=named("torch.nn.functional.relu"), **EMPTY_PARTS)
        )
        + text(command(canary))
        + b"b"
    ),
    "setstate in the state": lambda _: built(
        RELU, table(__setstate__=named(LINEAR), **EMPTY_PARTS)
    ),
    "forward hidden": lambda _: built(
        RELU, table(forward=named("torch.nn.functional.relu"), **EMPTY_PARTS)
    ),
    "call hidden": lambda _: built(
        RELU,
        table(_compiled_call_impl=named("torch.nn.functional.relu"), **EMPTY_PARTS),
    ),
    "hook that is a layer": lambda _: built(
        RELU,
        table(
            _forward_hooks=b"}K\x00" + built(RELU, table(**EMPTY_PARTS)) + b"s",
            **EMPTY_PARTS,
        ),
    ),
    "hook that is an activation": lambda _: built(
        RELU,
        table(
            _forward_pre_hooks=b"}K\x00" + named("torch.nn.functional.relu") + b"s",
            **EMPTY_PARTS,
        ),
    ),
    "pruning hook for another attribute": lambda _: built(
        RELU,
        table(
            _forward_pre_hooks=b"}K\x00"
            + built(
                "torch.nn.utils.prune.L1Unstructured",
                table(_tensor_name=text("__class__")),
            )
            + b"s",
            **EMPTY_PARTS,
        ),
    ),
    "layer without parts": lambda _: built(RELU, b"}"),
    "layer without state": lambda _: named(RELU) + b")\x81",
    "class alone": lambda _: named(RELU),
    "pruning method alone": lambda _: built(
        "torch.nn.utils.prune.CustomFromMask", table(_tensor_name=text("weight"))
    ),
    "child that is no layer": lambda _: built(
        RELU, table(**{**EMPTY_PARTS, "_modules": table(child=b"K\x01")})
    ),
    "child with a dotted name": lambda _: built(
        RELU, table(**{**EMPTY_PARTS, "_modules": table(**{"a.b": b"N"})})
    ),
    "layer in itself": lambda _: (
        named(RELU)
        + b")\x81q\x01"
        + table(**{**EMPTY_PARTS, "_modules": table(child=b"h\x01")})
        + b"b"
    ),
    "deep nest": lambda _: built(
        RELU, table(extra=b"]" * 5000 + b"a" * 4999, **EMPTY_PARTS)
    ),
    "dict in itself": lambda _: b"}q\x01" + text("state_dict") + b"h\x01s",
    "storage that is absent": lambda _: (
        b"("
        + text("storage")
        + named("torch.FloatStorage")
        + text("0")
        + text("cpu")
        + b"K\x04tQ"
    ),
    "lazy layer": lambda _: built("torch.nn.modules.linear.LazyLinear", b"}"),
    "name with control characters": lambda _: called(named("evil.\x1b[31m"), b"N"),
    "thousand names": lambda _: (
        b"(" + b"".join(named(f"evil.name{index}") for index in range(1000)) + b"t"
    ),
}


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A file that must not be there at the end."""
    path = tmp_path / "canary"
    yield path
    assert not path.exists()


@pytest.mark.parametrize("kind", ["zip", "legacy"])
@pytest.mark.parametrize("name", PAYLOADS)
def test_hostile_object_is_refused_and_never_runs(
    tmp_path: Path, canary: Path, name: str, kind: str
) -> None:
    text = refusal(save(PAYLOADS[name](canary), tmp_path / "model.pt", kind))
    assert "Nothing was run" in text
    assert "state dict" in text


@pytest.mark.parametrize("name", HANDMADE)
@pytest.mark.parametrize("legacy", [False, True])
def test_handmade_pickle_is_refused_and_never_runs(
    tmp_path: Path, canary: Path, name: str, legacy: bool
) -> None:
    content = b"\x80\x02" + HANDMADE[name](canary) + b"."
    path = torch_zip(tmp_path / "model.pt", content)
    if legacy:
        head = LEGACY.getvalue()
        start = head.index(b".", head.index(b"protocol")) + 1
        path.write_bytes(head[:start] + content + pickle.dumps([], 2))
    refusal(path)


@pytest.mark.parametrize("name", PAYLOADS)
def test_hostile_object_never_runs_when_a_factory_reads_it(
    tmp_path: Path, canary: Path, name: str
) -> None:
    path = save(PAYLOADS[name](canary), tmp_path / "model.pt")
    with pytest.raises(LoadingError):
        from_factory("torch.nn:Flatten", state_path=path)


# `open` leaves its file open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", PAYLOADS)
def test_payload_does_run_when_loaded_unsafely(tmp_path: Path, name: str) -> None:
    canary = tmp_path / "canary"
    path = save(PAYLOADS[name](canary), tmp_path / "model.pt")
    try:
        load_model(path, unsafe=True)
    except LoadingError as error:
        assert str(error).isprintable()
    assert canary.exists()


def test_refusal_names_what_no_model_needs(tmp_path: Path) -> None:
    path = save([Reduced(eval, "1"), Reduced(np.ones, 1)], tmp_path / "model.pt")
    text = refusal(path)
    assert "asks for 'builtins.eval', which no model needs" in text


def test_refusal_names_each_unknown_class_and_both_remedies(tmp_path: Path) -> None:
    state = table(extra=built("b.Other", b"}"), **EMPTY_PARTS)
    content = b"\x80\x02" + built("a.Net", state) + b"."
    text = refusal(torch_zip(tmp_path / "model.pt", content))
    assert "'a.Net', 'b.Other'" in text
    assert "--allow a.Net --allow b.Other" in text
    assert "--model pkg.mod:factory" in text


def test_own_class_saved_from_a_script_cannot_be_allowed(tmp_path: Path) -> None:
    content = b"\x80\x02" + built("__main__.Net", table(**EMPTY_PARTS)) + b"."
    text = refusal(torch_zip(tmp_path / "model.pt", content))
    assert "'__main__.Net'" in text
    assert "cannot be allowed" in text


def test_checkpoint_with_odd_objects_opens_without_making_any(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    checkpoint = {
        "state_dict": network().state_dict(),
        "hyper_parameters": Reduced(np.save, str(canary) + ".npy", [1]),
        "callbacks": {"best": torch.tensor(0.3), "path": tmp_path},
    }
    # numpy.save is known to write; an unknown function would be let stand.
    assert "numpy.save" in refusal(save(checkpoint, tmp_path / "model.pt"))
    checkpoint["hyper_parameters"] = Reduced(np.ones, 3)
    load_model(save(checkpoint, tmp_path / "model.pt"))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_binary_pickle_protocol_opens(tmp_path: Path, protocol: int) -> None:
    state = network().state_dict()
    torch.save(state, tmp_path / "m.pt", pickle_protocol=protocol)
    model: Any = load_model(tmp_path / "m.pt").model
    assert torch.equal(model[2].weight, state["2.weight"])


def test_names_and_record_take_the_place_of_objects(tmp_path: Path) -> None:
    path = save([nn.ReLU(), Reduced(np.ones, 1)], tmp_path / "model.pt")
    pickled: Any = read_pickle(path)
    relu, ones = pickled.value
    assert isinstance(relu, Record)
    assert relu.path == "torch.nn.modules.activation.ReLU"
    assert (ones.path, ones.arguments) == ("numpy.ones", (1,))
    assert {relu.path, "numpy.ones"} <= set(pickled.names)


def test_views_that_share_numbers_too_often_are_refused(tmp_path: Path) -> None:
    """A small file could describe more tensors than fit the memory."""
    whole = torch.ones(300, 300)
    tied = {f"{index}.weight": whole for index in range(30)}
    assert load_model(save(tied, tmp_path / "model.pt"))
    tied |= {f"{index}.weight": whole for index in range(40)}
    assert "more than 32 times" in refusal(save(tied, tmp_path / "model.pt"))
