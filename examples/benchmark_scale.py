"""How the time and memory of `detect` grow with the network.

    python examples/benchmark_scale.py [--plot scaling.png] [--largest 1e6]
                                       [--method bidirectional]

Networks with planted modules and without structure, of 1,000 to a million edges and a
tenth as many units; then the layers of ResNet-50 and VGG-16, pruned at random. Run it
with OMP_NUM_THREADS=1 on an idle machine. Each network is analysed in a process of its
own, so that its peak of memory is its own, too.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import numpy as np

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.modules import Method, detect

EDGES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
# Kind of network -> layers. With 100,000 units: 10,000, 4,000 and 33,000 in a layer.
KINDS = {
    "modules": 10,
    "modules, stray edges": 10,
    "random": 10,
    "random, deep": 25,
    "random, shallow": 3,
}
MODELS = ("resnet50", "vgg16")
VGG = (64, 64, 128, 128, *[256] * 3, *[512] * 6)
RESNET = ((3, 64, 256), (4, 128, 512), (6, 256, 1024), (3, 512, 2048))


def layered(kind: str, edge_count: int) -> LayeredGraph:
    """Build a network of a kind, with a tenth as many units as edges."""
    random = np.random.default_rng(0)
    layers = KINDS[kind]
    size = edge_count // 10 // layers
    count = edge_count // (layers - 1)
    modules = max(1, size // 100) if kind.startswith("modules") else 1
    stray = {"modules": 0.0, "modules, stray edges": 0.01}.get(kind, 1.0)
    # Unit u of a layer is in module u modulo their number; names tell nothing.
    names = [random.permutation(size) for _ in range(layers)]
    edges = []
    for layer in range(layers - 1):
        source = random.integers(0, size, count)
        target = random.integers(0, size // modules, count) * modules
        target += source % modules
        strays = random.random(count) < stray
        target[strays] = random.integers(0, size, strays.sum())
        target %= size
        edges.append(
            np.stack(
                [
                    layer * size + names[layer][source],
                    (layer + 1) * size + names[layer + 1][target],
                ],
                axis=1,
            )
        )
    return LayeredGraph.from_edges([size] * layers, np.concatenate(edges))


def pruned(model: str, sparsity: float) -> LayeredGraph:
    """Build the graph of a torchvision model of which a share of weights is left.

    An edge is a pair of channels that any weight of the kernel between them is left of.
    """
    sizes, tables = {"resnet50": resnet50, "vgg16": vgg16}[model]()
    random = np.random.default_rng(0)
    offset = np.cumsum([0, *sizes]).tolist()
    kernels: dict[tuple[int, int], np.ndarray] = {}
    edges = []
    for layer, (weights, streams) in enumerate(tables, start=1):
        for below in streams:
            # All layers that are added up feed the same weights.
            key = (layer, sizes[below])
            if key not in kernels:
                shape = (sizes[below], sizes[layer])
                kernels[key] = random.random(shape) >= sparsity**weights
            source, target = np.nonzero(kernels[key])
            pairs = [offset[below] + source, offset[layer] + target]
            edges.append(np.stack(pairs, axis=1))
    return LayeredGraph.from_edges(sizes, np.concatenate(edges))


Tables = list[tuple[int, list[int]]]


def vgg16() -> tuple[list[int], Tables]:
    """Channels of VGG-16; per layer a kernel's weights, and what it reads.

    The last maps are 7 x 7, and each of their places has a weight of its own.
    """
    sizes = [3, *VGG, 4096, 4096, 1000]
    kernels = [9] * len(VGG) + [49, 1, 1]
    return sizes, [(kernel, [layer]) for layer, kernel in enumerate(kernels)]


def resnet50() -> tuple[list[int], Tables]:
    """Channels of ResNet-50; per layer a kernel's weights, and what it reads.

    A block adds to what it reads, so the first layer of a block reads the last layers
    of all blocks before it in its stage, and what the stage began with.
    """
    sizes, tables, stream = [3, 64], [(49, [0])], [1]
    for blocks, narrow, wide in RESNET:
        for block in range(blocks):
            first = len(sizes)
            sizes += [narrow, narrow, wide]
            tables += [(1, stream), (9, [first]), (1, [first + 1])]
            if block == 0:
                sizes.append(wide)
                tables.append((1, stream))
                stream = [first + 3]
            stream = [*stream, first + 2]
    return [*sizes, 1000], [*tables, (1, stream)]


def measured(name: str, amount: float, method: Method) -> dict[str, object]:
    """Analyse one network in this process."""
    graph = pruned(name, amount) if name in MODELS else layered(name, int(amount))
    wall, cpu = time.perf_counter(), time.process_time()
    found = detect(graph, method=method)
    layers = [layer.approximation for layer in found.clusters]
    return {
        "name": name,
        "amount": amount,
        "units": graph.unit_count,
        "edges": graph.edge_count,
        "seconds": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "modules": len(found.modules),
        "approximated": sum(layer is not None for layer in layers),
        "layers": graph.depth,
    }


def measure_apart(name: str, amount: float, method: Method) -> dict[str, object]:
    """Analyse one network in a process of its own, and print a line."""
    command = [sys.executable, __file__, "--one", name, str(amount), "--method", method]
    row = json.loads(subprocess.check_output(command, text=True))
    print(
        f"{row['name']:>20} {row['units']:>7,} units {row['edges']:>9,} edges "
        f"{row['seconds']:>7.2f} s {row['cpu']:>7.2f} s CPU {row['gib']:>5.2f} GiB "
        f"{row['modules']:>6,} modules, "
        f"{row['approximated']} of {row['layers']} layers approximated",
        flush=True,
    )
    return row


def growth(rows: list[dict]) -> float:
    """Fit the power of the edges with which CPU time grows, from 10,000 edges up."""
    large = [row for row in rows if row["edges"] > 5_000]
    if len(large) < 2:
        return float("nan")
    edges, cpu = (np.log([row[key] for row in large]) for key in ("edges", "cpu"))
    return float(np.polyfit(edges, cpu, 1)[0])


def draw(found: dict[str, list[dict]], path: Path) -> None:
    """Draw CPU time over edges, with a straight line of slope 1 to compare."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for kind, rows in found.items():
        label = f"{kind} (edges$^{{{growth(rows):.2f}}}$)"
        axes.loglog(
            [row["edges"] for row in rows],
            [row["cpu"] for row in rows],
            "o-",
            label=label,
        )
    axes.loglog([1e3, 1e6], [1e-2, 1e1], "k:", label="linear")
    axes.set(xlabel="edges", ylabel="CPU seconds", title="Time of `detect`, one thread")
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description="How `detect` grows.")
    parser.add_argument("--plot", type=Path, help="write a plot of the growth here")
    parser.add_argument("--largest", type=float, default=1e6, help="most edges")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "AMOUNT"))
    methods = get_args(Method)
    parser.add_argument("--method", choices=methods, default="agglomerative")
    arguments = parser.parse_args()
    if arguments.one:
        name, amount = arguments.one
        print(json.dumps(measured(name, float(amount), arguments.method)))
        return
    found = {
        kind: [
            measure_apart(kind, edges, arguments.method)
            for edges in EDGES
            if edges <= arguments.largest
        ]
        for kind in KINDS
    }
    for kind, rows in found.items():
        print(f"{kind}: CPU time grows as edges ** {growth(rows):.2f}")
    for model in MODELS:
        for sparsity in (0.9, 0.99):
            measure_apart(model, sparsity, arguments.method)
    if arguments.plot:
        draw(found, arguments.plot)


if __name__ == "__main__":
    main()
