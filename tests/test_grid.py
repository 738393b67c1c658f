"""A finished sweep gives its runs in order, the sparsest, and their networks."""

import math

import pytest
import torch
from small_sweep import PROBLEM, hand_made
from torch import nn

from sculpt_plugin.errors import DataError
from sculpt_plugin.pruning.grid import Network, Run, Sweep
from sculpt_plugin.pruning.record import Step


def test_ranked_leaves_out_runs_with_a_problem():
    found = hand_made(failed=[(0, 0.1, 0.01), (1, 0.3, 0.02)])

    ranked = found.ranked()

    counts = [run.network.edge_count for run in ranked]
    assert len(ranked) == len(found.runs) - 2
    assert counts == sorted(counts)
    assert {run.seed for run in found.ranked(1)} == {1}


def test_seed_without_a_result_is_an_error_with_its_own_reason():
    failed = [(1, unit, edge) for unit in (0.1, 0.2, 0.3) for edge in (0.01, 0.02)]
    found = hand_made(failed=failed)

    assert found.sparsest().seed == 0
    with pytest.raises(DataError, match=r"unpruned model scores 0\.75, min_score"):
        found.sparsest(1)
    assert found.runs[0].problem != PROBLEM


def test_score_is_that_of_the_last_accepted_turn():
    step = Step("dense", 0, 0, 9, 9, 0.9, True, 1.0, 0.1)
    worse = Step("units", 1, 2, 7, 9, 0.4, False, 0.5, 0.1)
    network = Network(torch.ones(4), torch.ones(4) > 0, 4)

    def run(*record):
        return Run(0, 0.1, 0.1, record, network, 8)

    assert run(step, worse).score == 0.9
    assert run(worse).score == 0.4
    assert math.isnan(run().score)
    assert run(step).density == 0.5


def test_model_has_the_values_and_the_buffers_of_its_run():
    def build(seed):
        return nn.Sequential(nn.Linear(1, 2), nn.BatchNorm1d(2))

    # Weight, bias, the norm's weight and bias, its mean and variance, its count.
    values = torch.tensor([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])
    keep = torch.tensor([True, False] + [True] * 11)
    run = Run(0, 0.1, 0.1, (), Network(values * keep, keep, 1), 2)
    sweep = Sweep((run,), 1.0, build, ("0.weight",), ("0.weight", "0.bias"))

    model, masks = sweep.model(run), sweep.masks(run)

    assert model[0].weight.flatten().tolist() == [1, 0]
    assert model[0].bias.tolist() == [3, 4]
    assert model[1].running_mean.tolist() == [9, 10]
    assert model[1].num_batches_tracked.item() == 13
    assert masks.keep["0.weight"].tolist() == [[True], [False]]
    assert list(masks.keep) == ["0.weight", "0.bias"]
    assert masks.density == 0.5
