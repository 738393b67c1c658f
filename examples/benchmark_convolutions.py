"""Residual convolutions made smaller, by sculpt and by torch-pruning's own criteria.

Every search holds the same accuracy on the same validation images: remove, train for
the same number of epochs, keep or roll back and halve the step. What each leaves is cut
out, counted, timed in turn with the others, and scored on MNIST's own test images,
which no search sees.

    python examples/benchmark_convolutions.py --data DIR
"""

import argparse
import copy
import statistics
import time

import torch
import torch_pruning as tp
from torch import nn
from torch.nn import functional as F

import sculpt_plugin as sp
from sculpt_plugin.pruning.kernels import WholeKernels
from sculpt_plugin.vision import import_torchvision

DROP = 0.01  # how much of the validation accuracy may be lost
STEP, FINEST = 0.1, 0.04  # first and last share to remove
MEASURED = 1000  # training images that criteria look at


class Block(nn.Module):
    """Two convolutions beside a skip."""

    def __init__(self, below, above, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(below, above, 3, stride, 1, bias=False),
            nn.BatchNorm2d(above),
            nn.ReLU(),
            nn.Conv2d(above, above, 3, 1, 1, bias=False),
            nn.BatchNorm2d(above),
        )
        self.skip = nn.Identity()
        if stride > 1:
            self.skip = nn.Sequential(
                nn.Conv2d(below, above, 1, stride, bias=False), nn.BatchNorm2d(above)
            )

    def forward(self, x):
        return F.relu(self.body(x) + self.skip(x))


def network(width=16):
    return nn.Sequential(
        nn.Conv2d(1, width, 3, 2, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        Block(width, width, 1),
        Block(width, 2 * width, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * width, 10),
    )


def accuracy(outputs, labels):
    return (outputs.argmax(1) == labels).float().mean()


def images(folder, *, train, download):
    kind = import_torchvision().datasets.MNIST
    data = kind(folder, train=train, download=download)
    return data.data[:, None].float() / 255, data.targets


def learning(pixels, labels):
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    train, check = order[:4000], order[4000:6000]
    return sp.Recipe(
        pixels[train],
        labels[train],
        F.cross_entropy,
        accuracy,
        validation=(pixels[check], labels[check]),
        first_epochs=10,
        epochs=2,
        learning_rate=0.005,
        weight_decay=1e-4,
        batch_size=64,
    )


def sculpted(dense, recipe, floor, **settings):
    sculpture = sp.sculpt(
        copy.deepcopy(dense),
        recipe.inputs[:1],
        train=recipe.train,
        evaluate=recipe.evaluate,
        batches=[(recipe.inputs[:MEASURED], recipe.targets[:MEASURED])],
        loss=recipe.loss,
        min_score=floor,
        finest=FINEST,
        compacting=True,
        **settings,
    )
    return sculpture, len(sculpture.record) - 1


def channels(model):
    """Count the channels that are free to go: an addition's two sides count once."""
    first, second = model[3], model[4]
    free = (model[0], first.body[0], second.body[0], second.body[3])
    return sum(layer.out_channels for layer in free)


def pruned(dense, recipe, floor, importance):
    """Search as `sculpt` does, with a pruner of torch-pruning for every turn."""
    kept, step, turns, total = dense, STEP, 0, channels(dense)
    while True:
        trial = copy.deepcopy(kept).eval()
        trial.zero_grad()
        images, labels = recipe.inputs[:MEASURED], recipe.targets[:MEASURED]
        recipe.loss(trial(images), labels).backward()
        before = channels(trial)
        tp.pruner.BasePruner(
            trial,
            (recipe.inputs[:1],),
            importance=importance,
            pruning_ratio=min(1.0, step * total / before),
            global_pruning=True,
            ignored_layers=[trial[-1]],
        ).step()
        trial.zero_grad()
        recipe.train(trial)
        turns += 1
        gone = channels(trial) < before
        if gone and recipe.evaluate(trial) >= floor:
            kept = trial
            continue
        step /= 2
        if step * total < max(1, FINEST * channels(kept)):
            return kept, turns


@torch.no_grad()
def latencies(models, inputs, repeats):
    """Time the models in turn, and give each one's share of the first one's time."""
    taken = [[] for _ in models]
    for repeat in range(repeats + 2):
        for model, times in zip(models, taken, strict=True):
            began = time.perf_counter()
            model(inputs)
            if repeat > 1:
                times.append(time.perf_counter() - began)
    return [
        statistics.median(b / a for a, b in zip(taken[0], times, strict=True))
        for times in taken
    ]


def kernels(model):
    """Count what the channels read of each other."""
    return sum(
        int((p != 0).flatten(2).any(2).sum()) if p.ndim > 2 else int((p != 0).sum())
        for p in model.parameters()
        if p.ndim > 1
    )


def found(dense, recipe):
    """Search in every way: name, small model, turns, seconds, model to analyze."""
    floor = recipe.evaluate(dense) - DROP
    magnitude = tp.importance.GroupMagnitudeImportance
    rows = [("dense", dense, 0, 0.0, dense)]

    def ours(name, start, **settings):
        began = time.perf_counter()
        sculpture, turns = sculpted(start, recipe, floor, **settings)
        small, taken = sculpture.compact().model, time.perf_counter() - began
        rows.append((name, small, turns, taken, sculpture.model))
        return small

    def theirs(name, importance):
        began = time.perf_counter()
        small, turns = pruned(dense, recipe, floor, importance)
        rows.append((name, small, turns, time.perf_counter() - began, small))

    ours("sculpt, channels", dense, units=STEP, edges=None)
    small = ours(
        "  by GroupMagnitude",
        dense,
        units=STEP,
        edges=None,
        unit_importance=magnitude(),
    )
    whole = WholeKernels()
    ours("    then kernels", small, units=None, edges=STEP, edge_importance=whole)
    ours("sculpt, single weights", dense, units=None, edges=STEP)
    theirs("pruner, GroupTaylor", tp.importance.GroupTaylorImportance())
    theirs("pruner, GroupMagnitude", magnitude())
    return rows


def show(rows, recipe, unseen):
    models = [row[1].eval() for row in rows]
    single = latencies(models, unseen[0][:1], 200)
    many = latencies(models, unseen[0][:256], 20)
    print(
        f"{'':24}{'turns':>6}{'seconds':>8}{'valid. %':>9}{'test %':>7}{'params':>7}"
        f"{'nonzero':>8}{'kernels':>8}{'MACs k':>7}{'time, 1':>8}{'256':>6}"
        f"{'modules':>8}"
    )
    for row, one, batch in zip(rows, single, many, strict=True):
        name, model, turns, taken, large = row
        with torch.no_grad():
            test = float(accuracy(model(unseen[0]), unseen[1]))
        macs, count = tp.utils.count_ops_and_params(model, unseen[0][:1])
        nonzero = sum(int((p != 0).sum()) for p in model.parameters())
        report = sp.analyze(large, unseen[0][:1], method="agglomerative")
        modules = len(report.hierarchy.modules)
        print(
            f"{name:24}{turns:6}{taken:8.0f}{100 * recipe.evaluate(model):9.2f}"
            f"{100 * test:7.2f}{count:7.0f}{nonzero:8}{kernels(model):8}"
            f"{macs / 1000:7.0f}{one:8.2f}{batch:6.2f}{modules:8}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder that has MNIST")
    parser.add_argument("--download", action="store_true", help="get it if it is not")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0], help="of the dense networks"
    )
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    recipe = learning(*images(chosen.data, train=True, download=chosen.download))
    unseen = images(chosen.data, train=False, download=chosen.download)
    for seed in chosen.seeds:
        torch.manual_seed(seed)
        dense = network()
        recipe.prepare(dense)
        print(f"\nseed {seed}")
        show(found(dense, recipe), recipe, unseen)


if __name__ == "__main__":
    main()
