"""Real kinds of networks, small ones: traced, covered, verified, and one table."""

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from silencing import changes, names_of, through_junctions
from torch import nn
from zoo_models import MODELS

from sculpt_plugin.analysis.trace import read
from sculpt_plugin.inputs import Inputs, with_fractions
from sculpt_plugin.vision import import_torchvision

needs_torchvision = pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is None, reason="torchvision is missing"
)
# The smallest there is of each kind of wiring, for pictures of 32 by 32.
CLASSIFIERS: dict[str, Callable[[ModuleType], nn.Module]] = {
    "convnext": lambda models: models.ConvNeXt(
        [
            models.convnext.CNBlockConfig(8, 12, 1),
            models.convnext.CNBlockConfig(12, None, 1),
        ],
        num_classes=3,
    ),
    "densenet": lambda models: models.DenseNet(4, (2, 2), 8, bn_size=2, num_classes=3),
    "efficientnet": lambda models: models.EfficientNet(
        [
            models.efficientnet.MBConvConfig(2, 3, 1, 8, 8, 1),
            models.efficientnet.FusedMBConvConfig(2, 3, 2, 8, 12, 1),
        ],
        0.2,
        num_classes=3,
        last_channel=16,
    ),
    "maxvit": lambda models: models.MaxVit(
        (32, 32), 8, 2, [8], [1], 4, 0.0, num_classes=3
    ),
    "mobilenet_v2": lambda models: models.MobileNetV2(
        3, 0.25, [[2, 16, 2, 1], [1, 24, 1, 2]]
    ).features[:-1],
    "regnet": lambda models: models.RegNet(
        models.regnet.BlockParams([1, 1], [8, 16], [4, 4], [1.0, 1.0], [2, 2], 0.25),
        num_classes=3,
        stem_width=4,
    ),
    "resnet": lambda models: nn.Sequential(
        models.resnet.BasicBlock(3, 3),
        models.resnet.Bottleneck(3, 2, stride=2, downsample=nn.Conv2d(3, 8, 1, 2)),
        models.resnet.Bottleneck(8, 2, groups=2, base_width=128),
    ),
    "shufflenet": lambda models: models.ShuffleNetV2(
        [2, 1, 1], [8, 8, 16, 16, 16], num_classes=3
    ),
    "squeezenet": lambda models: nn.Sequential(
        models.squeezenet.Fire(3, 4, 4, 6), models.squeezenet.Fire(10, 4, 4, 4)
    ),
    "swin": lambda models: models.SwinTransformer(
        [4, 4], 8, [1, 1], [2, 2], [4, 4], num_classes=3
    ),
    "swin v2": lambda models: models.SwinTransformer(
        [4, 4],
        8,
        [1, 1],
        [2, 2],
        [4, 4],
        num_classes=3,
        block=models.swin_transformer.SwinTransformerBlockV2,
        downsample_layer=models.swin_transformer.PatchMergingV2,
    ),
    "vit": lambda models: models.VisionTransformer(32, 16, 1, 2, 8, 8, num_classes=3),
}


@torch.no_grad()
def prune(model: nn.Module) -> nn.Module:
    """Zero seven weights of ten; tables that are all zero are drawn anew before."""
    for parameter in model.parameters():
        if parameter.ndim > 1:
            if not parameter.any():
                parameter.normal_()
            parameter.mul_(torch.rand_like(parameter) < 0.3)
    return model.eval()


def made(name: str) -> tuple[nn.Module, Inputs]:
    """Give a model by its name, pruned, with inputs for it."""
    if name in MODELS:
        model, inputs = MODELS[name]()
        return prune(model), inputs
    model = CLASSIFIERS[name](import_torchvision().models)
    return prune(model), torch.randn(1, 3, 32, 32)


def named(*names: str) -> list[Any]:
    """Parametrise by names; those of torchvision's need it."""
    marks = {True: (), False: (needs_torchvision,)}
    return [pytest.param(name, marks=marks[name in MODELS]) for name in names]


@pytest.mark.parametrize("name", named(*MODELS, *CLASSIFIERS))
def test_every_kind_is_traced_and_covered(name: str) -> None:
    model, inputs = made(name)
    traced = read(model, inputs)
    assert traced.coverage["exact"] + traced.coverage["approximated"] >= 0.99
    assert traced.graph.live().edge_count > 0


@pytest.mark.parametrize(
    "name",
    named(
        *("u-net", "siamese", "densenet", "efficientnet", "mobilenet_v2", "regnet"),
        *("resnet", "shufflenet", "squeezenet"),
    ),
)
def test_noise_on_a_unit_changes_nothing_that_it_has_no_edge_to(name: str) -> None:
    model, inputs = made(name)
    inputs = with_fractions(inputs, lambda x: x.double())
    traced = read(model.double(), inputs)
    assert traced.coverage["exact"] == 1.0
    found, tried = changes(model, inputs, traced.graph, at_most=16)
    expected = through_junctions(traced.graph)[tried]
    assert names_of(traced.graph, found & ~through_junctions(traced.graph)) == []
    # A ReLU that is silent for all inputs hides some.
    assert (found[tried] & expected).sum() >= 0.75 * expected.sum() > 0


@pytest.mark.parametrize("name", named("gpt (tied head)", "lstm", "vit", "swin"))
def test_the_self_check_finds_no_edge_missing(name: str) -> None:
    model, inputs = made(name)
    found = read(model, inputs, verify=True).coverage["verified"]
    assert found["units"] and found["columns"]
    assert (found["missed"], found["where"]) == (0, [])


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command that makes the table, as a module."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "examples")
    monkeypatch.delitem(sys.modules, "coverage_zoo", raising=False)
    return importlib.import_module("coverage_zoo")


ROW = {
    "parameters": 1_234_567,
    "seconds": 0.25,
    "memory": 1.5,
    "layers": 3,
    "units": 1000,
    "edges": 2000,
    "exact": 0.99999,
    "approximated": 0.00001,
    "verified": {"units": 50, "columns": 90, "missed": 0, "unseen": 2},
}


def test_a_row_rounds_no_share_up_to_all(command: Any) -> None:
    assert command.cells({"model": "net", **ROW}) == [
        *("net", "1.2 M", "0.2 s", "1.5 GiB", "3", "1,000", "2,000"),
        *("99.99 %", "0 %", "50", "0", "2"),
    ]


def test_a_model_that_fails_is_a_row_that_says_why(command: Any) -> None:
    row = {"model": "net", "error": "TraceError: an a|b is not understood"}
    assert command.table([row]).splitlines()[-1].startswith("| net |  |")
    assert "an a\\|b is not" in command.table([row])
    assert command.summary([row]).startswith("0 of 1 models traced")


def test_the_summary_counts_what_the_checks_found(command: Any) -> None:
    row, unchecked = {"model": "net", **ROW}, {"model": "large", **ROW}
    unchecked.pop("verified")
    told = command.summary([row, row, unchecked])
    assert told.startswith("3 of 3 models traced; of 3 at least 99 %")
    assert "In 2 of them 100 units were changed: 0 layer inputs" in told
    assert command.cells(unchecked)[-3:] == ["-", "-", "-"]


def test_a_table_goes_on_where_it_was_and_tries_failures_again(
    command: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = {"prune": 0.0, "verify": False}
    answers = [{"error": "killed"}, ROW]
    monkeypatch.setattr(command, "run", lambda *_: answers.pop(0))
    first, second, third = (
        command.measured("A (b)", tmp_path, settings) for _ in range(3)
    )
    assert first["error"] == "killed"
    assert second == third == {"model": "A (b)", "settings": settings, **ROW}
    assert json.loads((tmp_path / "models/a-b-.json").read_text()) == third


def test_one_model_is_traced_in_a_process_of_its_own(
    command: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    row = command.run("siamese", "--verify", "--prune", "0.5")
    assert row["parameters"] == 471 and row["exact"] == 1.0
    assert row["verified"]["missed"] == 0
    assert 0 < row["memory of the model"] <= row["memory"] < 3
    killed = tmp_path / "killed.py"
    killed.write_text("raise SystemExit('out of memory')")
    monkeypatch.setattr(command, "ONE", killed)
    assert command.run("siamese") == {
        "error": "the process ended with 1: out of memory"
    }
