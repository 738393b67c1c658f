"""Four samples, a small network and a recipe that learns them."""

import copy

import torch
from torch import nn

from sculpt_plugin.training.recipe import Recipe

INPUTS = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
TARGETS = (INPUTS[:, :1] != INPUTS[:, 1:]).float()


def right(outputs, targets):
    return ((outputs > 0.5) == (targets > 0.5)).float().mean()


def recipe(**changes) -> Recipe:
    settings = {"learning_rate": 0.05, "noise": 0.1, "epochs": 5}
    return Recipe(INPUTS, TARGETS, nn.functional.mse_loss, right, **settings | changes)


def network(*extra) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(2, 8), *extra, nn.ReLU(), nn.Linear(8, 1))


class Counting(nn.Sequential):
    """Counts the passes it is trained in."""

    passes = 0

    def forward(self, x):
        self.passes += self.training and torch.is_grad_enabled()
        return super().forward(x)


def weights_of_each_epoch(model, how):
    """The weights after each epoch, with torch's own Adam and no shared passes."""
    optimizer = torch.optim.Adam(model.parameters(), weight_decay=how.weight_decay)
    weights = [model[0].weight, model[-1].weight]
    source = torch.Generator().manual_seed(how.seed)
    history = []
    for epoch in range(how.epochs):
        share = (epoch + 1) / how.epochs
        rate = how.learning_rate * (1 + (how.final_share - 1) * share)
        optimizer.param_groups[0]["lr"] = rate
        noise = torch.randn(len(INPUTS), 2, generator=source)
        noisy = INPUTS + how.noise * noise
        optimizer.zero_grad()
        sizes = sum(weight.abs().sum() for weight in weights)
        (how.loss(model(noisy), TARGETS) + how.l1_decay * sizes).backward()
        optimizer.step()
        history.append(copy.deepcopy(model.state_dict()))
    return history
