"""Pruned networks for the tests of excerpts, and a little training for them."""

import copy

import torch
from torch import nn

from sculpt_plugin.coupling import couple
from sculpt_plugin.pruning.masks import Masks, apply, attach


def hidden(*between):
    return lambda: nn.Sequential(nn.Linear(4, 6), *between, nn.Linear(6, 2))


def weights_of(model):
    return [p for p in model.parameters() if p.ndim > 1]


def pruned(build, *, ignore=()):
    """A model in float64 without a third of its units and two of its inputs."""
    torch.manual_seed(0)
    model = copy.deepcopy(build()).double()  # parts of it are in `CASES`
    pictured = weights_of(model)[0].ndim == 4
    shape = getattr(model, "shape", (2, 4, 4) if pictured else (4,))
    inputs = torch.randn(9, *shape).double()
    coupling = couple(model, inputs, ignore=ignore)
    masks = Masks.dense(model, coupling)
    for group in coupling.prunable:
        masks = masks.without_units(group, torch.arange(group.size) % 3 == 1)
    keep = {name: mask.clone() for name, mask in masks.keep.items()}
    if not pictured:
        for name in masks.weights:
            if keep[name].shape[1] == 4:
                keep[name][:, [1, 3]] = False
    masks = Masks(keep, masks.weights)
    apply(model, masks)
    return model, inputs, masks


def step(model, inputs, masks):
    """One step of training, whose gradients are plain to compare."""
    handle = attach(model, masks)
    model.train()
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        sgd.zero_grad()
        model(inputs).square().mean().backward()
        sgd.step()
    handle.remove()
    apply(model, masks)
