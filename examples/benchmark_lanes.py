"""What lanes save on data of one's own: together against one network after the other.

Samples whose bits say whether two numbers have the same sign, learned in mini-batches,
with turns of four epochs or such as end at the score to hold. Two start networks, two
steps for units and two for edges. It takes some five minutes.

    OMP_NUM_THREADS=1 python examples/benchmark_lanes.py
"""

import time

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

import sculpt_plugin as sp

SIZES = {  # samples, inputs, hidden units, outputs, samples of a batch, score to hold
    "small": (500, 8, 24, 2, 50, 0.9),
    "medium": (2000, 12, 64, 4, 100, 0.9),
    "large": (3000, 40, 128, 6, 128, 0.8),
}
GRID = {"seeds": (0, 1), "unit_steps": (0.1, 0.3), "edge_steps": (0.02, 0.1)}


def right(outputs, targets):
    return ((outputs > 0) == (targets > 0.5)).float().mean()


def start(size):
    """Give what makes the start networks, the recipe, and the score to hold."""
    count, wide, hidden, bits, batch, score = SIZES[size]
    inputs = torch.randn(count, wide, generator=torch.Generator().manual_seed(0))
    pairs = [(inputs[:, 2 * bit], inputs[:, 2 * bit + 1]) for bit in range(bits)]
    targets = torch.stack([(a * b > 0).float() for a, b in pairs], dim=1)

    def build(seed):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(wide, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, bits),
        )  # fmt: skip

    return build, {
        "inputs": inputs, "targets": targets, "loss": binary_cross_entropy_with_logits,
        "score": right, "learning_rate": 0.01, "weight_decay": 0.0, "l1_decay": 1e-3,
    }, batch, score  # fmt: skip


def main():
    # Small networks are slower when they are shared among threads.
    torch.set_num_threads(1)
    # Loads what is loaded once.
    task = sp.tasks.get("4,1,4")
    build = sp.tasks.StartNetworks(task, (12,))
    sp.sweep(build, sp.tasks.learning(task), **GRID)
    print(f"{'':8} {'turns are':22} {'together':>9} {'alone':>9} {'ratio':>7}")
    for size in SIZES:
        build, how, batch, score = start(size)
        epochs = {"first_epochs": 30, "epochs": 4, "batch_size": batch}
        ways = {
            "4 epochs": epochs,
            "4 epochs, or the score": {**epochs, "early_accept": score},
        }
        for said, settings in ways.items():
            recipe, seconds = sp.Recipe(**how, **settings), []
            for lanes in (True, False):
                began = time.perf_counter()
                sp.sweep(build, recipe, **GRID, min_score=score, lanes=lanes)
                seconds.append(time.perf_counter() - began)
            together, alone = seconds
            told = f"{together:8.1f}s {alone:8.1f}s {alone / together:7.1f}"
            print(f"{size:8} {said:22} {told}", flush=True)


if __name__ == "__main__":
    main()
