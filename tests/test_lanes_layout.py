"""A row of numbers says the same as the model's parameters and their masks."""

import pytest
import torch
from tiny_sweep import KINDS, Image, Shared

from sculpt_plugin.coupling import couple
from sculpt_plugin.pruning.lanes.alone import put_row, row_of
from sculpt_plugin.pruning.lanes.layout import cut, lay_out
from sculpt_plugin.pruning.masks import Masks


@pytest.mark.parametrize("kind", KINDS)
def test_entries_that_units_take_along_are_those_that_masks_drop(kind):
    model = kind()
    coupling = couple(model, torch.randn(3, *kind.shape))
    layout = lay_out(model, coupling)
    alive = torch.rand(2, layout.unit_count) < 0.6

    found = layout.kept_by_units(alive)

    for row, live in zip(found, alive, strict=True):
        masks = Masks.dense(model, coupling)
        for group, units in zip(coupling.prunable, layout.unit_slices, strict=True):
            masks = masks.without_units(group, ~live[units])
        parts = cut(row, layout.shapes)
        for (name, parameter), part in zip(
            model.named_parameters(), parts, strict=True
        ):
            expected = masks.keep.get(name, torch.ones_like(parameter) > 0)
            assert torch.equal(part, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_edges_are_the_entries_of_the_weights(kind):
    model = kind()
    coupling = couple(model, torch.randn(3, *kind.shape))

    layout = lay_out(model, coupling)

    total = Masks.dense(model, coupling).edge_total
    assert int(layout.is_edge.sum()) == total
    assert layout.size == sum(p.numel() for p in model.parameters())


def test_row_of_a_model_puts_it_back_with_its_buffers():
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    model(torch.randn(5, 2))
    row = row_of(model)
    before = {name: x.clone() for name, x in model.state_dict().items()}

    put_row(model, torch.zeros_like(row))
    assert not model[1].running_mean.any()
    put_row(model, row)

    assert all(torch.equal(x, before[n]) for n, x in model.state_dict().items())


def test_units_after_a_flatten_have_a_column_for_each_position():
    model = Image()
    layout = lay_out(model, couple(model, torch.randn(3, 1, 4, 4)))

    reader = next(piece for piece in layout.pieces if piece.name == "4.weight")

    rows, columns = reader.units
    assert rows is not None
    assert rows.tolist() == [4, 5, 6, 7, 8, 9]
    assert columns is not None
    assert columns.tolist() == [u for u in range(4) for _ in range(4)]


def test_parameter_without_axes_belongs_to_no_unit():
    model = Shared()
    layout = lay_out(model, couple(model, torch.randn(3, 4)))

    gain = next(piece for piece in layout.pieces if piece.name == "gain")

    assert (gain.shape, gain.units, gain.stop - gain.start) == ((), (), 1)
