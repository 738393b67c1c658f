"""Finding the model among all that a checkpoint holds."""

from pathlib import Path
from typing import Any

import pytest
import torch
from model_files import Reduced, network, save
from torch import nn

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.checkpoints import chosen, models_in
from sculpt_plugin.loading import load_model


def state(value: float = 1.0) -> dict[str, torch.Tensor]:
    return {"fc.weight": torch.full((2, 2), value)}


@pytest.mark.parametrize(
    "key",
    ["state_dict", "model_state_dict", "model_state", "model", "net", "ema", "netG"],
)
def test_only_model_is_found_whatever_its_key(key: str) -> None:
    optimizer = torch.optim.Adam(network().parameters())
    checkpoint = {
        "epoch": 3,
        "best": torch.tensor(0.5),
        "optimizer": optimizer.state_dict(),
        "callbacks": {"stopping": {"wait": 1, "best_score": torch.tensor(0.3)}},
        key: state(),
    }
    assert models_in(checkpoint) == {key: checkpoint[key]}
    assert chosen(checkpoint) is checkpoint[key]


def test_usual_key_wins_over_a_moving_average() -> None:
    checkpoint = {"ema": state(2.0), "model": state(1.0)}
    assert chosen(checkpoint) is checkpoint["model"]


def test_key_chooses_among_several_models() -> None:
    checkpoint = {"ema": {"shadow": state(2.0)}, "model": state(1.0)}
    assert chosen(checkpoint, key="ema.shadow") is checkpoint["ema"]["shadow"]


def test_key_chooses_a_part_of_one_state_dict() -> None:
    both = {"student.fc.weight": torch.ones(1), "teacher.fc.weight": torch.zeros(1)}
    assert chosen(both, key="teacher") == {"fc.weight": both["teacher.fc.weight"]}


def test_models_without_a_usual_key_are_listed() -> None:
    with pytest.raises(LoadingError, match=r"holds 'netG', 'netD'\. Name one of them"):
        chosen({"netG": state(), "netD": state()})


def test_key_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(LoadingError, match="has no 'b', but 'model'"):
        chosen({"model": state()}, key="b")


def test_value_without_a_model_is_left_as_it_is() -> None:
    assert chosen([1, 2]) == [1, 2]


def test_whole_model_is_found_beside_its_optimizer() -> None:
    model = nn.Linear(2, 2)
    assert chosen({"epoch": 1, "best_model": model}) is model


def test_lightning_checkpoint_opens_with_odd_objects_in_it(tmp_path: Path) -> None:
    model = network()
    checkpoint: dict[str, Any] = {
        "epoch": 3,
        "pytorch-lightning_version": "2.1.0",
        "state_dict": {f"net.{k}": v for k, v in model.state_dict().items()},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"path": tmp_path}},
        "optimizer_states": [torch.optim.Adam(model.parameters()).state_dict()],
        "hyper_parameters": Reduced(dict.fromkeys, ["lr"]),
    }
    loaded = load_model(save(checkpoint, tmp_path / "last.ckpt"))
    inputs = torch.randn(4, 3)
    torch.testing.assert_close(loaded.model(inputs), model(inputs))
    assert dict(loaded.model.named_modules()).keys() >= {"net.0", "net.2"}
