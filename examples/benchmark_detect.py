"""How long the paper's method takes, on the reference's networks and on wider ones.

    python examples/benchmark_detect.py [networks.jsonl.gz]

Run it with OMP_NUM_THREADS=1 on an idle machine.
"""

import argparse
import gzip
import json
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from sculpt_plugin import analyze, tasks
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.modules import detect

PUBLISHED_SMALL = 0.035
PUBLISHED_LARGE = 56.0
REFERENCE = Path(__file__).parents[2] / "shared/reference/networks.jsonl.gz"


def read_network(line: str) -> tuple[LayeredGraph, dict[str, float]]:
    """Turn one line of the reference into a graph and the settings of `detect`."""
    network = json.loads(line)
    sizes = network["arch"]
    first = np.cumsum([0, *sizes]).tolist()
    edges = [
        (first[layer] + source, first[layer + 1] + target)
        for layer, weights in enumerate(network["edges"])
        for target, source, _ in weights
    ]
    settings = ("hops", "merge_threshold", "modularity_threshold")
    return LayeredGraph.from_edges(sizes, edges), {
        key: network[key] for key in settings
    }


def two_halves(
    sizes: tuple[int, ...], live: tuple[int, ...], *, fan_in: int, seed: int
) -> LayeredGraph:
    """Build a network of two input-separable halves that meet in the outputs.

    Every unit of a half's live part reads about `fan_in` units below, and every unit
    is read by one at least; the other units are dead.
    """
    random = np.random.default_rng(seed)
    weights = [np.zeros((above, below), bool) for below, above in pairwise(sizes)]
    alive = [
        random.permutation(size)[:count]
        for size, count in zip(sizes, live, strict=True)
    ]
    for layer, table in enumerate(weights):
        top = layer == len(weights) - 1
        for half in (0, 1):
            below = alive[layer][half::2]
            above = alive[layer + 1] if top else alive[layer + 1][half::2]
            for unit in above:
                table[unit, random.choice(below, min(fan_in, len(below)))] = True
            for unit in below:
                table[random.choice(above), unit] = True
    return LayeredGraph.from_layers(weights)


def seconds(graph: LayeredGraph, repeats: int, **settings) -> float:
    """Time `detect`, the best of some repeats."""
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        detect(graph, **settings, method="agglomerative")
        spent.append(time.perf_counter() - start)
    return min(spent)


def whole() -> float:
    """Time `analyze` on a Boolean network with a tenth of its weights: median, ms."""
    torch.manual_seed(0)
    model = tasks.mlp(tasks.get("4,2,4"), hidden=(24, 24), seed=0)
    with torch.no_grad():
        for layer in model[::2]:
            layer.weight *= torch.rand_like(layer.weight) < 0.1
    spent = []
    for _ in range(20):
        start = time.perf_counter()
        analyze(model, torch.zeros(1, 4))
        spent.append(time.perf_counter() - start)
    return 1e3 * float(np.median(spent))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reference", nargs="?", type=Path, default=REFERENCE)
    path = parser.parse_args().reference
    if path.exists():
        with gzip.open(path, "rt") as lines:
            networks = [read_network(line) for line in lines]
        spent = [seconds(graph, 3, **settings) for graph, settings in networks]
        median, slow = np.percentile(spent, [50, 90])
        print(
            f"{len(spent)} reference networks: median {1e3 * median:.2f} ms, "
            f"90 % under {1e3 * slow:.2f} ms; published 35 ms, "
            f"ratio {PUBLISHED_SMALL / median:.0f}"
        )
    else:
        print(f"no reference networks at {path}")
    print(f"analyze, tracing included, of a sparse 4-24-24-4 MLP: {whole():.1f} ms")
    digits = two_halves((1568, 784, 784, 3), (507, 63, 12, 3), fan_in=8, seed=0)
    spent_digits = seconds(digits, 5)
    print(
        f"1568-784-784-3 with {'-'.join(map(str, digits.live().sizes))} live units: "
        f"{spent_digits:.4f} s; published 56 s, ratio "
        f"{PUBLISHED_LARGE / spent_digits:.0f}"
    )
    sizes, live = (8000, 2000, 2000, 2000, 20), (4000, 1200, 800, 400, 20)
    large = two_halves(sizes, live, fan_in=20, seed=0)
    print(
        f"{'-'.join(map(str, sizes))} with {'-'.join(map(str, large.live().sizes))} "
        f"live units and {large.edge_count} edges: {seconds(large, 1):.2f} s"
    )


if __name__ == "__main__":
    main()
