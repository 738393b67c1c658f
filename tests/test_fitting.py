"""Weights from a file put into a model that the user has built."""

from typing import Any

import model_files
import pytest
import torch
from torch import nn

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.fitting import fill


def network() -> Any:
    """Indexed by layer, which a type checker does not follow."""
    return model_files.network()


def prefixed(prefix: str, model: nn.Module) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": x for name, x in model.state_dict().items()}


@pytest.mark.parametrize(
    "prefix",
    [
        "", "module.", "_orig_mod.", "model.", "net.", "module._orig_mod.model.",
        "model._orig_mod.", "_orig_mod.module.backbone.net.",
    ],
)  # fmt: skip
def test_prefix_is_told_from_the_names_that_the_model_has(prefix: str) -> None:
    model, saved = network(), network()
    fill(model, {"state_dict": prefixed(prefix, saved)})
    assert torch.equal(model[2].weight, saved[2].weight)


def test_what_lies_beside_the_prefix_is_left_out() -> None:
    model, saved = network(), network()
    fill(model, {**prefixed("model.", saved), "loss.weight": torch.ones(3)})
    assert torch.equal(model[0].weight, saved[0].weight)


def test_two_prefixes_that_fit_are_told_apart_by_a_key() -> None:
    model, saved, other = network(), network(), network()
    state = {**prefixed("student.", saved), **prefixed("teacher.", other)}
    with pytest.raises(LoadingError, match="it fits under 'student', 'teacher'"):
        fill(model, state)
    fill(model, state, key="teacher")
    assert torch.equal(model[0].weight, other[0].weight)


def test_model_of_a_checkpoint_that_fits_is_taken() -> None:
    model, saved = network(), network()
    fill(model, {"netD": nn.Linear(9, 9).state_dict(), "netG": saved.state_dict()})
    assert torch.equal(model[0].weight, saved[0].weight)


def test_usual_one_of_two_models_that_fit_is_taken() -> None:
    model, saved, average = network(), network(), network()
    checkpoint = {"ema": average.state_dict(), "model": saved.state_dict()}
    fill(model, checkpoint)
    assert torch.equal(model[0].weight, saved[0].weight)
    fill(model, checkpoint, key="ema")
    assert torch.equal(model[0].weight, average[0].weight)


def test_two_models_of_odd_names_that_fit_are_listed() -> None:
    checkpoint = {"a": network().state_dict(), "b": network().state_dict()}
    with pytest.raises(LoadingError, match=r"holds 'a', 'b'\. Name one of them"):
        fill(network(), checkpoint)


def test_models_of_which_none_fits_are_listed() -> None:
    checkpoint = {"a": nn.Linear(1, 1).state_dict(), "b": nn.Linear(2, 1).state_dict()}
    with pytest.raises(LoadingError, match="none of 'a', 'b' does"):
        fill(network(), checkpoint)


def test_batch_norm_from_before_it_counted_is_taken() -> None:
    model, saved = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    saved.running_mean = torch.full((3,), 2.0)
    state = {n: x for n, x in saved.state_dict().items() if "num_batches" not in n}
    fill(model, state)
    assert model.running_mean is not None
    assert model.running_mean.tolist() == [2.0] * 3


def test_average_of_models_is_taken() -> None:
    model = network()
    average: Any = torch.optim.swa_utils.AveragedModel(network())
    fill(model, average.state_dict())
    assert torch.equal(model[0].weight, average.module[0].weight)


def test_misfit_says_what_is_there_and_what_would_fit() -> None:
    with pytest.raises(
        LoadingError,
        match=r"the file misses 'bias'; has 'weight' with \[2, 3\] where \[2, 4\] fits",
    ):
        fill(nn.Linear(4, 2), {"weight": torch.ones(2, 3)})


def test_model_that_refuses_its_own_state_says_so() -> None:
    class Proud(nn.Linear):
        def _load_from_state_dict(self, *_: Any, **__: Any) -> None:
            raise KeyError("mine")

    with pytest.raises(LoadingError, match="but raised KeyError"):
        fill(Proud(1, 1), nn.Linear(1, 1).state_dict())
