"""How soon a network on digits is sparse: its dense training, and then its turns.

For each network the seconds of the dense training, those until it is as sparse as asked
for and until its end, what the analysis takes, and the most memory the process held.

    python examples/benchmark_digits.py --data DIR
"""

import argparse
import resource
import time

import torch

import sculpt_plugin as sp
from sculpt_plugin.running_digits import learn_digits, sculpt_digits

COLUMNS = (
    "hidden layers",
    "dense, seconds",
    "density asked for",
    "reached after, seconds",
    "at the end",
    "after, seconds",
    "analysis, seconds",
    "memory, GiB",
)


def timed(task, hidden, density, seed):
    """Give one row of the table."""
    began = time.perf_counter()
    dense = learn_digits(task, hidden=hidden, seed=seed)
    learned = time.perf_counter() - began
    reached = []

    def note(step):
        if step.accepted and step.density <= density:
            reached.append(time.perf_counter() - began)

    sculpture = sculpt_digits(dense, seed=seed, on_step=note)
    ended = time.perf_counter() - began
    inputs = dense.recipe.checked_on[0][:1]
    sp.analyze(sculpture.model, inputs)  # what is slow once
    again = time.perf_counter()
    sp.analyze(sculpture.model, inputs)
    analyzed = time.perf_counter() - again
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return (
        "-".join(map(str, hidden)),
        f"{learned:.0f}",
        f"{density:.2%}",
        f"{reached[0]:.0f}" if reached else "never",
        f"{sculpture.density:.3%}",
        f"{ended:.0f}",
        f"{analyzed:.2f}",
        f"{peak:.1f}",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="a folder with MNIST")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_flush_denormal(True)
    task = sp.tasks.digits("digits-hierarchical", data=chosen.data)
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}", flush=True)
    for layers, density in ((2, 0.0015), (4, 0.0007)):
        row = timed(task, (784,) * layers, density, chosen.seed)
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
