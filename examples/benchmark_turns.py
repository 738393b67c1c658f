"""What a turn may be spared on digits, and what that costs in density and separation.

The same dense networks are sculpted again and again, each time with one thing changed:
when a turn ends, how many epochs it has at most, how much goes at a time, how edges are
ranked, the learning rate, what draws weights towards zero.

    OMP_NUM_THREADS=1 python examples/benchmark_turns.py --data DIR
"""

import argparse
import copy
import time
from dataclasses import replace
from statistics import fmean

import numpy as np
import torch

import sculpt_plugin as sp
from sculpt_plugin.reproducing.digit_results import judge_digits
from sculpt_plugin.reproducing.witnesses import witness
from sculpt_plugin.running_digits import SEARCH, learn_digits, sculpt_digits
from sculpt_plugin.tasks.digits import SIDE

# What is changed of the recipe, the share of the edges that goes at a time, and by what
# edges are ranked.
USUAL, SALIENCY = SEARCH.edge_step, sp.EdgeSaliency()
SETTINGS = {
    "as `sculpt run` has them": (lambda dense: {}, USUAL, SALIENCY),
    "whole ones, no early end": (
        lambda dense: {"early_accept": None},
        USUAL,
        SALIENCY,
    ),
    "an end as soon as the score holds": (
        lambda dense: {"early_accept": dense.min_score},
        USUAL,
        SALIENCY,
    ),
    "at most 2 epochs": (lambda dense: {"epochs": 2}, USUAL, SALIENCY),
    "at most 12 epochs": (lambda dense: {"epochs": 12}, USUAL, SALIENCY),
    "half of the edges at a time": (lambda dense: {}, 0.5, SALIENCY),
    "a tenth of the edges at a time": (lambda dense: {}, 0.1, SALIENCY),
    "edges ranked by magnitude": (lambda dense: {}, USUAL, sp.EdgeMagnitude()),
    "a constant rate of 0.001": (
        lambda dense: {"learning_rate": 0.001, "final_share": 1.0},
        USUAL,
        SALIENCY,
    ),
    "half of the L1 penalty": (
        lambda dense: {"l1_decay": dense.recipe.l1_decay / 2},
        USUAL,
        SALIENCY,
    ),
    "no L1 penalty, weight decay 3e-4": (
        lambda dense: {"l1_decay": 0.0, "weight_decay": 3e-4},
        USUAL,
        SALIENCY,
    ),
}
COLUMNS = (
    "turns",
    "tried",
    "time",
    "density",
    "first-layer units that read both digits",
    "inputs",
    "outputs",
    "middle",
)


def sculpted(dense, changes, step, importance, seed):
    """Sculpt a copy of a dense network; give what is left."""
    changed = replace(
        dense,
        model=copy.deepcopy(dense.model),
        recipe=replace(dense.recipe, **changes(dense)),
        search=replace(dense.search, edge_step=step),
    )
    return sculpt_digits(changed, edge_importance=importance, seed=seed)


def reads_both(graph):
    """Count live units of the first layer, and those that read both digits."""
    live = graph.live()
    feeders = live.adjacency.tocsc()[:, live.units(1)]
    right = live.channel[live.units(0)] % (2 * SIDE) >= SIDE
    columns = np.split(feeders.indices, feeders.indptr[1:-1])
    both = [len(np.unique(right[column])) == 2 for column in columns]
    return len(both), sum(both)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="a folder with MNIST")
    parser.add_argument("--task", default="digits-hierarchical")
    parser.add_argument("--hidden", default="392,392")
    parser.add_argument("--seeds", default="0,1,2")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    task = sp.tasks.digits(chosen.task, data=chosen.data)
    hidden = tuple(int(width) for width in chosen.hidden.split(","))
    seeds = [int(seed) for seed in chosen.seeds.split(",")]
    starts = {seed: learn_digits(task, hidden=hidden, seed=seed) for seed in seeds}
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}", flush=True)
    base = None
    for name, changed in SETTINGS.items():
        began = time.process_time()
        rows = [sculpted(starts[seed], *changed, seed) for seed in seeds]
        seconds = time.process_time() - began
        base = base or seconds
        networks = [witness(row.model, seed=0) for row in rows]
        verdicts = [judge_digits(x.graph, alike=x.alike) for x in networks]
        units, both = map(
            sum, zip(*(reads_both(x.graph) for x in networks), strict=True)
        )
        said = [
            name,
            f"{fmean(len(row.record) - 1 for row in rows):.0f}",
            f"{seconds / base:.2f}",
            f"{fmean(row.density for row in rows):.3%}",
            f"{both} of {units}",
            *(
                f"{sum(getattr(verdict, what) for verdict in verdicts)} of {len(seeds)}"
                for what in ("inputs", "outputs", "middle")
            ),
        ]
        print(f"| {' | '.join(said)} |", flush=True)


if __name__ == "__main__":
    main()
