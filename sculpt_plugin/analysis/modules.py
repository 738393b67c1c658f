"""Modules: clusters joined across layers, from the inputs up."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Int

from sculpt_plugin.analysis.bidirectional import join_both_ways
from sculpt_plugin.analysis.cluster import cluster
from sculpt_plugin.analysis.describe import describe
from sculpt_plugin.analysis.features import reach_by_layer
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy, LayerClusters
from sculpt_plugin.analysis.large_layers import cluster_large
from sculpt_plugin.analysis.louvain import communities
from sculpt_plugin.errors import GraphError

# Units from which it is quicker to look for equal rows first; the answer is the same.
_LARGE = 1024

Method = Literal["agglomerative", "bidirectional", "louvain"]

PAPERS = {"merge_threshold": 0.9, "modularity_threshold": 0.2}
"""What the paper takes for Boolean tasks."""


def detect(
    graph: LayeredGraph,
    *,
    hops: int | None = None,
    merge_threshold: float | None = None,
    modularity_threshold: float | None = None,
    method: Method | None = None,
    alike: Int[np.ndarray, " output"] | None = None,
) -> Hierarchy:
    """Find the modules of a network and which of them feeds which.

    A sparse network shows the sub-functions it learned. Dead units are set aside
    first. Our own way, `bidirectional`: units that reach the same outputs form a module
    if edges hold them together; it also uses what feeds a unit, looks at every scale,
    and has no settings. The paper's, `agglomerative`: units of a layer that influence
    the same later units form a cluster, and clusters of neighbouring layers that feed
    mainly each other form a module. A second opinion, `louvain`: communities
    of the whole network, without regard to layers and directions. Communities may feed
    each other in a circle; those that do share a level.

    Args:
        graph: The network, dead units allowed.
        hops: How many edges to look ahead when units are compared. `None`: to the
            outputs. For `agglomerative` only.
        merge_threshold: A cluster joins a module if more than this share of its edges
            come from there, and more than this share of the module's edges into the
            layer go to it. From 0 to below 1; None is 0.9. For `agglomerative` only.
        modularity_threshold: How strong the modular structure of a layer must be for
            its clusters to be taken without further tests, from 0 to 1; None is 0.2.
            For `agglomerative` only.
        method: How the modules are found. None: `bidirectional`, but `agglomerative`
            where one of its settings is given.
        alike: Which outputs compute the same, by their weights (`outputs_alike`). None:
            those that the same units feed. For `bidirectional` only.

    Returns:
        Modules, numbered from the inputs up, with labels in the numbering of `graph`.
        Only `agglomerative` forms clusters.

    Raises:
        GraphError: No path leads from an input to an output, or a setting is out of
            range.

    Example:
        Inputs 0 and 1 have a hidden unit and an output of their own, so have 2 and 3.

        >>> edges = [(0, 4), (1, 4), (2, 5), (3, 5), (4, 6), (5, 7)]
        >>> found = detect(LayeredGraph.from_edges((4, 2, 2), edges))
        >>> found.label.tolist()
        [0, 0, 1, 1, 0, 1, 0, 1]
        >>> found.modules[1].inputs, found.modules[1].outputs
        ((2, 3), (1,))

    Reference:
        Patil, Michael and Dovrolis, "Neural Sculpting", NeurIPS 2023,
        https://arxiv.org/abs/2305.18402
    """
    _check_graph(graph)
    settings = {
        "hops": hops,
        "merge_threshold": merge_threshold,
        "modularity_threshold": modularity_threshold,
    }
    method = chosen_method(method, settings)
    _check_method(method, settings)
    _check_alike(method, alike, graph.sizes[-1])
    taken = as_taken(settings)
    _check_settings(**taken)
    kept = graph.live_units()
    live = graph.keep(kept)
    if not live.edge_count:
        raise GraphError(
            "A path must lead from an input to an output, but none of the "
            f"{graph.edge_count} edges lies on one: every hidden unit is dead, so "
            "prune less or analyze an earlier state."
        )
    clusters: list[LayerClusters] = []
    if method == "bidirectional":
        weighed = alike if alike is None or _tells(graph, alike) else None
        module = join_both_ways(live, alike=weighed)
    elif method == "louvain":
        module = communities(live)
    else:
        clusters = _cluster_layers(live, hops, taken["modularity_threshold"])
        module = _join(live, clusters, taken["merge_threshold"])
    label = np.full(graph.unit_count, -1)
    label[kept] = module
    modules, edges = describe(live, module)
    return Hierarchy(
        modules=modules,
        label=label,
        edges=edges,
        clusters=tuple(
            _with_dead_units(found, kept[graph.units(layer)])
            for layer, found in enumerate(clusters)
        ),
    )


def _tells(graph: LayeredGraph, alike: Int[np.ndarray, " output"]) -> bool:
    """Tell whether the outputs' weights say anything of sub-functions.

    Where no edge is missing nothing may have been pruned, and then outputs that differ
    are no sign. That each is like another hardly happens by chance: such a network has
    been pruned, and what went was cut out of it.
    """
    most = sum(below * above for below, above in pairwise(graph.sizes))
    members = np.unique(alike, return_counts=True)[1]
    return bool(graph.edge_count < most or members.min() > 1)


def chosen_method(method: Method | None, settings: Mapping[str, Any]) -> Method:
    """Say which method is meant: without a name ours, or the one that has settings.

    Example:
        >>> chosen_method(None, {"hops": None}), chosen_method(None, {"hops": 1})
        ('bidirectional', 'agglomerative')
    """
    if method is not None:
        return method
    given = any(value is not None for value in settings.values())
    return "agglomerative" if given else "bidirectional"


def as_taken(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give the settings of `agglomerative`, the paper's where a threshold is None.

    Example:
        >>> as_taken({"merge_threshold": 0.6, "modularity_threshold": None})
        {'merge_threshold': 0.6, 'modularity_threshold': 0.2}
    """
    return {
        name: PAPERS.get(name) if value is None else value
        for name, value in settings.items()
    }


def _cluster_layers(
    graph: LayeredGraph, hops: int | None, modularity_threshold: float
) -> list[LayerClusters]:
    """Cluster each layer by what it reaches; each output is a cluster of its own."""
    outputs = LayerClusters(np.arange(graph.sizes[-1]), {}, "outputs")
    if graph.unit_count > _LARGE:
        found = cluster_large(
            graph, hops=hops, modularity_threshold=modularity_threshold
        )
        return [*found, outputs]
    clusters = []
    for layer, rows in enumerate(reach_by_layer(graph, steps=hops)):
        bounded = hops is not None and layer + hops < graph.depth - 1
        sight = _sight(graph, layer, rows) if bounded else rows.shape[1]
        clusters.append(
            cluster(rows[:, :sight], modularity_threshold=modularity_threshold)
        )
    return [*clusters, outputs]


def _sight(
    graph: LayeredGraph, layer: int, rows: Bool[np.ndarray, "unit later"]
) -> int:
    """How many units the layers up to the farthest one reached have.

    In a chain of live units these are the next `hops` layers; where edges jump layers
    there may be more.
    """
    first = graph.offsets[layer + 1]
    reached = first + np.flatnonzero(rows.any(axis=0))
    farthest = int(graph.layer_of[reached].max(initial=layer))
    return graph.offsets[farthest + 1] - first


def _join(
    graph: LayeredGraph, clusters: Sequence[LayerClusters], threshold: float
) -> Int[np.ndarray, " unit"]:
    """Join clusters across layers, from the inputs up, and give each unit its module.

    A strand is a run of joined clusters, at most one per layer, within one module.
    Where edges jump layers, a strand speaks for the edges of all its clusters; in a
    chain only its cluster in the layer before has edges into the layer at hand.
    """
    target_layer = graph.layer_of[graph.adjacency.indices]
    order = np.argsort(target_layer, kind="stable")
    source, target = graph.edge_sources[order], graph.adjacency.indices[order]
    bounds = np.searchsorted(target_layer[order], np.arange(graph.depth + 1))
    strand = np.zeros(graph.unit_count, dtype=np.int64)
    module_of: list[int] = []
    module_count = 0
    for layer, found in enumerate(clusters):
        units, edges = graph.units(layer), slice(bounds[layer], bounds[layer + 1])
        joins = _matches(
            strand[source[edges]],
            found.labels[target[edges] - units.start],
            outgoing=layer < graph.depth - 1,
            threshold=threshold,
        )
        chosen: list[int] = []
        free = set(joins.values())
        for number in range(found.labels.max(initial=-1) + 1):
            mate = joins.get(number)
            if mate in free:
                free.remove(mate)
                chosen.append(mate)
                continue
            chosen.append(len(module_of))
            module_of.append(module_count if mate is None else module_of[mate])
            module_count += mate is None
        strand[units] = np.array(chosen, dtype=np.int64)[found.labels]
    return np.array(module_of)[strand]


def _matches(
    strands: Int[np.ndarray, " edge"],
    labels: Int[np.ndarray, " edge"],
    *,
    outgoing: bool,
    threshold: float,
) -> dict[int, int]:
    """For each cluster of a layer the strand it joins, given the edges into the layer.

    Args:
        strands: The strand each edge comes from, edges sorted by unit.
        labels: The cluster each edge goes to.
        outgoing: Whether the strand's share that goes to the cluster counts, too.
        threshold: The share that must be exceeded.
    """
    width = labels.max(initial=0) + 1
    pairs, counts = np.unique(strands * width + labels, return_counts=True)
    strand, label = np.divmod(pairs, width)
    fits = counts / np.bincount(label, counts)[label] > threshold
    if outgoing:
        fits &= counts / np.bincount(strand, counts)[strand] > threshold
    mates: dict[int, list[int]] = {}
    for number, mate in zip(label[fits].tolist(), strand[fits].tolist(), strict=True):
        mates.setdefault(number, []).append(mate)
    # The first in order of appearance wins; thresholds from 0.5 leave only one.
    return {
        number: min(found, key=lambda mate: np.argmax(strands == mate).item())
        if len(found) > 1
        else found[0]
        for number, found in mates.items()
    }


def _with_dead_units(
    found: LayerClusters, kept: Bool[np.ndarray, " unit"]
) -> LayerClusters:
    """Give the clusters in the numbering of the layer with its dead units."""
    labels = np.full(len(kept), -1)
    labels[kept] = found.labels
    return LayerClusters(labels, found.modularity, found.rule, found.approximation)


def _check_graph(graph: Any) -> None:
    if not isinstance(graph, LayeredGraph):
        raise GraphError(
            f"graph must be a LayeredGraph, got {type(graph).__name__}: trace a model "
            "first, or take analyze, which does both."
        )


def _check_method(method: Method, settings: Mapping[str, Any]) -> None:
    if method not in get_args(Method):
        known = " or ".join(map(repr, get_args(Method)))
        raise GraphError(f"method must be {known}, got {method!r}.")
    for name, value in settings.items():
        if method != "agglomerative" and value is not None:
            raise GraphError(
                f"{name} must be None with method {method!r}, which has no settings, "
                f"got {value}: leave {name} out, or take method 'agglomerative'."
            )


def _check_alike(
    method: Method, alike: Int[np.ndarray, " output"] | None, outputs: int
) -> None:
    if alike is None:
        return
    if method != "bidirectional":
        raise GraphError(
            f"alike must be None with method {method!r}, which does not look at "
            "weights: leave it out, or take method 'bidirectional'."
        )
    if len(alike) != outputs:
        raise GraphError(
            f"alike must hold a number for each of the {outputs} outputs, but it holds "
            f"{len(alike)}: give what outputs_alike finds in the last layer's weights."
        )


def _check_settings(
    hops: int | None, merge_threshold: Any, modularity_threshold: Any
) -> None:
    if hops is not None and (not isinstance(hops, Integral) or hops < 1):
        raise GraphError(
            "hops must be None (to the outputs) or a whole number from 1, got "
            f"{hops!r}: 1 compares units by what they feed directly."
        )
    if not (isinstance(merge_threshold, Real) and 0 <= float(merge_threshold) < 1):
        raise GraphError(
            f"merge_threshold must be from 0 to below 1, got {merge_threshold!r}: it "
            "is a share of edges that a cluster must exceed; the paper uses 0.9."
        )
    if not (
        isinstance(modularity_threshold, Real) and 0 <= float(modularity_threshold) <= 1
    ):
        raise GraphError(
            f"modularity_threshold must be from 0 to 1, got {modularity_threshold!r}: "
            "the paper uses 0.2."
        )
