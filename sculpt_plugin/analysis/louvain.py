"""Communities of the whole network by the Louvain method, as a second opinion."""

import numpy as np
from jaxtyping import Float, Int

from sculpt_plugin.analysis.agreement import in_order, pairwise_agreement
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy

SEED = 0
RESTARTS = 10


def communities(
    graph: LayeredGraph, *, seed: int = SEED, restarts: int = RESTARTS
) -> Int[np.ndarray, " unit"]:
    """Divide the units into communities with many edges inside and few between.

    It knows neither layers nor directions, so it finds what the other methods may
    miss, and misses what they find: two sub-functions that share their inputs, for
    one. The method depends on the order in which units are visited; of several orders,
    drawn with successive seeds, the division of the highest modularity is taken, of
    equal ones the first. The units are given in the order of the graph, so the same
    graph always gives the same answer.

    Args:
        graph: A network without dead units, with at least one edge.
        seed: Seed of the first order.
        restarts: How many orders to try.

    Returns:
        The community of each unit, numbered in order of first appearance.

    Example:
        Two pairs of inputs, each with an output of its own.

        >>> edges = [(0, 4), (1, 4), (2, 5), (3, 5)]
        >>> communities(LayeredGraph.from_edges((4, 2), edges))
        array([0, 0, 1, 1, 0, 1])

    Reference:
        Blondel, Guillaume, Lambiotte and Lefebvre, "Fast unfolding of communities in
        large networks", 2008, https://arxiv.org/abs/0803.0476
    """
    import community
    import networkx

    undirected = networkx.Graph()
    undirected.add_nodes_from(range(graph.unit_count))
    targets = graph.adjacency.indices.tolist()
    undirected.add_edges_from(zip(graph.edge_sources.tolist(), targets, strict=True))
    best, label = -np.inf, np.zeros(graph.unit_count, dtype=np.int64)
    for start in range(seed, seed + restarts):
        part = community.best_partition(undirected, random_state=start)
        found = np.array([part[unit] for unit in range(graph.unit_count)])
        score = modularity(graph, found)
        if score > best:
            best, label = score, found
    return in_order(label)


def modularity(graph: LayeredGraph, label: Int[np.ndarray, " unit"]) -> float:
    """Score a division: the share of edges inside parts, less what chance would put.

    Args:
        graph: A network with at least one edge, whose directions do not matter here.
        label: The part of each unit, from 0.

    Returns:
        Newman's modularity, below 1; 0 where all units are one part.

    Example:
        >>> graph = LayeredGraph.from_edges((2, 2), [(0, 2), (1, 3)])
        >>> modularity(graph, np.array([0, 1, 0, 1]))
        0.5

    Reference:
        Newman, "Modularity and community structure in networks", 2006,
        https://arxiv.org/abs/physics/0602124
    """
    source, target = label[graph.edge_sources], label[graph.adjacency.indices]
    ends = np.bincount(np.concatenate([source, target])).astype(np.float64)
    inside = int((source == target).sum())
    share: Float[np.ndarray, " part"] = ends / ends.sum()
    return float(inside / graph.edge_count - (share**2).sum())


def compared(
    graph: LayeredGraph, louvain: Hierarchy, agglomerative: Hierarchy
) -> dict[str, object]:
    """Set the modules of two methods side by side.

    Args:
        graph: The network, dead units included.
        louvain: The modules by communities.
        agglomerative: The modules of the paper's method.

    Returns:
        The `modularity` of both divisions of the live units, the `modules` each has,
        and their `adjusted_rand_index`: 1 for equal divisions, about 0 for unrelated
        ones.

    Example:
        >>> from sculpt_plugin.analysis.modules import detect
        >>> edges = [(0, 4), (1, 4), (2, 5), (3, 5)]
        >>> graph = LayeredGraph.from_edges((4, 2), edges)
        >>> found = detect(graph, method="louvain")
        >>> compared(graph, found, detect(graph))["adjusted_rand_index"]
        1.0
    """
    live = louvain.label >= 0
    graph = graph.keep(live)
    both = {
        "louvain": louvain.label[live],
        "agglomerative": agglomerative.label[live],
    }
    return {
        "modularity": {name: modularity(graph, part) for name, part in both.items()},
        "modules": {name: int(part.max()) + 1 for name, part in both.items()},
        "adjusted_rand_index": float(
            pairwise_agreement(np.array(list(both.values())))[0, 1]
        ),
    }
