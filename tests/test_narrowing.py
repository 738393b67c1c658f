"""Narrow layers compute what wide ones with masks do."""

import pytest
import torch
from networks import Concat
from tiny_sweep import Added, Image, Kind, Normed, OnTask, Scaled, for_kind, for_task

from sculpt_plugin.coupling import couple
from sculpt_plugin.pruning.lanes.alone import row_of
from sculpt_plugin.pruning.lanes.layout import cut, lay_out
from sculpt_plugin.pruning.lanes.narrowing import narrowed
from sculpt_plugin.pruning.lanes.program import program
from sculpt_plugin.pruning.lanes.together import runs_narrow


def laid_out(kind):
    model, recipe = Kind(kind)(0), for_kind(kind)
    layout = lay_out(model, couple(model, recipe.inputs))
    return program(model, recipe), layout


@pytest.mark.parametrize("kind", [Image, Added, Concat])
def test_narrow_network_computes_the_same(kind):
    made, layout = laid_out(kind)
    alive = torch.rand(3, layout.unit_count) < 0.5
    rows = torch.randn(3, layout.size, dtype=torch.float64)
    rows = rows.masked_fill(~layout.kept_by_units(alive), 0)

    small = narrowed(layout, alive)

    assert small is not None
    assert small.index.shape[1] < layout.size
    for row, taken in zip(rows, small.take(rows), strict=True):
        with torch.no_grad():
            wide = made.outputs(cut(row, layout.shapes), made.recipe.inputs)
            narrow = made.outputs(cut(taken, small.shapes), made.recipe.inputs)
        torch.testing.assert_close(narrow, wide)


def test_layers_are_as_wide_as_the_lane_with_most_units_needs():
    _, layout = laid_out(Concat)
    alive = torch.tensor([[1, 0, 0, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0, 0, 1]]) > 0

    small = narrowed(layout, alive)

    # The left branch keeps 2 of 3 units, the right 3 of 5, and the output reads both.
    assert small is not None
    assert small.shapes == [(2, 4), (2,), (3, 4), (3,), (3, 5), (3,)]
    # The first lane takes its dead unit 1 along, the second 3 and 4.
    assert small.index[0, -18:-3].tolist() == [
        layout.size - 27 + 8 * row + column
        for row in range(3)
        for column in (0, 1, 3, 4, 5)
    ]
    assert small.index[1, -18:-3].tolist() == [
        layout.size - 27 + 8 * row + column
        for row in range(3)
        for column in (0, 1, 3, 4, 7)
    ]


@pytest.mark.parametrize(
    ("kind", "runs"),
    [(Image, True), (Added, True), (Concat, True), (Normed, False), (Scaled, False)],
)
def test_model_that_knows_its_width_is_not_narrowed(kind, runs):
    made, layout = laid_out(kind)
    row = row_of(Kind(kind)(0))

    assert runs_narrow(made, layout, row) is runs


def test_silent_layers_do_not_hide_that_a_model_knows_its_width():
    """Inputs of 0 and 1 silence a ReLU whose weights are all below zero."""
    start = OnTask("6,3,3,3", (10,))
    recipe = for_task(start)
    model = Scaled().double()
    model.hidden = torch.nn.Linear(6, 8, bias=False).double()
    layout = lay_out(model, couple(model, recipe.inputs))

    assert not runs_narrow(program(model, recipe), layout, row_of(model))
