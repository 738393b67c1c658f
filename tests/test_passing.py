"""The rules of single operations, on signals made by hand."""

import numpy as np
import pytest
import torch

from sculpt_plugin.tracing.passing import (
    INPUTS,
    PIXELS,
    Link,
    NotPassedOnError,
    Signal,
    block,
    pass_on,
)


def node(tensor: torch.Tensor) -> object:
    return tensor.grad_fn


@pytest.fixture
def x() -> torch.Tensor:
    return torch.zeros(2, 2, 3, requires_grad=True)


def signal(source: int = 1, *, whole: bool = True) -> Signal:
    return Signal((2, 2, 3), (Link(source, np.array([1, -1]), whole),))


def test_flattening_whole_inputs_tells_positions_apart(x: torch.Tensor) -> None:
    (link,) = pass_on(node(x.flatten(1)), (2, 6), [signal(INPUTS)]).links
    assert link.source == PIXELS
    assert link.units.tolist() == [3, 4, 5, -1, -1, -1]


def test_flattening_mixed_inputs_keeps_channels(x: torch.Tensor) -> None:
    mixed = signal(INPUTS, whole=False)
    (link,) = pass_on(node(x.flatten(1)), (2, 6), [mixed]).links
    assert link.source == INPUTS
    assert link.units.tolist() == [1, 1, 1, -1, -1, -1]


def test_adding_two_tensors_keeps_both_sources_once(x: torch.Tensor) -> None:
    both = [signal(1), signal(2)]
    links = pass_on(node(x + x), (2, 2, 3), both).links
    assert [link.source for link in links] == [1, 2]
    assert len(pass_on(node(x + x), (2, 2, 3), [signal(1), signal(1)]).links) == 1


def test_a_constant_factor_of_zero_blocks_its_unit(x: torch.Tensor) -> None:
    factor = torch.tensor([[0.0], [2.0]])
    assert pass_on(node(factor * x), (2, 2, 3), [None, signal()]).links == ()
    (link,) = pass_on(node(x * factor.flip(0)), (2, 2, 3), [signal(), None]).links
    assert link.units.tolist() == [1, -1]


def test_concatenating_positions_forgets_where_they_were(x: torch.Tensor) -> None:
    made = torch.cat([x, x], -1)
    (link,) = pass_on(node(made), (2, 2, 6), [signal(), signal()]).links
    assert not link.whole


def test_blocking_all_units_leaves_no_link() -> None:
    assert block(signal(), np.array([True, False])).links == ()


def test_an_operation_without_a_rule_is_not_passed_on(x: torch.Tensor) -> None:
    with pytest.raises(NotPassedOnError, match="not known"):
        pass_on(node(x.sort(1)[0]), (2, 2, 3), [signal()])
