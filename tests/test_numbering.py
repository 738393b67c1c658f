import pytest
import torch
from networks import mlp

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.modules import detect
from sculpt_plugin.analysis.numbering import renumber
from sculpt_plugin.analysis.trace import trace
from sculpt_plugin.coupling import couple
from sculpt_plugin.errors import GraphError
from sculpt_plugin.pruning.compaction import compact
from sculpt_plugin.pruning.masks import Masks, apply


def test_a_cut_network_has_the_modules_of_the_whole_one_under_its_numbers():
    model = mlp(4, 9, 9, 3)
    masks = Masks.dense(model, couple(model, torch.zeros(1, 4)))
    masks = masks.without_edges(torch.randperm(masks.edge_total)[:110])
    apply(model, masks)
    small = compact(model, torch.zeros(1, 4), masks=masks)
    whole = trace(model, torch.zeros(1, 4))
    again = renumber(
        trace(small.model, torch.zeros(1, 4)),
        {name: units.tolist() for name, units in small.units.items()},
        {"0": 9, "2": 9, "4": 3},
    )
    assert again.sizes == whole.sizes
    assert detect(again).label.tolist() == detect(whole).label.tolist()


@pytest.mark.parametrize(
    ("units", "size"),
    [([0], 5), ([1, 0], 5), ([0, 5], 5), ([-1, 2], 5), ([0, 1], 10**12), ([0, 0], 5)],
)
def test_numbers_that_do_not_fit_are_refused(units, size):
    graph = LayeredGraph.from_edges((1, 2), [(0, 1), (0, 2)])
    with pytest.raises(GraphError, match="must be 2 rising numbers below its size"):
        renumber(graph, {graph.names[1]: units}, {graph.names[1]: size})
