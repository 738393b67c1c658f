"""How often the two ways to find modules are right, and how often they find too much.

The networks that the paper's authors published, where they are at hand: are inputs and
outputs grouped as the task groups them? Then networks of random edges, in which there
is nothing to find: how many are said to have more than one module? An output that
nothing feeds is not counted. A minute or two.

    OMP_NUM_THREADS=1 python examples/benchmark_methods.py [networks.jsonl.gz]
"""

import argparse
import gzip
import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np

import sculpt_plugin as sp
from sculpt_plugin.analysis.readout import outputs_alike
from sculpt_plugin.reproducing.judging import judge

REFERENCE = Path(__file__).parents[2] / "shared/reference/networks.jsonl.gz"
SIZES = (
    (4, 12, 4),
    (6, 24, 24, 3),
    (8, 24, 24, 4),
    (8, 24, 24, 24, 8),
    (16, 32, 32, 8),
    (20, 100, 100, 2),
    (32, 64, 64, 10),
    (100, 100, 100, 10),
    (300, 200, 200, 10),
)
READS = (2, 3, 4, 6, 12)


def published(path):
    """Count for each family what is right by the paper's way, and by our own."""
    right = defaultdict(lambda: np.zeros(5, dtype=int))
    with gzip.open(path, "rt") as lines:
        for network in map(json.loads, lines):
            sizes = network["arch"]
            tables = [np.zeros((above, below)) for below, above in pairwise(sizes)]
            for table, edges in zip(tables, network["edges"], strict=True):
                to, source, weight = np.array(edges).T
                table[to.astype(int), source.astype(int)] = weight
            graph = sp.LayeredGraph.from_layers(tables)
            task = sp.tasks.get(",".join(map(str, network["task"])))
            alike = outputs_alike(tables, list(map(np.array, network["biases"])))
            paper = judge(task, graph, sp.detect(graph, method="agglomerative"))
            own = judge(task, graph, sp.detect(graph, alike=alike))
            right[network["experiment"]] += np.array(
                [1, paper.inputs, own.inputs, paper.outputs, own.outputs]
            )
    return right


def chance(sizes, reads, random):
    """Wire a network at random; each unit reads so many units below, in the mean."""
    return sp.LayeredGraph.from_layers(
        [
            random.random((above, below)) < min(1, reads / below)
            for below, above in pairwise(sizes)
        ]
    )


def claims(sizes, reads, repeats):
    """Give the share of random networks that are said to have modules, by method."""
    random = np.random.default_rng(0)
    found = {"agglomerative": [], "bidirectional": []}
    live = []
    while len(live) < repeats:
        graph = chance(sizes, reads, random)
        if not graph.live().edge_count:
            continue
        live.append(graph.live().unit_count)
        for method, counts in found.items():
            modules = sp.detect(graph, method=method).modules
            counts.append(sum(bool(module.inputs) for module in modules) > 1)
    return np.mean(live), [np.mean(counts) for counts in found.values()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reference", nargs="?", type=Path, default=REFERENCE)
    path = parser.parse_args().reference
    if path.exists():
        print(f"{'published networks':30}         inputs right    outputs right")
        print(f"{'':30} count  paper's    ours  paper's    ours")
        for family, (count, *right) in published(path).items():
            print(f"{family:30} {count:5}", *[f"{number:8}" for number in right])
    else:
        print(f"{path} is not there: the published networks are left out.")
    print("\nrandom networks                      said to have more than one module")
    print("layers                reads   live      agglomerative      bidirectional")
    for sizes in SIZES:
        for reads in READS:
            live, shares = claims(sizes, reads, 40 if max(sizes) < 100 else 10)
            told = "".join(f"{share:19.0%}" for share in shares)
            print(
                f"{'-'.join(map(str, sizes)):20}{reads:7}{live:7.0f}{told}", flush=True
            )


if __name__ == "__main__":
    main()
