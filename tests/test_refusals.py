"""What a sweep is made of is refused by name where it cannot be meant."""

import pytest
from tiny_sweep import KINDS, Kind, for_kind
from torch import nn

from sculpt_plugin.errors import DataError, ModelError
from sculpt_plugin.pruning.refusals import check_built, check_makers
from sculpt_plugin.pruning.sweep import sweep


@pytest.mark.parametrize("build", [None, 3, nn.Linear(1, 1)])
def test_what_makes_no_networks_is_named(build) -> None:
    with pytest.raises(ModelError, match=f"for a seed, got {type(build).__name__}"):
        check_makers(build, for_kind(KINDS[0]))


def test_what_says_nothing_of_learning_is_named() -> None:
    with pytest.raises(DataError, match="recipe must be a Recipe, got NoneType"):
        check_makers(Kind(KINDS[0]), None)


def test_network_that_is_none_is_named() -> None:
    with pytest.raises(ModelError, match="for each seed, and gave str"):
        check_built([nn.Linear(1, 1), "model"])


@pytest.mark.parametrize(
    "settings",
    [{"seeds": 0}, {"seeds": (0.5,)}, {"unit_steps": ("a",)}, {"jobs": "2"}],
)
def test_numbers_of_a_wrong_kind_are_named(settings) -> None:
    # As users call it, without the type checks of the tests.
    with pytest.raises(DataError, match="seeds must be whole numbers, unit_steps and"):
        sweep.__wrapped__(Kind(KINDS[0]), for_kind(KINDS[0]), **settings)
