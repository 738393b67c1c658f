"""Modules from both sides: what units reach, what feeds them, what holds together."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from jaxtyping import Bool, Int, UInt64
from scipy import sparse
from scipy.sparse import csgraph

from sculpt_plugin.analysis.codelength import (
    edge_bits_saved,
    log2_choices,
    naming_bits,
)
from sculpt_plugin.analysis.features import reach_by_layer
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.spread import mark, spread, unmark

# Bits that exact agreement may cost beyond what it saves before it is called chance: it
# takes some thirty units without structure to cost as much.
_BENEFIT_OF_DOUBT = 64.0


def join_both_ways(graph: LayeredGraph) -> Int[np.ndarray, " unit"]:
    """Give each unit its module by what it reaches and by what feeds it.

    A sub-function shows from above, from below and in the middle. From below: outputs
    that read exactly the same units compute the same. From above: units that reach
    exactly the same of these outputs serve the same ones. In the middle: of units that
    serve the same outputs, those that no edges connect are different sub-functions,
    also where edges connect them only further up, in units that combine them. Inputs
    in a module that others feed, too, are a module of their own.

    In a tiny network exact agreement is all there is to go by. In a large one without
    structure it comes by chance; there, writing down the modules takes far more bits
    than knowing them saves, and only separations that pay are kept.

    Args:
        graph: A network without dead units, with at least one edge.

    Returns:
        The module of each unit, numbered in order of first appearance. The order of
        the units within a layer changes nothing else.

    Example:
        Two pairs of inputs, and two outputs that both read both pairs.

        >>> pairs = [(0, 4), (1, 4), (2, 5), (3, 5)]
        >>> outputs = [(4, 6), (4, 7), (5, 6), (5, 7), (6, 8), (7, 9)]
        >>> graph = LayeredGraph.from_edges((4, 2, 2, 2), pairs + outputs)
        >>> join_both_ways(graph).tolist()
        [0, 0, 1, 1, 0, 1, 2, 3, 2, 3]
    """
    first = _first_like_it(graph)
    kept = first == np.arange(graph.unit_count)
    distinct = graph.keep(kept)
    label = np.zeros(graph.unit_count, dtype=np.int64)
    label[kept] = _join_distinct(distinct)
    return _numbered(label[first].tolist())


def _first_like_it(graph: LayeredGraph) -> Int[np.ndarray, " unit"]:
    """For each unit itself, but for an output the first that the same units feed."""
    outputs = graph.units(graph.depth - 1)
    feeders = sparse.csc_array(graph.adjacency[:, outputs])
    first, seen = np.arange(graph.unit_count), {}
    for place, unit in enumerate(range(outputs.start, outputs.stop)):
        found = feeders.indices[feeders.indptr[place] : feeders.indptr[place + 1]]
        if len(found):
            first[unit] = seen.setdefault(np.sort(found).tobytes(), unit)
    return first


def _join_distinct(graph: LayeredGraph) -> Int[np.ndarray, " unit"]:
    """Find the modules of a network in which no two outputs are fed alike."""
    output = np.full(graph.unit_count, -1)
    output[graph.units(graph.depth - 1)] = np.arange(graph.sizes[-1])
    reached = spread(graph, mark(output, graph.sizes[-1]))
    role = _numbered(column.tobytes() for column in reached.T)
    part = _divide(graph, role)
    if _excess_bits(graph, part) > _BENEFIT_OF_DOUBT:
        return _divide(graph, np.zeros_like(role), doubtful=True)
    return _set_inputs_apart(graph, part, reached)


@dataclass(frozen=True, eq=False)
class _Piece:
    """Some units of a network and the edges between them, counted from 0."""

    unit: Int[np.ndarray, " unit"]
    layer: Int[np.ndarray, " unit"]
    source: Int[np.ndarray, " edge"]
    target: Int[np.ndarray, " edge"]

    def components(self) -> Int[np.ndarray, " unit"]:
        """Number the groups of units that edges connect."""
        count = len(self.unit)
        edges = (np.ones(len(self.source)), (self.source, self.target))
        joined = sparse.coo_array(edges, shape=(count, count))
        return csgraph.connected_components(joined, directed=False)[1]

    def sources(self) -> Int[np.ndarray, " source"]:
        """List the units that read none of the others."""
        return np.setdiff1d(np.arange(len(self.unit)), self.target)

    def cut(self, part: Int[np.ndarray, " unit"]) -> list["_Piece"]:
        """Give each part as a piece of its own, without the edges between parts."""
        parts = np.arange(part.max() + 2)
        order = np.argsort(part, kind="stable")
        units = np.searchsorted(part[order], parts)
        place = np.empty_like(order)
        place[order] = np.arange(len(order)) - units[part[order]]
        inside = np.flatnonzero(part[self.source] == part[self.target])
        inside = inside[np.argsort(part[self.source[inside]], kind="stable")]
        edges = np.searchsorted(part[self.source[inside]], parts)
        return [
            _Piece(
                self.unit[order[units[number] : units[number + 1]]],
                self.layer[order[units[number] : units[number + 1]]],
                place[self.source[inside[edges[number] : edges[number + 1]]]],
                place[self.target[inside[edges[number] : edges[number + 1]]]],
            )
            for number in parts[:-1]
        ]


def _divide(
    graph: LayeredGraph, role: Int[np.ndarray, " unit"], *, doubtful: bool = False
) -> Int[np.ndarray, " unit"]:
    """Divide units of one role into those that belong together."""
    units = np.arange(graph.unit_count)
    whole = _Piece(units, graph.layer_of, graph.edge_sources, graph.adjacency.indices)
    part = np.full(graph.unit_count, -1)
    count = 0
    waiting = whole.cut(role)
    while waiting:
        piece = waiting.pop()
        found = _separation(graph, piece, doubtful=doubtful)
        if found.max():
            waiting += piece.cut(found)
        else:
            part[piece.unit] = count
            count += 1
    return part


def _separation(
    graph: LayeredGraph, piece: _Piece, *, doubtful: bool
) -> Int[np.ndarray, " unit"]:
    """Divide a piece into the components up to some layer, and the units above.

    The highest layer is taken up to which each component puts at least two units
    together and, unless nothing of the piece is above, some unit above reads one
    component without another. Failing that, and always where structure is `doubtful`,
    the separation must save more bits than it costs, and the layer where it saves most
    is taken. Everything stays together where none does.
    """
    layers = np.unique(piece.layer)
    # To say whether there is a separation, and up to which layer.
    best, chosen = 1 + np.log2(len(layers)), np.zeros(len(piece.unit), dtype=np.int64)
    for top in layers[::-1]:
        above = piece.layer > top
        low = piece.cut(above.astype(np.int64))[0]
        found = low.components()
        count = int(found.max()) + 1
        if count == 1:
            continue
        division = np.full(len(piece.unit), count)
        division[~above] = found
        first = np.bincount(found[low.sources()], minlength=count)
        clear = first.min() > 1 and not doubtful
        if clear and (not above.any() or _used_apart(graph, low.unit, found)):
            return division
        saved = edge_bits_saved(low.source, low.target, low.layer, found)
        # To say how many components there are, and which one each unit is in.
        saved -= np.log2(first.sum()) + naming_bits(len(found), count)
        if saved > best:
            best, chosen = saved, division
    return chosen


def _used_apart(
    graph: LayeredGraph,
    units: Int[np.ndarray, " unit"],
    component: Int[np.ndarray, " unit"],
) -> bool:
    """Tell whether any other unit reads some of the components, but not all."""
    edges = graph.adjacency[units].tocoo()
    outside = ~np.isin(edges.col, units)
    count = int(component.max()) + 1
    reads = np.unique(edges.col[outside] * count + component[edges.row[outside]])
    return bool((np.unique(reads // count, return_counts=True)[1] < count).any())


def _excess_bits(graph: LayeredGraph, part: Int[np.ndarray, " unit"]) -> float:
    """Tell how many more bits it takes to write the network down with its parts."""
    source, target = graph.edge_sources, graph.adjacency.indices
    count = int(part.max()) + 1
    naming = 0.0
    for layer in np.unique(graph.layer_of).tolist():
        found = part[graph.units(layer)]
        naming += naming_bits(len(found), len(np.unique(found)))
    links = np.unique(part[target] * count + part[source]) // count
    reads = np.bincount(links, minlength=count)
    linking = log2_choices(np.full(count, count), reads).sum()
    saved = edge_bits_saved(source, target, graph.layer_of, part)
    return float(naming + linking) - saved


def _set_inputs_apart(
    graph: LayeredGraph,
    part: Int[np.ndarray, " unit"],
    reached: UInt64[np.ndarray, "word unit"],
) -> Int[np.ndarray, " unit"]:
    """Make inputs modules of their own where others feed their module, too."""
    inputs = graph.units(0)
    source, target = part[graph.edge_sources], part[graph.adjacency.indices]
    fed = set(target[source != target].tolist())
    side = _sides(graph, unmark(reached[:, inputs], graph.sizes[-1]))
    sides: dict[int, set[int]] = {}
    for number, found in zip(part[inputs].tolist(), side.tolist(), strict=True):
        sides.setdefault(number, set()).add(found)
    names: list[Hashable] = part.tolist()
    for unit, found in enumerate(side.tolist()):
        number = int(part[unit])
        if number in fed or len(sides[number]) > 1:
            names[unit] = (number, found)
    return _numbered(names)


def _sides(
    graph: LayeredGraph, reached: Bool[np.ndarray, "input output"]
) -> Int[np.ndarray, " input"]:
    """Tell inputs apart by the outputs they reach, and where those mislead by company.

    Where all inputs of one output reach another, too, units are shared, and what is
    shared passes on more than is used. Then the shortest paths speak: of the inputs
    that reach all that some others reach and more, those that meet them first are apart
    from the rest.
    """
    role = _numbered(row.tobytes() for row in reached)
    reach = reached[np.unique(role, return_index=True)[1]].astype(np.int64)
    common = reach.T @ reach
    inputs = common.diagonal()
    contained = (common == inputs[:, None]) & (inputs[:, None] < inputs)
    if not contained[inputs > 0].any():
        return role
    scales = [reach_by_layer(graph, steps=steps)[0] for steps in range(1, graph.depth)]
    names = [[found] for found in role.tolist()]
    for more, less in permutations(range(len(reach)), 2):
        if (reach[more] >= reach[less]).all():
            members = np.flatnonzero(role == more)
            met = _first_to_meet(scales, members, np.flatnonzero(role == less))
            for member, meets in zip(members.tolist(), met.tolist(), strict=True):
                names[member].append(meets)
    return _numbered(map(tuple, names))


def _first_to_meet(
    scales: Sequence[Bool[np.ndarray, "input later"]],
    members: Int[np.ndarray, " member"],
    others: Int[np.ndarray, " other"],
) -> Bool[np.ndarray, " member"]:
    """Tell which members share a unit with others at the first scale where any does."""
    met = np.zeros(len(members), dtype=bool)
    for reach in scales:
        company = np.logical_or.reduce(reach[others])
        met = np.logical_or.reduce(reach[members] & company, axis=1)
        if met.any():
            break
    return met


def _numbered(names: Iterable[Hashable]) -> Int[np.ndarray, " unit"]:
    """Number equal names alike, in order of first appearance."""
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(name, len(seen)) for name in names])
