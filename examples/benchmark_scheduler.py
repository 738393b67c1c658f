"""What the search itself costs beside the training: scoring, choosing, masks, disk.

A 1M-weight MLP is sculpted with a `train` that takes no time: what is measured is the
search's own work; the table sets it against a training of one second per turn.

    python examples/benchmark_scheduler.py
"""

import tempfile
import time
from itertools import groupby
from pathlib import Path

import torch
from torch import nn

import sculpt_plugin as sp

TRAINING = 1.0  # seconds a turn that the search's own cost is set against


def main():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(784, 800), nn.ReLU(), nn.Linear(800, 500), nn.ReLU(),
        nn.Linear(500, 10),
    )  # fmt: skip
    weights = sum(p.numel() for p in model.parameters() if p.ndim > 1)
    samples, targets = torch.randn(1000, 784), torch.randint(0, 10, (1000,))
    batches = list(zip(samples.split(250), targets.split(250), strict=True))
    began = time.perf_counter()
    moments = []

    def score(model):
        # Every fourth turn fails, so that rolling back is in the bill.
        return float(len(moments) % 4 != 3)

    with tempfile.TemporaryDirectory() as folder:
        sculpture = sp.sculpt(
            model,
            samples[:1],
            train=lambda model: None,
            evaluate=score,
            batches=batches,
            loss=nn.functional.cross_entropy,
            min_score=0.5,
            units=sp.schedule.linear(0.5, 8),
            edges=sp.schedule.linear(0.9, 12),
            checkpoint=Path(folder) / "checkpoint",
            on_step=lambda step: moments.append((step.stage, time.perf_counter())),
        )
    print(f"{weights:,} weights, {len(batches)} batches of 250 samples")
    print("stage     turns  own seconds per turn  of a turn that trains 1 s")
    total = moments[-1][1] - began
    for stage, group in groupby(moments, key=lambda moment: moment[0]):
        ends = [end for _, end in group]
        took, began = ends[-1] - began, ends[-1]
        each = took / len(ends)
        print(f"{stage:8} {len(ends):6} {each:21.3f} {each / (TRAINING + each):26.1%}")
    each = total / len(moments)
    print(f"{'all':8} {len(moments):6} {each:21.3f} {each / (TRAINING + each):26.1%}")
    assert sculpture.density < 1


if __name__ == "__main__":
    main()
