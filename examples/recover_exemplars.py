"""Do the sparsest of a small grid of runs show the true modules? A table.

For each exemplar of the paper and each seed, a 24-24 network is sculpted once for each
pair of steps, and the sparsest result is looked at: are the inputs, and the outputs,
grouped as the task is? Takes some minutes on two cores.

    python examples/recover_exemplars.py [task ...]
"""

import sys
from itertools import product
from multiprocessing import get_context

TASKS = ("4,2,4", "4,1,2,16", "6,3,3,3", "4,1,4")
SEEDS = (0, 1, 2, 5)
UNIT_STEPS = tuple(range(70, 0, -5))
EDGE_STEPS = (0.5, 1.5, 2.5)


def one(arguments):
    """Sculpt once: density, whether inputs and outputs are right, module count."""
    import torch

    from sculpt_plugin import tasks
    from sculpt_plugin.running import sculpt_task

    torch.set_num_threads(1)
    name, seed, unit_step, edge_step = arguments
    task = tasks.get(name)
    sculpture, report = sculpt_task(
        task, unit_step=unit_step, edge_step=edge_step, seed=seed
    )
    graph, label = report.graph, report.hierarchy.label
    inputs = same(label[graph.units(0)], task.truth.input_label)
    outputs = same(label[graph.units(graph.depth - 1)], task.truth.output_label)
    found = len(report.hierarchy.modules)
    return sculpture.density, unit_step, edge_step, inputs, outputs, found


def same(found, true):
    """Tell whether two labellings are the same partition."""
    pairs = set(zip(map(int, found), map(int, true), strict=True))
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def main(names):
    print(
        "task      seed  density  units  edges  inputs outputs modules  all runs right"
    )
    with get_context("spawn").Pool(2) as pool:
        for name, seed in product(names, SEEDS):
            grid = [(name, seed, *steps) for steps in product(UNIT_STEPS, EDGE_STEPS)]
            results = sorted(pool.map(one, grid, chunksize=1), key=lambda r: r[0])
            density, unit_step, edge_step, inputs, outputs, found = results[0]
            right = sum(r[3] and r[4] for r in results) / len(results)
            print(
                f"{name:9} {seed:4}  {density:7.2%}  {unit_step:4}%  {edge_step:4}%"
                f"  {'right' if inputs else 'wrong'}  {'right' if outputs else 'wrong'}"
                f"  {found:7}  {right:.0%}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:] or TASKS)
