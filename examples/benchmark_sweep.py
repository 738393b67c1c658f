"""What a sweep costs: 4 seeds x 70 pairs of steps, as the paper tries them.

The paper's program needs 29 + 25 s for one pair on [4,2,4], and for one network 14 unit
stages and 70 edge stages: over half an hour (METHOD of the reference, same kind of
machine). The last column sets the sweep against that, four networks at 36 minutes.

    python examples/benchmark_sweep.py
"""

import resource
import statistics
import time

import torch

import sculpt_plugin as sp

PUBLISHED = 4 * (14 * 29 + 70 * 25)  # seconds for four networks of [4,2,4]
REPEATS = 3


def seconds(task, *, runs=70, seeds=(0, 1, 2, 5)) -> tuple[float, sp.Sweep]:
    build = sp.tasks.StartNetworks(task, (24, 24))
    recipe = sp.tasks.learning(task, hidden=(24, 24))
    units = [step / 100 for step in range(5, 75, 5)]
    edges = [0.005, 0.01, 0.015, 0.02, 0.025][: runs // 14]
    began = time.perf_counter()
    found = sp.sweep(build, recipe, seeds=seeds, unit_steps=units, edge_steps=edges)
    return time.perf_counter() - began, found


def main():
    # Truth tables are too small to share among more threads.
    torch.set_num_threads(2)
    seconds(sp.tasks.get("4,1,4"), runs=14, seeds=(0,))  # loads what is loaded once
    print(f"{'task':12} {'runs':>5} {'seconds (of three)':>20} {'sparsest %':>24}")
    for name in ("4,1,2,16", "4,2,4", "6,3,3,3", "4,1,4"):
        taken, found = zip(
            *(seconds(sp.tasks.get(name)) for _ in range(REPEATS)), strict=True
        )
        sweep = found[-1]
        density = " ".join(
            f"{100 * sweep.sparsest(seed).density:.2f}" for seed in sweep.seeds
        )
        told = f"{min(taken):.2f} {statistics.median(taken):.2f} {max(taken):.2f}"
        print(f"[{name}]".ljust(12), f"{len(sweep.runs):5} {told:>20} {density:>24}")
        if name == "4,2,4":
            ratio = PUBLISHED / statistics.median(taken)
            print(f"{'':12} the paper's program, {PUBLISHED} s: {ratio:.0f} times that")
    print("\nlanes and seconds, [4,2,4] (work that runs share is done once):")
    for seeds in ((0,), (0, 1), tuple(range(4)), tuple(range(8)), tuple(range(16))):
        taken, sweep = seconds(sp.tasks.get("4,2,4"), seeds=seeds)
        count = len(sweep.runs)
        print(f"{count:6} {taken:8.2f}   {1000 * taken / count:6.1f} ms a run")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\npeak memory {peak:.2f} GiB, torch itself included")


if __name__ == "__main__":
    main()
