"""Networks of convolutions, batch norms and residuals, from training to modules."""

import copy
from functools import cache

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import sculpt_plugin as sp
from sculpt_plugin.pruning.excerpt import excerpt
from sculpt_plugin.pruning.kernels import WholeKernels


class Block(nn.Module):
    """Two convolutions beside a skip that has a convolution of its own."""

    def __init__(self, below, above):
        super().__init__()
        self.first = nn.Conv2d(below, above, 3, 2, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(above)
        self.second = nn.Conv2d(above, above, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(above)
        self.skip = nn.Conv2d(below, above, 1, 2, bias=False)
        self.skip_norm = nn.BatchNorm2d(above)

    def forward(self, x):
        inside = F.relu(self.first_norm(self.first(x)))
        return F.relu(
            self.second_norm(self.second(inside)) + self.skip_norm(self.skip(x))
        )


def bars():
    """Pictures of 8 x 8 pixels with a bar across, a bar down, or a square."""
    generator = torch.Generator().manual_seed(0)
    images = 0.2 * torch.randn(192, 1, 8, 8, generator=generator)
    labels = torch.arange(192) % 3
    places = torch.randint(0, 6, (192, 2), generator=generator).tolist()
    for image, label, (row, column) in zip(images, labels, places, strict=True):
        if label == 0:
            image[0, row] += 1
        elif label == 1:
            image[0, :, column] += 1
        else:
            image[0, row : row + 3, column : column + 3] += 1
    return images, labels


def accuracy(outputs, labels):
    return (outputs.argmax(1) == labels).float().mean()


def recipe(**settings):
    images, labels = bars()
    return sp.Recipe(
        images,
        labels,
        F.cross_entropy,
        accuracy,
        first_epochs=10,
        epochs=4,
        learning_rate=0.01,
        weight_decay=1e-4,
        batch_size=32,
        **settings,
    )


@cache
def dense():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, 1, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        Block(8, 12),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, 3),
    )
    recipe().prepare(net)
    return net


@cache
def sculpted(compacting):
    learning = recipe(early_accept=0.95)
    return sp.sculpt(
        copy.deepcopy(dense()),
        learning.inputs[:2],
        train=learning.train,
        evaluate=learning.evaluate,
        batches=learning.batches,
        loss=learning.loss,
        min_score=0.95,
        units=0.25,
        edges=0.15,
        edge_importance=WholeKernels(),
        finest=0.1,
        compacting=compacting,
    )


def outputs(net):
    with torch.no_grad():
        return net.eval()(bars()[0])


@pytest.mark.parametrize("compacting", (False, True))
def test_accuracy_is_held_while_channels_and_kernels_go(compacting):
    sculpture = sculpted(compacting)
    assert float(accuracy(outputs(sculpture.model), bars()[1])) >= 0.95
    assert sculpture.density < 0.5
    stages = {step.stage for step in sculpture.record if step.accepted}
    assert {"units", "edges"} <= stages


@pytest.mark.parametrize("compacting", (False, True))
def test_the_model_left_scores_what_its_last_accepted_turn_did(compacting):
    sculpture = sculpted(compacting)
    assert recipe().evaluate(sculpture.model) == pytest.approx(sculpture.score)


@pytest.mark.parametrize("compacting", (False, True))
def test_the_compacted_network_computes_the_same_with_fewer_channels(compacting):
    sculpture = sculpted(compacting)
    small = sculpture.compact().model
    assert torch.allclose(outputs(small), outputs(sculpture.model), atol=1e-5)
    counts = [sum(p.numel() for p in net.parameters()) for net in (small, dense())]
    assert counts[0] < counts[1] / 2


def test_a_channel_has_its_running_statistics_back_where_it_was():
    whole = copy.deepcopy(dense())
    masks = sculpted(False).masks
    part = excerpt(whole, bars()[0][:2], masks=masks)
    assert "1.running_mean" in part.positions
    kept = part.positions["1.running_mean"][0].tolist()
    before = whole[1].running_mean.clone()
    norm = part.model[1]
    assert torch.equal(norm.running_mean, before[kept])
    norm.running_mean.copy_(torch.arange(100.0, 100.0 + len(kept)))
    part.put_back(whole)
    expected = {unit: 100.0 + place for place, unit in enumerate(kept)}
    for unit, value in enumerate(whole[1].running_mean.tolist()):
        assert value == expected.get(unit, float(before[unit]))


def test_a_part_that_was_trained_computes_the_same_where_it_came_from():
    whole = copy.deepcopy(dense())
    masks = sculpted(False).masks
    part = excerpt(whole, bars()[0][:2], masks=masks)
    recipe().train(part.model)
    handle = sp.attach(part.model, part.masks)
    expected = outputs(part.model)
    handle.remove()
    part.put_back(whole)
    assert torch.allclose(outputs(whole), expected, atol=1e-5)


def test_each_kernel_that_is_left_is_one_edge_between_channels():
    sculpture = sculpted(True)
    graph = sp.trace(sculpture.model, bars()[0][:2])
    below, above = (graph.names.index(name) for name in ("0", "3.first"))
    found = graph.adjacency[graph.units(below)][:, graph.units(above)].toarray()
    kernels = sculpture.model.get_parameter("3.first.weight").detach()
    kept = kernels.flatten(2).any(2).numpy().T
    assert 0 < kept.sum() < kept.size
    assert (found == kept).all()


def test_every_live_channel_of_what_is_left_is_in_a_module():
    report = sp.analyze(sculpted(True).model, bars()[0][:2])
    live = report.hierarchy.label >= 0
    modules = report.hierarchy.modules
    assert sum(module.units for module in modules) == live.sum()
    outputs = {output for module in modules for output in module.outputs}
    assert outputs == {0, 1, 2}
