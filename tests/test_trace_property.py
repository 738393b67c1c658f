"""The law of a trace: its edges are what noise on a unit changes in the model."""

from collections.abc import Callable

import channel_moves as channels
import numpy as np
import picture_moves as pictures
import pytest
import torch
from drawn_networks import Builder, Drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import EXACT_MOVES, MOVES, networks
from silencing import changes, names_of, through_junctions
from torch import nn

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.trace import read


def check_edges(model: Drawn) -> None:
    """Compare the edges of a trace with what noise on each unit changes."""
    traced = read(model, model.example)
    found, _ = changes(model, model.example, traced.graph)
    expected = through_junctions(traced.graph)
    assert names_of(traced.graph, found & ~expected) == [], "changed, and has no edge"
    # An approximated step has edges to all that it could have read.
    if all(layer["coverage"] == "exact" for layer in traced.coverage["layers"]):
        assert names_of(traced.graph, expected & ~found) == [], "edge, and no change"


@settings(derandomize=True, max_examples=50)
@given(networks(EXACT_MOVES))
def test_the_edges_of_random_networks_are_what_noise_on_a_unit_changes(
    model: Drawn,
) -> None:
    check_edges(model)


@pytest.mark.parametrize("move", sorted(set(EXACT_MOVES), key=EXACT_MOVES.index))
@settings(derandomize=True, max_examples=5)
@given(data=st.data())
def test_so_are_the_edges_of_every_kind_of_step(
    move: Callable[[Builder], None], data: st.DataObject
) -> None:
    moves = (move, move, pictures.flatten, channels.linear)
    check_edges(data.draw(networks(moves, most=6)))


@settings(derandomize=True, max_examples=10)
@given(networks(MOVES, most=8))
def test_the_self_check_of_random_networks_misses_nothing(model: Drawn) -> None:
    found = read(model, model.example, verify=True).coverage["verified"]
    assert found["units"] and found["columns"]
    assert (found["missed"], found["where"]) == (0, [])


def test_noise_finds_the_edges_of_a_network_worked_by_hand() -> None:
    first, last = nn.Linear(2, 2), nn.Linear(2, 1)
    model = nn.Sequential(first, nn.Tanh(), last).double()
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, 0.0], [2.0, 3.0]]))
        last.weight.copy_(torch.tensor([[0.0, 4.0]]))
    graph = LayeredGraph.from_edges((2, 2, 1), [], names=("inputs", "0", "2"))
    found, _ = changes(model, torch.randn(3, 2).double(), graph)
    assert np.argwhere(found).tolist() == [[0, 2], [0, 3], [1, 3], [3, 4]]


def test_edges_through_junctions_are_followed_to_computed_units() -> None:
    graph = LayeredGraph.from_edges(
        (2, 1, 1, 2),
        [(0, 2), (2, 3), (3, 4), (1, 5)],
        kinds=("input", "junction", "junction", "linear"),
    )
    assert np.argwhere(through_junctions(graph)).tolist() == [[0, 4], [1, 5]]
