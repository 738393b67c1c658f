"""What goes in each lane is what goes in a search of its own."""

import pytest
import torch
from networks import Chain, Concat

from sculpt_plugin.coupling import couple
from sculpt_plugin.pruning import selection
from sculpt_plugin.pruning.lanes.choosing import drop_edges, drop_units
from sculpt_plugin.pruning.lanes.layout import cut, lay_out
from sculpt_plugin.pruning.masks import Masks


@pytest.mark.parametrize("levels", [2, 5, 1000])
@pytest.mark.parametrize("kind", [Chain, Concat])
def test_units_go_as_alone_however_many_scores_are_equal(kind, levels):
    model = kind()
    coupling = couple(model, torch.randn(3, *kind.shape))
    layout = lay_out(model, coupling)
    groups, slices = coupling.prunable, layout.unit_slices
    lanes = layout.unit_count - len(groups)
    scores = torch.randint(levels, (lanes, layout.unit_count)).double()
    first = torch.full((lanes,), 2)
    then = torch.arange(lanes).clamp(min=2)

    alive = torch.ones(lanes, layout.unit_count, dtype=torch.bool)
    alive = drop_units(alive, scores, slices, first)
    alive = drop_units(alive, scores.flip(1), slices, then)

    for lane in range(lanes):
        masks = Masks.dense(model, coupling)
        for values, count in ((scores, first), (scores.flip(1), then)):
            named = {
                group.name: values[lane, units]
                for group, units in zip(groups, slices, strict=True)
            }
            masks = selection.drop_units(masks, coupling, named, int(count[lane]))
        expected = torch.cat([masks.unit_alive(group) for group in groups])
        assert alive[lane].tolist() == expected.tolist()


def test_the_last_unit_of_a_group_stays():
    alive = torch.ones(1, 5, dtype=torch.bool)
    scores = torch.tensor([[0.0, 1.0, 5.0, 6.0, 7.0]])

    stays = drop_units(alive, scores, [slice(0, 2), slice(2, 5)], torch.tensor([3]))

    assert stays.tolist() == [[False, True, False, False, True]]


@pytest.mark.parametrize("levels", [2, 1000])
def test_edges_go_as_alone_however_many_are_equal(levels):
    model = Chain()
    coupling = couple(model, torch.randn(3, 4))
    layout = lay_out(model, coupling)
    sizes = torch.randint(levels, (6, layout.size)).double()
    counts = torch.tensor([0, 1, 7, 30, 50, 77])

    keep = torch.ones(6, layout.size, dtype=torch.bool)
    is_edge, none = layout.is_edge.expand(6, -1), torch.zeros_like(counts)
    keep = drop_edges(keep, sizes, is_edge, counts, none)
    spared = torch.tensor([0, 3, 1, 0, 20, 0])
    keep = drop_edges(keep, sizes, is_edge, none + 1, spared)

    for lane, (count, few) in enumerate(
        zip(counts.tolist(), spared.tolist(), strict=True)
    ):
        named = dict(
            zip(
                [piece.name for piece in layout.pieces],
                cut(sizes[lane], layout.shapes),
                strict=True,
            )
        )
        masks = Masks.dense(model, coupling)
        masks = selection.drop_edges(masks, named, count)
        masks = selection.drop_edges(masks, named, count + 1, spared=few)
        parts = cut(keep[lane], layout.shapes)
        for piece, part in zip(layout.pieces, parts, strict=True):
            assert part.all() or torch.equal(part, masks.keep[piece.name])
        assert int((~keep[lane]).sum()) == count + 1
