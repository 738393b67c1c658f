"""A recipe that sets its own pace is swept as `sculpt` follows it alone."""

from dataclasses import replace

import pytest
import torch
from tiny_sweep import (
    Kind,
    OnTask,
    differences,
    for_kind,
    for_task,
    sculpted_alone,
    timeless,
)
from torch import nn

from sculpt_plugin.errors import CheckpointError, ThresholdError
from sculpt_plugin.pruning.sweep import sweep
from sculpt_plugin.training.recipe import Recipe

START = OnTask()
STEPS = {"unit_steps": (0.4,), "edge_steps": (0.2,)}
PACES = [
    {"batch_size": 8},
    {"early_accept": 1.0},
    {"batch_size": 8, "early_accept": 1.0},
    {"bf16": True},
]


def paced(pace):
    return replace(for_task(START), **pace)


@pytest.mark.parametrize("lanes", [True, False])
@pytest.mark.parametrize("pace", PACES)
def test_recipe_of_its_own_pace_is_swept_as_sculpt_does_it_alone(pace, lanes):
    recipe = paced(pace)

    found = sweep(START, recipe, seeds=(1,), lanes=lanes, **STEPS)

    for run in found.runs:
        sculpture = sculpted_alone(START, recipe, run)
        assert run.problem is None
        assert timeless(run.record) == timeless(sculpture.record)
        for name, keep in found.masks(run).keep.items():
            assert torch.equal(keep, sculpture.masks.keep[name])


class Spare(nn.Module):
    """Has a layer that it never runs."""

    shape = (4,)

    def __init__(self):
        super().__init__()
        self.hidden, self.spare = nn.Linear(4, 8), nn.Linear(8, 3)
        self.output = nn.Linear(8, 3)

    def forward(self, x):
        return self.output(self.hidden(x).relu())


@pytest.mark.parametrize("pace", [{}, {"batch_size": 4}])
def test_layer_that_never_runs_decays_alike_at_any_pace(pace):
    build, recipe = Kind(Spare), for_kind(Spare, weight_decay=1.5e-3, **pace)

    found = sweep(build, recipe, seeds=(1,), **STEPS)

    assert not differences(found, build, recipe, digits=12)


@pytest.mark.parametrize("pace", PACES)
def test_pace_makes_a_difference(pace):
    """Else the test above could not fail."""
    found = sweep(START, paced(pace), seeds=(1,), **STEPS)
    plain = sweep(START, for_task(START), seeds=(1,), **STEPS)

    assert not torch.equal(found.runs[0].network.values, plain.runs[0].network.values)


def test_turns_that_would_end_below_the_threshold_are_refused():
    with pytest.raises(ThresholdError, match=r"0\.9 is below 1: turns would") as caught:
        sweep(START, paced({"early_accept": 0.9}), seeds=(1,), **STEPS)
    assert "\n" not in str(caught.value)


def test_sweep_of_mini_batches_goes_on_in_its_folder_and_in_no_other(tmp_path):
    recipe = paced(PACES[2])
    first = sweep(START, recipe, seeds=(1,), checkpoint=tmp_path, **STEPS)

    again = sweep(START, recipe, seeds=(1,), checkpoint=tmp_path, **STEPS)

    for one, other in zip(first.runs, again.runs, strict=True):
        assert torch.equal(one.network.values, other.network.values)
    with pytest.raises(CheckpointError, match="there batch_size is 8, here"):
        sweep(START, paced(PACES[1]), seeds=(1,), checkpoint=tmp_path, **STEPS)


@pytest.mark.parametrize("pace", [{}, *PACES[:3]])
def test_classes_are_learned_at_any_pace(pace):
    source = torch.Generator().manual_seed(0)
    inputs = torch.randn(60, 4, generator=source, dtype=torch.float64)
    classes = (inputs[:, :2] > 0).sum(1)
    recipe = Recipe(
        inputs, classes, nn.functional.cross_entropy, right_classes,
        first_epochs=80, epochs=6, learning_rate=0.05, **pace,
    )  # fmt: skip
    build = Kind(Classes)

    found = sweep(build, recipe, seeds=(0, 1), min_score=0.8, **STEPS)

    assert not differences(found, build, recipe, digits=8, min_score=0.8)


class Classes(nn.Sequential):
    """Three classes of four numbers."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 3))


def right_classes(outputs, classes):
    return (outputs.argmax(1) == classes).double().mean()
