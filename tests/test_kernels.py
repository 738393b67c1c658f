import pytest
import torch
import torch_pruning as tp
from networks import ZOO, Residual, warmed
from torch import nn
from torch.nn import functional as F

from sculpt_plugin.coupling import couple
from sculpt_plugin.errors import DataError
from sculpt_plugin.pruning.importance import EdgeMagnitude, EdgeSensitivity
from sculpt_plugin.pruning.kernels import WholeKernels
from sculpt_plugin.pruning.masks import Masks
from sculpt_plugin.pruning.selection import drop_edges

LAYERS = {
    "1-D": nn.Conv1d(2, 3, 5),
    "2-D": nn.Conv2d(2, 3, 3),
    "3-D": nn.Conv3d(2, 3, 2),
    "grouped": nn.Conv2d(4, 6, 3, groups=2),
    "transposed": nn.ConvTranspose2d(2, 3, 3),
}


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_weights_of_a_kernel_share_its_mean_score(layer):
    scores = WholeKernels().edge_scores(nn.Sequential(layer))["0.weight"]
    for kernel, score in zip(
        layer.weight.detach().flatten(0, 1), scores.flatten(0, 1), strict=True
    ):
        expected = kernel.abs().sum() / kernel.numel()
        assert torch.allclose(score, expected.expand_as(score))


def test_linear_weights_keep_their_own_score():
    net = nn.Sequential(nn.Linear(3, 2))
    own = EdgeMagnitude().edge_scores(net)["0.weight"]
    assert torch.equal(WholeKernels().edge_scores(net)["0.weight"], own)


def test_a_turn_takes_whole_kernels_where_single_weights_take_none():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
    coupling = couple(net, torch.zeros(1, 4, 8, 8))

    def cut(importance):
        masks = drop_edges(
            Masks.dense(net, coupling), importance.edge_scores(net), 9 * 7
        )
        left = [masks.keep[name].flatten(2).sum(2) for name in masks.weights]
        return torch.cat([counts.flatten() for counts in left]).tolist()

    assert sorted(cut(WholeKernels())) == [0] * 7 + [9] * 17
    assert 0 not in cut(EdgeMagnitude())


def test_a_count_inside_a_kernel_cuts_one_kernel_and_the_next_turn_ends_it():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(4, 4, 3))
    masks = Masks.dense(net, couple(net, torch.zeros(1, 4, 8, 8)))
    first = drop_edges(masks, WholeKernels().edge_scores(net), 9 * 3 + 4)
    left = first.keep["0.weight"].flatten(2).sum(2)
    assert sorted(left.flatten().tolist()) == [0, 0, 0, 5, *[9] * 12]
    with torch.no_grad():
        net[0].weight.mul_(first.keep["0.weight"])
    then = drop_edges(first, WholeKernels().edge_scores(net), 9 * 4)
    left = then.keep["0.weight"].flatten(2).sum(2)
    assert sorted(left.flatten().tolist()) == [0] * 4 + [9] * 12


def test_sensitivities_are_measured_and_averaged():
    net, inputs = warmed(Residual)
    data = [(inputs, torch.randint(0, 3, (len(inputs),)))]
    own = EdgeSensitivity().measure(net, data, F.cross_entropy).edge_scores(net)
    of_kernels = WholeKernels(EdgeSensitivity()).measure(net, data, F.cross_entropy)
    expected = own["conv2.weight"].mean((2, 3))
    found = of_kernels.edge_scores(net)["conv2.weight"]
    assert torch.allclose(found, expected[..., None, None].expand(5, 5, 3, 3))


def test_scores_that_need_data_are_refused_without():
    net, _ = warmed(Residual)
    with pytest.raises(DataError, match="has not measured this model"):
        WholeKernels(EdgeSensitivity()).edge_scores(net)


@pytest.mark.parametrize("kind", ZOO)
def test_a_unit_scores_the_sum_over_its_single_weights(kind):
    net, inputs = warmed(kind)
    for group in couple(net, inputs).prunable:
        found = WholeKernels()(group.root)
        expected = EdgeMagnitude()(group.root)
        assert found is not None and expected is not None
        assert torch.equal(found, expected)


def test_a_pruner_of_torch_pruning_takes_it():
    net, inputs = warmed(Residual)
    pruner = tp.pruner.BasePruner(
        net,
        (inputs,),
        importance=WholeKernels(),
        pruning_ratio=0.4,
        ignored_layers=[net.output],
        in_channel_groups={},
        out_channel_groups={},
        num_heads={},
    )
    pruner.step()
    assert net.conv1.out_channels < 5
