"""Opening model files: what opens, and what a user's own code adds."""

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from model_files import network, refusal, save
from torch import nn
from torch.nn.utils import prune

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.loading import from_factory, load_model


class OwnNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.last = nn.Linear(4, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.first(inputs)))


@pytest.fixture
def own_module(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """A user's module, importable by name."""
    module = types.ModuleType("owner_code")
    for name, value in {
        "OwnNet": OwnNet,
        "number": 3,
        "wrong": dict,
        "failing": lambda: 1 / 0,
        "wider": lambda: nn.Sequential(nn.Linear(3, 5)),
    }.items():
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "owner_code", module)
    monkeypatch.setattr(OwnNet, "__module__", "owner_code")
    yield module


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("suffix", ["pt", "safetensors", "txt"])
def test_state_dict_opens_whatever_the_suffix(
    tmp_path: Path, kind: str, suffix: str
) -> None:
    original = network()
    path = save(original.state_dict(), tmp_path / f"model.{suffix}", kind)
    loaded = load_model(path)
    inputs = torch.randn(5, 3)
    torch.testing.assert_close(loaded.model(inputs), original(inputs), rtol=0, atol=0)
    assert (loaded.input_shape, loaded.origin) == ((1, 3), "state dict")


def test_checkpoint_with_wrapping_and_prefixes_opens(tmp_path: Path) -> None:
    state = {f"module._orig_mod.{k}": v for k, v in network().state_dict().items()}
    path = save({"epoch": 3, "state_dict": state}, tmp_path / "model.pt")
    assert dict(load_model(path).model.named_modules()).keys() >= {"0", "2"}


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
@pytest.mark.parametrize("kind", ["zip", "legacy"])
@pytest.mark.parametrize("pruned", [False, True])
def test_pickled_torch_model_opens(tmp_path: Path, pruned: bool, kind: str) -> None:
    original = network()
    if pruned:
        prune.random_unstructured(original[0], "weight", amount=0.5)
        prune.l1_unstructured(original[0], "weight", amount=0.2)
        prune.ln_structured(original[2], "weight", amount=0.5, n=2, dim=0)
    inputs = torch.randn(5, 3)
    expected = original(inputs)
    loaded = load_model(save(original, tmp_path / "model.pt", kind))
    torch.testing.assert_close(loaded.model(inputs), expected, rtol=0, atol=0)
    assert (loaded.input_shape, loaded.origin) == ((1, 3), "pickled model")
    names = {name for name, _ in loaded.model.named_parameters()}
    assert names == {"0.weight", "0.bias", "2.weight", "2.bias"}


def test_allowed_class_opens(tmp_path: Path, own_module: types.ModuleType) -> None:
    original = OwnNet()
    path = save(original, tmp_path / "model.pt")
    loaded = load_model(path, allow=["owner_code.OwnNet"])
    inputs = torch.randn(2, 3)
    torch.testing.assert_close(loaded.model(inputs), original(inputs))
    assert loaded.input_shape is None


@pytest.mark.usefixtures("own_module")
def test_unsafe_load_opens_any_class(tmp_path: Path) -> None:
    path = save(OwnNet(), tmp_path / "model.pt")
    assert isinstance(load_model(path, unsafe=True).model, OwnNet)


@pytest.mark.usefixtures("own_module")
@pytest.mark.parametrize("whole", [False, True])
def test_factory_takes_the_weights_of_a_file(tmp_path: Path, whole: bool) -> None:
    original = OwnNet()
    path = save(original if whole else original.state_dict(), tmp_path / "model.pt")
    loaded = from_factory("owner_code:OwnNet", state_path=path)
    inputs = torch.randn(2, 3)
    torch.testing.assert_close(loaded.model(inputs), original(inputs), rtol=0, atol=0)
    assert loaded.origin == "factory"


@pytest.mark.usefixtures("own_module")
def test_factory_takes_pruned_weights_of_a_pickled_model(tmp_path: Path) -> None:
    original = OwnNet()
    prune.l1_unstructured(original.first, "weight", amount=0.5)
    path = save(original, tmp_path / "model.pt")
    loaded = from_factory("owner_code:OwnNet", state_path=path)
    inputs = torch.randn(2, 3)
    torch.testing.assert_close(loaded.model(inputs), original(inputs), rtol=0, atol=0)


@pytest.mark.usefixtures("own_module")
def test_program_that_lists_a_real_class_gets_no_object_of_it_made(
    tmp_path: Path,
) -> None:
    path = save(OwnNet(), tmp_path / "model.pt")
    with torch.serialization.safe_globals([OwnNet]):
        assert "'owner_code.OwnNet'" in refusal(path)
        assert OwnNet in torch.serialization.get_safe_globals()


STATES = {
    "number": (3, "holds a int"),
    "nothing": ({}, "an empty dict"),
    "text inside": ({"fc.weight": torch.ones(2, 2), "epoch": 3}, "also holds 'epoch'"),
    "numbered": ({1: torch.ones(2, 2)}, "names that are no text"),
    "tensor": (torch.ones(2, 2), "holds a Tensor"),
    "integers": ({"fc.weight": torch.ones(2, 2, dtype=torch.int8)}, "torch.int8"),
    "meta": ({"fc.weight": torch.ones(2, 2, device="meta")}, "without data"),
    "expanded": ({"fc.weight": torch.ones(1).expand(10**5, 10**5)}, "expanded view"),
    "sparse": ({"fc.weight": torch.eye(2).to_sparse()}, "use .to_dense()"),
    "conv": ({"conv1.weight": torch.ones(4, 3, 2, 2)}, "'conv1.weight' is 4-D"),
    "norm": (nn.BatchNorm1d(3).state_dict(prefix="bn."), "'bn.weight' is 1-D"),
    "mismatch": (
        {"a.weight": torch.ones(3, 2), "b.weight": torch.ones(2, 4)},
        "'a' (2 to 3 units) is followed by 'b' (4 to 2 units)",
    ),
    "control characters": (
        {"\x1b[31m\u202e.weight": torch.ones(2, 2, 2)},
        r"'\x1b[31m\u202e.weight' is 3-D",
    ),
    "long name": ({"x" * 10**5: torch.ones(2, 2)}, "xxx'..."),
}


@pytest.mark.filterwarnings("ignore:.*Sparse invariant")
@pytest.mark.parametrize("state, said", STATES.values(), ids=STATES.keys())
def test_state_that_is_no_chain_is_refused_by_name(
    tmp_path: Path, state: Any, said: str
) -> None:
    path = save(state, tmp_path / "model.pt")
    text = refusal(path)
    assert said in text
    assert text.startswith(str(path))


@pytest.mark.filterwarnings("ignore")
def test_quantised_weights_are_refused_by_name(tmp_path: Path) -> None:
    weight = torch.quantize_per_tensor(torch.ones(2, 2), 1.0, 0, torch.qint8)
    path = save({"fc.weight": weight}, tmp_path / "model.pt")
    assert "'fc.weight' must be a dense tensor, but is quantised" in refusal(path)


@pytest.mark.usefixtures("own_module")
@pytest.mark.parametrize(
    "name, said",
    [
        ("builtins.eval", "takes classes derived from nn.Module"),
        ("owner_code.wrong", "takes classes derived from nn.Module"),
        ("owner_code.Absent", "has no 'Absent'"),
        ("absent_package.Net", "failed (ModuleNotFoundError"),
        ("Net", "must name a class, as pkg.mod.Class, or a module that can be"),
        ("../Net", "must name something in a module"),
    ],
)
def test_name_that_cannot_be_allowed_says_why(
    tmp_path: Path, name: str, said: str
) -> None:
    assert said in refusal(tmp_path / "model.pt", allow=[name])


@pytest.mark.usefixtures("own_module")
@pytest.mark.parametrize(
    "spec, said",
    [
        ("absent_package:net", "failed (ModuleNotFoundError"),
        ("owner_code", "must name something in a module"),
        ("owner_code:absent", "has no 'absent'"),
        ("owner_code:number", "names a int. Name a callable"),
        ("owner_code:wrong", "returned a dict. Return the model"),
        ("owner_code:failing", "raised ZeroDivisionError"),
    ],
)
def test_factory_that_builds_no_model_says_why(spec: str, said: str) -> None:
    with pytest.raises(LoadingError) as caught:
        from_factory(spec)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.usefixtures("own_module")
def test_weights_that_do_not_fit_a_factory_are_summed_up(tmp_path: Path) -> None:
    path = save(network().state_dict(), tmp_path / "model.pt")
    with pytest.raises(LoadingError) as caught:
        from_factory("owner_code:wider", state_path=path)
    text = str(caught.value)
    assert "the file has too much: '2.weight', '2.bias'; has '0.weight' with" in text
    assert "'0.bias' with [4] where [5] fits. Let the factory build" in text
