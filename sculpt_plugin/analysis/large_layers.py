"""The clusters of a large network's layers, exact as far as that is affordable."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, UInt64

from sculpt_plugin.analysis.bit_rows import Rows, overlaps, same, varying
from sculpt_plugin.analysis.cluster import choose_cut
from sculpt_plugin.analysis.copies import link_copies
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Approximation, LayerClusters
from sculpt_plugin.analysis.landmarks import Groups, group_by_landmarks
from sculpt_plugin.analysis.packed_reach import (
    components,
    later_parts,
    packed_reach,
    places,
    widths,
)


@dataclass(frozen=True)
class Limits:
    """How much exactness may cost; beyond it, a layer is approximated.

    Attributes:
        rows: Most different rows of which each two are compared: a table of 512 MB.
        work: Most multiplications for comparing rows in the whole network, about five
            seconds. What is cheapest comes first.
        landmarks: How many groups rows are put into where there are too many.
        columns: How many columns are looked at then.
        bits: Most bits to note what reaches what: 320 MB. In a network that needs more,
            only the outputs and a share of the other units are looked at.
    """

    rows: int = 8192
    work: float = 2.5e11
    landmarks: int = 1024
    columns: int = 2048
    bits: int = 5 * 2**29


# What joining two rows costs beside comparing them, in multiplications.
_JOINING = 4096


@dataclass(frozen=True, eq=False)
class _Layer:
    """A layer's different rows, which units have which, and which may overlap.

    It is not whole where later units have no column.
    """

    rows: Rows
    kind: Int[np.ndarray, " unit"]
    blocks: list[Int[np.ndarray, " _"]]
    whole: bool


def cluster_large(
    graph: LayeredGraph,
    *,
    hops: int | None = None,
    modularity_threshold: float = 0.2,
    limits: Limits | None = None,
) -> list[LayerClusters]:
    """Cluster every layer but the last one by what its units reach.

    The clusters are those that `cluster` finds on the tables of `reach_by_layer`, at
    less cost: equal rows are compared once, columns that all rows have are counted
    once, and rows with no later unit in common are not compared. Where different rows
    are still too many, near ones are grouped first, and the clusters say so.

    Args:
        graph: A network without dead units.
        hops: How many edges to look ahead. None: to the outputs.
        modularity_threshold: As for `cluster`.
        limits: How much exactness may cost. None: what fits into a few GB and a minute.

    Returns:
        The clusters of each layer.

    Example:
        >>> graph = LayeredGraph.from_edges((3, 2), [(0, 3), (1, 3), (2, 4)])
        >>> cluster_large(graph)[0].labels.tolist()
        [0, 0, 1]
    """
    limits = limits or Limits()
    columns = _columns(graph, limits)
    tables = packed_reach(graph, columns, steps=hops)
    parts = later_parts(graph)
    layers = []
    for rows, part in zip(tables, parts, strict=True):
        layers.append(_different(rows, part, bool(columns.all())))
    tables.clear()
    affordable = _affordable(layers, limits)
    found = []
    for number, layer in enumerate(layers):
        exact = [(number, block) in affordable for block in range(len(layer.blocks))]
        clusters = _cluster_layer(layer, exact, limits, modularity_threshold)
        found.append(_with_columns_left_out(clusters, layer, graph, number))
    return found


def _columns(graph: LayeredGraph, limits: Limits) -> Bool[np.ndarray, " unit"]:
    """Tell which units have a column of their own: all, unless that is too many."""
    every = np.ones(graph.unit_count, dtype=bool)
    place = places(components(graph), every)[0]
    bits = int(np.dot(graph.sizes, widths(graph, place)))
    if bits <= limits.bits:
        return every
    random = np.random.default_rng(0)
    outputs = graph.units(graph.depth - 1)
    final = every.copy()
    final[: outputs.start] = False
    place = places(components(graph), final)[0]
    needed = int(np.dot(graph.sizes, widths(graph, place)))
    if needed > limits.bits:
        return random.random(graph.unit_count) < limits.bits / bits
    # Every unit reaches an output, so no row is empty, and rows near the outputs, which
    # have few columns, keep them.
    share = (limits.bits - needed) / max(1, bits - needed)
    return final | (random.random(graph.unit_count) < share)


def _different(rows: Rows, part: Int[np.ndarray, " unit"], whole: bool) -> _Layer:
    """Keep each row once, and tell which rows may share a column."""
    # Equal bits are equal columns only where they begin alike.
    marked = rows.first[:, None].astype(rows.packed.dtype)
    first, kind = same(np.hstack([marked, rows.packed]))
    part = part[first]
    order = np.argsort(part, kind="stable")
    bounds = np.flatnonzero(np.diff(part[order])) + 1
    different = replace(rows, packed=rows.packed[first], first=rows.first[first])
    return _Layer(different, kind, np.split(order, bounds), whole)


def _affordable(layers: list[_Layer], limits: Limits) -> set[tuple[int, int]]:
    """Choose the blocks to compare exactly, the cheapest first: (layer, block)."""
    costs = []
    for number, layer in enumerate(layers):
        repeated = np.bincount(layer.kind) > 1
        for place, block in enumerate(layer.blocks):
            slots = len(block) + int(repeated[block].sum())
            if slots <= limits.landmarks and len(block) ** 2 <= limits.landmarks:
                costs.append((0.0, number, place))
            elif slots <= limits.rows:
                columns = len(varying(layer.rows.packed[block])[0])
                cost = float(slots) ** 2 * (columns + _JOINING)
                costs.append((cost, number, place))
    costs.sort()
    within = np.cumsum([cost for cost, _, _ in costs]) <= limits.work
    return {
        (number, place)
        for (_, number, place), fits in zip(costs, within, strict=True)
        if fits
    }


def _cluster_layer(
    layer: _Layer,
    exact: list[bool],
    limits: Limits,
    modularity_threshold: float,
) -> LayerClusters:
    """Cluster a layer, with its blocks compared exactly or by landmarks."""
    if len(layer.kind) < 2:
        return LayerClusters(np.zeros(len(layer.kind), dtype=np.int64), {}, "single")
    copies = np.bincount(layer.kind)
    group = np.zeros(len(copies), dtype=np.int64)
    sums = np.zeros(len(copies))
    blocks, tables, approximated, together = [], [], [], set()
    count = 0
    for block, fits in zip(layer.blocks, exact, strict=True):
        packed = layer.rows.packed[block]
        place, table = np.arange(len(block)), None
        if fits or len(block) <= limits.landmarks:
            table = _distances(packed)
        else:
            grouped = group_by_landmarks(
                packed,
                copies[block],
                landmarks=limits.landmarks,
                columns=limits.columns,
            )
            approximated.append((block, grouped))
            together.add(len(blocks))
            place, table = grouped.group, grouped.distances
        blocks.append(count + np.arange(len(table)))
        tables.append(table)
        group[block] = count + place
        weights = np.bincount(place, copies[block])
        # Whatever is in another block is at distance 1.
        sums[block] = (table @ weights)[place] + len(layer.kind) - weights.sum()
        count += len(table)
    tree = link_copies(group[layer.kind], blocks, tables, together=together)
    return replace(
        choose_cut(
            tree,
            sums[layer.kind],
            lambda unit: layer.rows.union(layer.kind[[unit]]),
            lambda side: layer.rows.union(np.unique(layer.kind[side])),
            modularity_threshold=modularity_threshold,
            nearest=_nearest(layer.kind, copies, approximated),
        ),
        approximation=_approximation(approximated, len(copies), count),
    )


def _distances(
    packed: UInt64[np.ndarray, "row word"],
) -> Float[np.ndarray, "row row"]:
    """Give the cosine distances of different rows, one of which may be empty."""
    overlap = overlaps(packed).astype(np.float64)
    counts = overlap.diagonal().clip(1.0)
    # The same operations as for a small layer, so the same numbers to the last bit.
    overlap /= np.sqrt(counts[:, None] * counts)
    np.subtract(1.0, overlap, out=overlap)
    np.fill_diagonal(overlap, 0.0)
    return overlap


def _with_columns_left_out(
    clusters: LayerClusters, layer: _Layer, graph: LayeredGraph, number: int
) -> LayerClusters:
    """Say where not every later unit had a column."""
    later = graph.unit_count - graph.offsets[number + 1]
    if layer.whole:
        return clusters
    rows = len(layer.rows.packed)
    found = clusters.approximation
    found = found or Approximation(rows, rows, layer.rows.columns, later)
    return replace(clusters, approximation=replace(found, differing=later))


def _nearest(
    kind: Int[np.ndarray, " unit"],
    copies: Int[np.ndarray, " kind"],
    approximated: list[tuple[Int[np.ndarray, " _"], Groups]],
) -> tuple[int, int] | None:
    """Name the two units most alike, where the tree no longer tells."""
    if not approximated:
        return None
    if copies.max() > 1:
        first, second = np.flatnonzero(kind == copies.argmax())[:2].tolist()
        return first, second
    block, groups = max(approximated, key=lambda found: found[1].likeness)
    first, second = (int(np.argmax(kind == block[row])) for row in groups.nearest)
    return first, second


def _approximation(
    approximated: list[tuple[Int[np.ndarray, " _"], Groups]], rows: int, groups: int
) -> Approximation | None:
    """Say what was approximated."""
    if not approximated:
        return None
    found = [groups for _, groups in approximated]
    return Approximation(
        rows=rows,
        groups=groups,
        columns=sum(groups.columns for groups in found),
        differing=sum(groups.differing for groups in found),
    )
