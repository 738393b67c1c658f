"""Linear and ReLU chains inferred from names and shapes."""

import random

import pytest
import torch
from torch import nn

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.chains import chain


def state(*layers: tuple[str, int, int]) -> dict[str, torch.Tensor]:
    """Weights of named layers, each with its numbers of inputs and outputs."""
    return {
        f"{name}.weight".removeprefix("."): torch.randn(later, earlier)
        for name, earlier, later in layers
    }


def linear_names(model: nn.Module) -> list[str]:
    return [name for name, part in model.named_modules() if type(part) is nn.Linear]


@pytest.mark.parametrize(
    "names",
    [
        ["fc1", "fc2", "fc3"],
        ["net.0", "net.2", "net.4"],
        ["0", "1", "2"],
        ["encoder.layers.0", "encoder.layers.1", "head"],
        ["a", "a_relu", "a_relu_"],
        ["class", "my-layer", "größe 3"],
        ["0", "10", "1"],
    ],
)
def test_layers_keep_their_names_and_order(names: list[str]) -> None:
    sizes = zip(names, (2, 3, 4), (3, 4, 5), strict=True)
    weights = state(*sizes)
    model = chain(weights)
    assert linear_names(model) == names
    hidden = inputs = torch.randn(6, 2)
    for index, weight in enumerate(weights.values()):
        hidden = hidden @ weight.T
        hidden = hidden.relu() if index < 2 else hidden
    torch.testing.assert_close(model(inputs), hidden)


def test_relu_takes_the_free_number_between_two_layers() -> None:
    model = chain(state(("net.0", 2, 3), ("net.2", 3, 1)))
    assert isinstance(dict(model.named_modules())["net.1"], nn.ReLU)


def test_lone_nameless_layer_gets_a_name() -> None:
    assert linear_names(chain(state(("", 2, 3)))) == ["linear"]


def test_biases_belong_to_their_layers_wherever_they_stand() -> None:
    biases = {"b.bias": torch.tensor([5.0]), "a.bias": torch.tensor([1.0, 2.0])}
    weights = {"a.weight": torch.zeros(2, 2), "b.weight": torch.ones(1, 2)}
    assert chain({**biases, **weights})(torch.ones(1, 2)).tolist() == [[8.0]]


def test_mixed_dtypes_become_the_widest() -> None:
    weights = state(("a", 2, 3), ("b", 3, 1))
    weights["b.weight"] = weights["b.weight"].double() * 1e-60
    model = chain(weights)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float64}
    assert torch.equal(model[-1].weight, weights["b.weight"])


def test_chain_shares_no_memory_with_the_state() -> None:
    weights = state(("a", 2, 3))
    chain(weights)[0].weight.data.zero_()
    assert weights["a.weight"].all()


def test_sorted_names_are_put_in_order_by_number() -> None:
    weights = state(*((f"net.{index}", 2, 2) for index in range(12)))
    shuffled = dict(sorted(weights.items()))
    assert list(shuffled) != list(weights)
    model = chain(shuffled, in_order=False)
    assert linear_names(model) == [f"net.{index}" for index in range(12)]


def test_sorted_names_without_numbers_are_put_in_order_by_shape() -> None:
    layers = [("input", 7, 5), ("hidden", 5, 3), ("output", 3, 5)]
    random.shuffle(layers)
    with pytest.raises(LoadingError, match="leave it open"):
        chain(state(*layers, ("more", 3, 2)), in_order=False)
    model = chain(state(*layers), in_order=False)
    assert linear_names(model) == ["input", "hidden", "output"]


@pytest.mark.parametrize(
    "layers, said",
    [
        ([("a", 2, 3), ("b", 4, 1)], r"'a' \(2 to 3 units\) is followed by 'b' \(4 to"),
        ([("a", 2, 3), ("a.b", 3, 1)], "'a.b' is taken"),
        ([("a.b", 2, 3), ("a", 3, 1)], "'a' is taken"),
        ([("forward", 2, 3)], "'forward' is taken"),
        ([("a..b", 2, 3)], "'a..b' is taken"),
        ([(".".join("a" * 400), 2, 3)], "is taken"),
        ([("a.x", 2, 3), ("b.x", 3, 3), ("a.y", 3, 1)], "'a.y' comes after layers of"),
        ([("a", 0, 3)], r"has the shape \(3, 0\)"),
        ([], "holds nothing"),
    ],
)
def test_what_makes_no_chain_is_refused_by_name(
    layers: list[tuple[str, int, int]], said: str
) -> None:
    with pytest.raises(LoadingError, match=said):
        chain(state(*layers))


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("a.bias", torch.ones(4), "must have 3 numbers, but has the shape"),
        ("bn.running_mean", torch.ones(3), "'bn.running_mean' belongs to a BatchNorm"),
        ("norm.weight", torch.ones(3), "'norm.weight' is 1-D"),
        ("conv.weight", torch.ones(3, 3, 1), "'conv.weight' is 3-D, as in a Conv1d"),
        ("attention.in_proj_weight", torch.ones(9, 3), "is neither weight nor bias"),
        ("c.bias", torch.ones(3), "'c.bias' is neither weight nor bias of one"),
        ("b.weight", torch.ones(1, 3).int(), "of 16 to 64 bits, but 'b.weight'"),
    ],
)
def test_other_layers_are_refused_by_name(
    name: str, value: torch.Tensor, said: str
) -> None:
    with pytest.raises(LoadingError, match=said):
        chain({**state(("a", 2, 3)), name: value})
