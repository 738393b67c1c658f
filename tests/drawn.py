"""Networks with modules, made by hand for the tests of the pictures."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy, TaskModule


def network(
    sizes: Sequence[int],
    edges: Iterable[tuple[int, int]] | np.ndarray,
    label: Sequence[int] | np.ndarray,
) -> tuple[LayeredGraph, Hierarchy]:
    """A graph and its hierarchy, whose modules' levels are their lowest layers."""
    graph = LayeredGraph.from_edges(sizes, edges)
    label = np.asarray(label, dtype=int)
    pairs = np.stack([label[end] for end in graph.adjacency.nonzero()], axis=1)
    between = pairs[(pairs[:, 0] != pairs[:, 1]) & (pairs >= 0).all(axis=1)]
    counts = Counter((int(source), int(target)) for source, target in between)
    modules = []
    for number in range(label.max() + 1):
        units = np.flatnonzero(label == number)
        layers = np.unique(graph.layer_of[units]).tolist()
        modules.append(
            TaskModule(
                id=number,
                level=layers[0],
                layers=tuple(layers),
                units=len(units),
                inputs=tuple(units[units < sizes[0]].tolist()),
                outputs=(),
                used_by=tuple(to for start, to in counts if start == number),
                input_separable=True,
                density=0.5,
            )
        )
    return graph, Hierarchy(tuple(modules), label, dict(counts))


def two_halves() -> tuple[LayeredGraph, Hierarchy]:
    """4-3-2: two modules side by side, unit 6 dead, an edge past the hidden layer."""
    edges = [(0, 4), (1, 4), (2, 5), (3, 5), (4, 7), (5, 8), (0, 7), (1, 6)]
    return network((4, 3, 2), edges, [0, 0, 1, 1, 0, 1, -1, 0, 1])


def random_network(
    *, width: int, module_count: int, depth: int = 4, dead: float = 0.2
) -> tuple[LayeredGraph, Hierarchy]:
    """Layers of equal width, modules shuffled, each unit fed by three below it."""
    chance = np.random.default_rng(width * 100 + module_count)
    label = chance.integers(0, module_count, width * depth)
    label[:module_count] = np.arange(module_count)
    hidden = slice(width, width * (depth - 1))
    label[hidden][chance.random(width * (depth - 2)) < dead] = -1
    target = np.repeat(np.arange(width, width * depth), 3)
    source = (target // width - 1) * width + chance.integers(0, width, len(target))
    return network([width] * depth, np.stack([source, target], axis=1), label)
