"""What start networks of a sweep may hold, and how far they may differ."""

import pytest
import torch
from test_sweep import small
from tiny_sweep import Kind, OnTask, for_kind
from torch import nn

from sculpt_plugin.errors import ModelError


class Keyed(nn.Module):
    """Adds a number that whole numbers make of the inputs."""

    shape = (4,)

    def __init__(self, key: tuple[int, ...] = (2654435761, 40503, 2**33 + 1, 7)):
        super().__init__()
        self.hidden, self.output = nn.Linear(4, 12), nn.Linear(12, 3)
        self.register_buffer("key", torch.tensor(key))

    def forward(self, x):
        number = (100 * x).long().mul(self.key).sum(1, keepdim=True) % 97
        return self.output(self.hidden(x + number / 97).relu())


def test_whole_numbers_beside_the_weights_stay_what_they_are():
    build, recipe = Kind(Keyed, torch.float32), for_kind(Keyed, noise=0.0)

    found = small(build, recipe, lanes=False, seeds=(1,), unit_steps=(0.3,))

    run = found.runs[0]
    assert found.model(run).key.tolist() == Keyed().key.tolist()
    assert recipe.evaluate(found.model(run)) == run.score == 1.0


def test_numbers_that_no_weight_can_hold_are_refused():
    def build(seed):
        return Keyed((2**60 + 1, 1, 1, 1))

    with pytest.raises(ModelError, match=r"'key' of torch.int64 has some that do not"):
        small(build, for_kind(Keyed), lanes=False)


def test_networks_of_several_architectures_are_refused():
    def build(seed):
        return OnTask(hidden=(12 + seed,))(seed)

    with pytest.raises(ModelError, match="those of seeds 1 and 2 have other param"):
        small(build)


@pytest.mark.parametrize("lanes", [True, False])
def test_networks_that_compute_otherwise_with_the_same_weights_are_refused(lanes):
    def build(seed):
        bend = nn.ReLU() if seed == 1 else nn.Sigmoid()
        return nn.Sequential(nn.Linear(4, 6), bend, nn.Linear(6, 4))

    with pytest.raises(ModelError, match="seeds 1 and 2 compute something else"):
        small(build, lanes=lanes)


@pytest.mark.parametrize("seeds", [(2, 1), (1, 2)])
def test_networks_that_cannot_run_are_refused_in_one_line(seeds):
    def build(seed):
        layers = [nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 4)]
        return nn.Sequential(*layers, *[nn.Unflatten(1, (3, 3))] * (seed == 2))

    with pytest.raises(ModelError, match="The model cannot run on ") as caught:
        small(build, seeds=seeds)
    assert "\n" not in str(caught.value)
