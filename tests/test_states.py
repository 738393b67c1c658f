"""State dicts found in checkpoints and made plain."""

from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.checkpoints import chosen
from sculpt_plugin.files.states import plain_state, tensors_of

ONE = torch.ones(1)


@pytest.mark.parametrize(
    "key", ["state_dict", "model_state_dict", "model", "model_state"]
)
def test_state_is_found_in_a_checkpoint(key: str) -> None:
    assert chosen({"epoch": 1, key: {"a.weight": ONE}}) == {"a.weight": ONE}


def test_layer_that_is_named_model_is_no_wrapping() -> None:
    assert chosen({"model": ONE}) == {"model": ONE}


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module."])
def test_wrapper_prefixes_are_dropped_where_all_names_have_them(prefix: str) -> None:
    state = {f"{prefix}a.weight": ONE, f"{prefix}b.weight": ONE}
    assert list(plain_state(state)) == ["a.weight", "b.weight"]


def test_module_that_is_named_module_keeps_its_name_beside_others() -> None:
    state = {"module.weight": ONE, "b.weight": ONE}
    assert list(plain_state(state)) == ["module.weight", "b.weight"]


def test_pruned_pairs_become_what_torch_makes_permanent() -> None:
    layer = nn.Linear(5, 4)
    prune.random_unstructured(layer, "weight", amount=0.5)
    prune.random_unstructured(layer, "bias", amount=0.5)
    folded = plain_state(layer.state_dict())
    prune.remove(layer, "weight")
    prune.remove(layer, "bias")
    expected = layer.state_dict()
    assert folded.keys() == expected.keys()
    assert all(torch.equal(folded[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    "state, said",
    [
        ({"a.weight_orig": ONE}, "'a.weight_mask' is missing"),
        ({"a.bias_mask": ONE}, "'a.bias_orig' is missing"),
        ({"a.weight_orig": ONE, "a.weight_mask": torch.ones(2)}, "must have one shape"),
        ({"module.": ONE}, "must be more than"),
    ],
)
def test_broken_pair_or_name_is_refused(
    state: dict[str, torch.Tensor], said: str
) -> None:
    with pytest.raises(LoadingError, match=said):
        plain_state(state)


def test_model_gives_its_own_state() -> None:
    model = nn.Linear(2, 1)
    assert tensors_of(model).keys() == model.state_dict().keys()


def test_containers_that_hide_their_methods_do_no_harm() -> None:
    # A pickle can give both any attribute, named like what a reader calls.
    tensor: Any = torch.ones(2, 2)
    tensor.detach = tensor.numel = tensor.contiguous = 3
    state: Any = OrderedDict({"fc.weight": tensor})
    state.items = state.keys = 3
    found = tensors_of(chosen(state))
    assert found["fc.weight"].detach().tolist() == [[1.0, 1.0], [1.0, 1.0]]
