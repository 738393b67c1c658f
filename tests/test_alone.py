"""A recipe that sets its own pace is swept as `sculpt` follows it alone."""

from dataclasses import replace

import pytest
import torch
from tiny_sweep import OnTask, for_task, sculpted_alone, timeless

from sculpt_plugin.errors import CheckpointError, ThresholdError
from sculpt_plugin.pruning.sweep import sweep

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
