import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import mlp

from sculpt_plugin.coupling import couple
from sculpt_plugin.errors import DataError
from sculpt_plugin.pruning.masks import Masks
from sculpt_plugin.pruning.selection import drop_edges, drop_units, lowest


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.data())
def test_lowest_is_the_head_of_a_stable_sort(values, data):
    count = data.draw(st.integers(0, len(values)))
    scores = torch.tensor(values, dtype=torch.float64)
    head = scores.argsort(stable=True)[:count].sort().values
    assert lowest(scores, count).tolist() == head.tolist()


@pytest.fixture
def chain():
    model = mlp(4, 8, 8, 2)
    coupling = couple(model, torch.zeros(1, 4))
    return model, coupling, Masks.dense(model, coupling)


def test_exactly_k_units_go_where_torch_pruning_would_take_all_ties(chain):
    _, coupling, masks = chain
    scores = {g.name: torch.ones(8, dtype=torch.float64) for g in coupling.prunable}
    for score in scores.values():
        score[:6] = 0
    smaller = drop_units(masks, coupling, scores, 2)
    alive = [smaller.unit_alive(group) for group in coupling.prunable]
    assert [a.tolist() for a in alive] == [[False] * 2 + [True] * 6, [True] * 8]


def test_the_last_unit_of_a_layer_stays(chain):
    _, coupling, masks = chain
    first, second = coupling.prunable
    scores = {first.name: torch.zeros(8), second.name: torch.arange(1.0, 9.0)}
    smaller = drop_units(masks, coupling, scores, 14)
    assert smaller.unit_alive(first).sum() == smaller.unit_alive(second).sum() == 1
    assert smaller.unit_alive(second).nonzero().item() == 7


def test_units_are_ranked_over_all_layers_together(chain):
    _, coupling, masks = chain
    first, second = coupling.prunable
    scores = {first.name: torch.arange(8.0) + 10, second.name: torch.arange(8.0)}
    smaller = drop_units(masks, coupling, scores, 5)
    assert smaller.unit_alive(first).all()
    assert smaller.unit_alive(second).tolist() == [False] * 5 + [True] * 3


def test_a_dropped_unit_loses_all_that_makes_it_and_reads_it(chain):
    _, coupling, masks = chain
    first = coupling.prunable[0]
    smaller = masks.without_units(first, torch.arange(8) == 3)
    assert not smaller.keep["0.weight"][3].any()
    assert not smaller.keep["0.bias"][3]
    assert not smaller.keep["2.weight"][:, 3].any()
    assert smaller.edge_count == masks.edge_count - 4 - 8


def test_exactly_k_edges_go_and_gone_ones_are_not_counted_again(chain):
    _, _, masks = chain
    scores = {
        name: torch.zeros_like(masks.keep[name], dtype=torch.float32)
        for name in masks.weights
    }
    smaller = drop_edges(masks, scores, 10)
    smallest = drop_edges(smaller, scores, 25)
    assert masks.edge_count - smaller.edge_count == 10
    assert masks.edge_count - smallest.edge_count == 25
    assert all((smallest.keep[n] <= smaller.keep[n]).all() for n in masks.keep)


def test_what_was_given_is_never_written(chain):
    _, coupling, masks = chain
    scores = {g.name: torch.arange(8.0) for g in coupling.prunable}
    drop_units(masks, coupling, scores, 5)
    masks.without_edges(torch.tensor([0, 1]))
    assert masks.density == 1
    assert all(keep.all() for keep in masks.keep.values())


def test_scores_that_are_not_finite_are_refused(chain):
    _, coupling, masks = chain
    scores = {g.name: torch.full((8,), torch.nan) for g in coupling.prunable}
    with pytest.raises(DataError, match="8 of 8 of layer '0' are not"):
        drop_units(masks, coupling, scores, 2)


def test_scores_of_the_wrong_length_are_refused(chain):
    _, coupling, masks = chain
    scores = {g.name: torch.zeros(7) for g in coupling.prunable}
    with pytest.raises(DataError, match=r"8 units, got shape \[7\]"):
        drop_units(masks, coupling, scores, 2)


def test_missing_edge_scores_are_refused(chain):
    _, _, masks = chain
    with pytest.raises(DataError, match=r"score '0.weight' in its shape \[8, 4\]"):
        drop_edges(masks, {}, 2)


def test_spared_edges_stay_though_their_scores_are_lowest(chain):
    _, _, masks = chain
    scores = {
        name: torch.arange(keep.numel(), dtype=torch.float32).view(keep.shape)
        for name, keep in masks.keep.items()
        if name in masks.weights
    }
    first, *others = masks.weights
    scores |= {name: scores[name] + 1000 for name in others}

    smaller = drop_edges(masks, scores, 3, spared=2)

    gone = ~smaller.keep[first].flatten()
    assert gone.nonzero().flatten().tolist() == [2, 3, 4]
    assert masks.edge_count - smaller.edge_count == 3


def test_of_equal_scores_the_first_are_spared(chain):
    _, _, masks = chain
    scores = {name: torch.zeros(masks.keep[name].shape) for name in masks.weights}

    smaller = drop_edges(masks, scores, 1, spared=4)

    assert (~smaller.keep[masks.weights[0]].flatten()).nonzero().tolist() == [[4]]
