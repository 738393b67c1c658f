"""What two other searches than the paper's add to a sweep, for how much more work.

*One by one* goes on where the smallest edge cannot go. *Moved inputs* asks more of a
network than its task does: it must also be right where each input is a tenth more or
less, as far as the noise in training moves it, in 99 of 100 answers of three draws.
Networks that are right by a hair are then turned down.

Eleven of the paper's tasks, two shapes of network, four seeds each. The paper's search
and that with moved inputs have the finest and the coarsest edge step, one by one has
the coarsest. Right is what the paper calls so for the task's family: inputs and outputs
grouped as the task groups them, and of the first four tasks the number of modules. It
takes some fifteen minutes.

    OMP_NUM_THREADS=1 python examples/benchmark_searches.py
"""

import time
from dataclasses import replace
from statistics import mean

import torch

from sculpt_plugin import tasks
from sculpt_plugin.pruning.sweep import sweep
from sculpt_plugin.reproducing.experiments import PAPERS_UNIT_STEPS
from sculpt_plugin.reproducing.judging import is_right
from sculpt_plugin.reproducing.verdicts import judge_networks
from sculpt_plugin.reproducing.witnesses import sparsest_witnesses

TASKS = (
    "4,2,4", "4,1,2,16", "6,3,3,3", "4,1,4", "4,1,2,4", "8,2,4", "7,3,2,4", "6,3,2,4",
    "5,3,2,4", "4,1,2,2,4", "8,2,1,2,4",
)  # fmt: skip
SHAPES = ((24, 24), (24, 24, 24))
SEEDS = (0, 1, 2, 5)
BOTH_STEPS = {"edge_steps": (0.005, 0.025)}
COPIES, SPARED = 3, 0.01  # draws of moved inputs, and the share they may get wrong


def with_moved_inputs(task, *, hidden):
    """Ask that a network also be right where each input is a tenth more or less."""
    recipe = tasks.learning(task, hidden=hidden)
    rows = len(recipe.inputs)
    source = torch.Generator().manual_seed(77)
    signs = 2 * torch.randint(2, (COPIES, *recipe.inputs.shape), generator=source) - 1
    moved = (recipe.inputs + recipe.noise * signs).flatten(end_dim=1)

    def score(outputs, bits):
        # A single wrong answer of hundreds would keep a network from being pruned.
        near = recipe.score(outputs[rows:], bits[rows:]) + SPARED
        return torch.minimum(
            recipe.score(outputs[:rows], bits[:rows]), near.clamp(max=1)
        )

    inputs = torch.cat([recipe.inputs, moved])
    targets = recipe.targets.repeat(1 + COPIES, 1)
    return replace(recipe, validation=(inputs, targets), score=score)


WAYS = {
    "paper's": (tasks.learning, BOTH_STEPS),
    "one by one": (tasks.learning, {"edge_steps": (0.025,), "one_by_one": True}),
    "moved inputs": (with_moved_inputs, BOTH_STEPS),
}


def swept(name, hidden, way):
    """Sweep a task; give edges of the sparsest, right ones, turns and seconds."""
    task, began = tasks.get(name), time.perf_counter()
    family = task.families[0]
    learning, how = WAYS[way]
    found = sweep(
        tasks.StartNetworks(task, hidden),
        learning(task, hidden=hidden),
        seeds=SEEDS,
        unit_steps=PAPERS_UNIT_STEPS,
        **how,
    )
    seconds = time.perf_counter() - began
    said = judge_networks(
        task,
        sparsest_witnesses(found),
        seeds=SEEDS,
        methods=("bidirectional",),
        witness_count=20,
    )["bidirectional"]
    edges = [found.sparsest(seed).network.edge_count for seed in found.seeds]
    right = [
        sum(
            bool(x and is_right(x, task, family=family, depth=len(hidden))["modules"])
            for x in said[voice]
        )
        for voice in ("single", "typical")
    ]
    return edges, right, seconds


def main():
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    columns = ("edges", "sparsest right", "typical right", "time")
    print(f"{'task':14s}", f"{'way':12s}", *columns, sep="  ")
    totals = {way: ([], [0, 0], []) for way in WAYS}
    for name in TASKS:
        for way, (all_edges, all_right, times) in totals.items():
            found = [swept(name, hidden, way) for hidden in SHAPES]
            edges = [count for part, _, _ in found for count in part]
            right = [sum(pair) for pair in zip(*[r for _, r, _ in found], strict=True)]
            all_edges += edges
            all_right[:] = [a + b for a, b in zip(all_right, right, strict=True)]
            times.append(sum(seconds for _, _, seconds in found))
            show(f"[{name}]", way, edges, right, times[-1] / totals["paper's"][2][-1])
    for way, (edges, right, times) in totals.items():
        show("all", way, edges, right, sum(times) / sum(totals["paper's"][2]))


def show(name, way, edges, right, share):
    """Print a row; the time is that of the paper's way, times so much."""
    few, typical = (f"{count} of {len(edges)}" for count in right)
    print(f"{name:14s}  {way:12s}  {mean(edges):5.1f}  {few:>14s}  {typical:>13s}"
          f"  {share:4.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
