"""
The criteria inside torch-pruning's own pruners
===============================================

``UnitSensitivity``, ``EdgeSaliency`` and their like are torch-pruning importances: its
pruners take them. Here five importances rank the channels of a convolutional network.
"""

import copy

import matplotlib.pyplot as plt
import torch
import torch_pruning as tp
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import sculpt_plugin as sp

# %%
# A network that reads digits
# ---------------------------
# 1,797 digits of 8 x 8 pixels, the last 597 for testing (``pip install scikit-learn``).

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
labels = torch.tensor(digits.target)


def train(model):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for _ in range(12):
        for part in torch.randperm(1200).split(100):
            optimizer.zero_grad()
            F.cross_entropy(model(images[part]), labels[part]).backward()
            optimizer.step()


@torch.no_grad()
def accuracy(model):
    return (model(images[1200:]).argmax(1) == labels[1200:]).float().mean().item()


torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(),
    nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10),
)  # fmt: skip
train(model)
print(f"accuracy {accuracy(model):.1%}")

# %%
# One step of a pruner
# --------------------
# ``measure`` looks at the model and at some data, and gives the importance back. After
# that the pruner is used as always. Two things are torch-pruning's to know: without
# ``ignored_layers`` it cuts the classes too, and ``measure`` must be called again
# before each further step, since a pruner replaces the parameters.


def pruned(importance, ratio):
    small = copy.deepcopy(model)
    if not isinstance(importance, tp.importance.MagnitudeImportance):
        importance.measure(small, [(images[:600], labels[:600])], F.cross_entropy)
    tp.pruner.BasePruner(
        small,
        (images[:1],),
        importance=importance,
        pruning_ratio=ratio,
        global_pruning=True,
        ignored_layers=[small[-1]],
    ).step()
    return small


print(pruned(sp.UnitSensitivity(), 0.5))

# %%
# Who ranks best?
# ---------------
# All five prune the same network, with no training after it. What a criterion thought
# unimportant is gone; the accuracy that is left says whether it was right.

ratios = (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
criteria = {
    "UnitSensitivity": sp.UnitSensitivity(),
    "EdgeSensitivity": sp.EdgeSensitivity(),
    "EdgeSaliency": sp.EdgeSaliency(),
    "EdgeMagnitude": sp.EdgeMagnitude(),
    "torch-pruning's magnitude": tp.importance.MagnitudeImportance(),
}
_, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for (name, importance), mark in zip(criteria.items(), "os^vD", strict=True):
    left = [100 * accuracy(pruned(importance, ratio)) for ratio in ratios]
    ax.plot([100 * ratio for ratio in ratios], left, marker=mark, label=name)
ax.set(xlabel="channels pruned, %", ylabel="accuracy without training, %")
ax.legend()
plt.show()
