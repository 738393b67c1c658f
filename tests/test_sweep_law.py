"""The law of lanes: each run of a sweep is what `sculpt` gives alone."""

from dataclasses import replace

import pytest
import torch
from tiny_sweep import (
    KINDS,
    OWN,
    Image,
    Kind,
    OnTask,
    Tokens,
    differences,
    for_kind,
    for_task,
)

from sculpt_plugin.pruning.sweep import sweep

STARTS = [
    OnTask("4,2,4", (12,)),
    OnTask("6,3,3,3", (10,)),
    OnTask("5,3,2,2", (12, 8)),
    OnTask("4,1,4", (8, 8, 8)),
    OnTask(OWN, (6,)),
]


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("start", STARTS, ids=str)
def test_each_run_over_a_task_is_what_sculpt_gives_alone(start, one_by_one):
    recipe, search = for_task(start), {"one_by_one": one_by_one}

    found = sweep(
        start, recipe, seeds=(3, 4), unit_steps=(0.4,), edge_steps=(0.06,), **search
    )

    assert not differences(found, start, recipe, digits=10, **search)


@pytest.mark.parametrize("lanes", [False, True])
def test_one_by_one_is_the_same_for_models_of_any_kind(lanes):
    build, recipe = Kind(Image), for_kind(Image)
    steps = {"seeds": (1,), "unit_steps": (0.4,), "edge_steps": (0.3,)}

    found = sweep(build, recipe, **steps, one_by_one=True, lanes=lanes)

    assert not differences(found, build, recipe, digits=4, one_by_one=True)


@pytest.mark.parametrize("noise", [0.0, 0.02])
@pytest.mark.parametrize("kind", KINDS)
def test_each_run_of_any_kind_is_what_sculpt_gives_alone(kind, noise):
    build, recipe = Kind(kind), for_kind(kind, noise=noise)

    found = sweep(build, recipe, seeds=(1,), unit_steps=(0.2, 0.4), edge_steps=(0.1,))

    # In the weights rounding grows: a noisy convolution gets to 1e-6.
    assert not differences(found, build, recipe, digits=4)


def test_each_run_over_whole_numbers_is_what_sculpt_gives_alone():
    build = Kind(Tokens)
    tokens = torch.randint(5, (10, 4), generator=torch.Generator().manual_seed(0))
    recipe = replace(for_kind(Tokens, noise=0.0), inputs=tokens)

    found = sweep(build, recipe, seeds=(1, 2), unit_steps=(0.3,), edge_steps=(0.1,))

    assert not differences(found, build, recipe, digits=10)


@pytest.mark.parametrize("start", STARTS[:2], ids=str)
def test_single_precision_finds_the_same_sparsity(start):
    steps = {"unit_steps": (0.3,), "edge_steps": (0.05,)}
    single = replace(start, dtype=torch.float32)

    found = sweep(single, for_task(single), seeds=(3, 4), **steps)

    expected = sweep(start, for_task(start), seeds=(3, 4), **steps)
    assert [run.score for run in found.runs] == [1.0, 1.0]
    for one, two in zip(found.runs, expected.runs, strict=True):
        assert one.network.values.dtype == torch.float32
        assert one.density == pytest.approx(two.density, rel=0.5)
