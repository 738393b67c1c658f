"""Random layered graphs that several tests use."""

import numpy as np

from sculpt_plugin.analysis.graph import LayeredGraph


def random_graph(seed: int, *, skipping: bool = False) -> LayeredGraph:
    """A small graph without dead units; of few edges, so that many rows are equal."""
    random = np.random.default_rng(seed)
    sizes = random.integers(4, 60, random.integers(3, 6))
    offset = np.cumsum([0, *sizes])
    edges = []
    for layer in range(len(sizes) - 1):
        count = int(2.5 * max(sizes[layer : layer + 2]))
        source = offset[layer] + random.integers(0, sizes[layer], count)
        last = offset[-1] if skipping and seed % 2 else offset[layer + 2]
        target = random.integers(offset[layer + 1], last, count)
        edges.append(np.stack([source, target], axis=1))
    return LayeredGraph.from_edges(sizes.tolist(), np.concatenate(edges)).live()


def halves(size: int, *, layers: int = 4, seed: int = 0) -> LayeredGraph:
    """Two halves without an edge between them; even and odd units of each layer."""
    random = np.random.default_rng(seed)
    edges = []
    for layer in range(layers - 1):
        source = random.integers(0, size, 6 * size)
        target = random.integers(0, size // 2, 6 * size) * 2 + source % 2
        pairs = [layer * size + source, (layer + 1) * size + target]
        edges.append(np.stack(pairs, axis=1))
    return LayeredGraph.from_edges([size] * layers, np.concatenate(edges)).live()
