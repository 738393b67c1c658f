"""
A convolutional network, smaller at the same accuracy
=====================================================

Sculpt prunes to see, but what is pruned can be cut out too. Here a network that reads
digits may lose one hundredth of its accuracy, and gives up all the units it can spare.
"""

import copy
import tempfile
import timeit
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn

import sculpt_plugin as sp

# %%
# The network and its data
# ------------------------
# 1,797 digits of 8 x 8 pixels: 1,000 to train on, 400 to prune by, and the rest to
# judge the result on, which no decision has seen. Needs ``pip install scikit-learn``.

images, labels = map(torch.tensor, load_digits(return_X_y=True))
images = images.float().view(-1, 1, 8, 8) / 16
torch.manual_seed(0)
training, validation, test = torch.randperm(1797).split([1000, 400, 397])
model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
    nn.Conv2d(16, 48, 3, stride=2), nn.BatchNorm2d(48), nn.ReLU(),
    nn.Flatten(), nn.Linear(432, 64), nn.ReLU(), nn.Linear(64, 10),
)  # fmt: skip


def train(model, steps=60):
    optimizer = torch.optim.Adam(model.train().parameters(), lr=0.003)
    for _ in range(steps):
        rows = training[torch.randint(1000, (50,))]
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
        optimizer.step()


@torch.no_grad()
def accuracy(model, rows=validation):
    return (model.eval()(images[rows]).argmax(1) == labels[rows]).float().mean().item()


train(model, steps=150)
dense = copy.deepcopy(model)

# %%
# Prune to the target
# -------------------
# Only whole units make a model faster, so ``edges=None`` leaves single edges alone.
# ``compact`` cuts out what is pruned; the smaller model computes the same.

sculpture = sp.sculpt(
    model,
    images[:1],
    train=train,
    evaluate=accuracy,
    batches=[(images[validation], labels[validation])],
    loss=nn.functional.cross_entropy,
    max_drop=0.01,
    units=0.2,
    edges=None,
)
small = sculpture.compact().model
print(f"{sculpture.record[0].score:.1%} right before, {sculpture.score:.1%} after")
print(small)

# %%
# Before and after
# ----------------
# Both models go into files, and what comes out of these is measured: the size, the time
# for all digits, and the accuracy on the digits that no decision has seen.


def measured(model, path):
    torch.save(model, path)
    loaded = sp.load_model(path).model.eval()  # runs no code in the file
    seconds = min(timeit.repeat(lambda: loaded(images), number=1, repeat=9))
    return path.stat().st_size / 1024, 1000 * seconds, 100 * accuracy(loaded, test)


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "model.pt"
    before, after = measured(dense, path), measured(small, path)
_, panels = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
titles = ("file, KiB", "all digits, ms", "right test digits, %")
for ax, title, *pair in zip(panels, titles, before, after, strict=True):
    ax.bar_label(ax.bar(("dense", "sculpted"), pair, width=0.6), fmt="{:.1f}")
    ax.set(title=title, ylim=(0, 1.15 * max(pair)))
plt.show()
