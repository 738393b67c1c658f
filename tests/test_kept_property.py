"""The law of masks: put on another model of the same shape, they make it the same."""

import copy

import torch
from drawn_networks import Drawn
from hypothesis import given, settings
from random_networks import networks

from sculpt_plugin.analysis.trace import read
from sculpt_plugin.exporting.kept import kept, stops_units, unread
from sculpt_plugin.inputs import call, flat_tensors
from sculpt_plugin.pruning.masks import apply


@settings(derandomize=True, max_examples=25)
@given(networks())
def test_a_dense_network_under_the_masks_computes_what_the_pruned_one_does(
    model: Drawn,
) -> None:
    found = read(model, model.example)
    gone = {} if stops_units(model) else unread(found.graph, covered=found.coverage)
    masks = kept(model, gone)
    dense = copy.deepcopy(model)
    with torch.no_grad():
        for name in masks.weights:
            weight = dense.get_parameter(name)
            weight[weight == 0] = 7
    apply(dense, masks)
    results = (flat_tensors(call(x, model.example)) for x in (dense, model))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)
