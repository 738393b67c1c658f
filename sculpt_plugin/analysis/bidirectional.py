"""Modules from both sides: what units reach, what feeds them, what holds together."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int, UInt64
from scipy import sparse
from scipy.sparse import csgraph

from sculpt_plugin.analysis.codelength import (
    edge_bits_saved,
    liveness_bits,
    log2_choices,
    naming_bits,
    wiring_bits,
)
from sculpt_plugin.analysis.features import reach_by_layer
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.sides import sides_and_purposes
from sculpt_plugin.analysis.spread import mark, spread, unmark
from sculpt_plugin.analysis.twins import set_twins_apart
from sculpt_plugin.errors import GraphError

# Bits that exact agreement may cost more than what pays does, or knowing nothing,
# before it is called chance. The right modules of small networks cost up to 24 (eight
# modules of fifteen units); some twenty units without structure cost as much as this.
_BENEFIT_OF_DOUBT = 28.0
# Only a network of so few edges has this benefit: in more of them structure has room to
# show.
_FEW_EDGES = 64
# In a network of so few units a stray edge is as good as any other.
_FEW_UNITS = 128
# Most bytes for tables of what the inputs reach at each number of steps.
_MOST_BYTES = 2**31


def join_both_ways(
    graph: LayeredGraph, *, alike: Int[np.ndarray, " output"] | None = None
) -> Int[np.ndarray, " unit"]:
    """Give each unit its module by what it reaches and by what feeds it.

    A sub-function shows from above, from below and in the middle. From below: outputs
    that read exactly the same units, or weigh them alike, compute the same. From above:
    units that reach exactly the same of these outputs serve the same ones. In the
    middle: of units that serve the same outputs, those that no edges connect are
    different sub-functions, also where edges connect them only further up, in units
    that combine them, or where such units share what they read (`set_twins_apart`).
    Inputs in a module that others feed, too, are a module of their own.

    In a tiny network exact agreement is all there is to go by. In others it may come by
    chance; then writing down the modules takes more bits than knowing them saves, and
    only separations that pay are kept.

    Args:
        graph: A network without dead units, with at least one edge.
        alike: A number for each output, the same for outputs that compute the same, as
            `outputs_alike` finds it in the weights. None: outputs that exactly the same
            units feed.

    Returns:
        The module of each unit, numbered in order of first appearance. The order of
        the units within a layer changes nothing else, but where units are wired so much
        alike that only their order tells them apart.

    Raises:
        GraphError: There are too many inputs to compare them at every scale. With ten
            layers of one size, that is from some 50,000 live units on.

    Example:
        Two pairs of inputs, and two outputs that both read both pairs.

        >>> pairs = [(0, 4), (1, 4), (2, 5), (3, 5)]
        >>> outputs = [(4, 6), (4, 7), (5, 6), (5, 7), (6, 8), (7, 9)]
        >>> graph = LayeredGraph.from_edges((4, 2, 2, 2), pairs + outputs)
        >>> join_both_ways(graph).tolist()
        [0, 0, 1, 1, 0, 1, 2, 3, 2, 3]
    """
    first = _first_like_it(graph, _fed_alike(graph) if alike is None else alike)
    kept = first == np.arange(graph.unit_count)
    label = np.zeros(graph.unit_count, dtype=np.int64)
    label[kept] = _join_apart(_merged(graph, first).keep(kept))
    return _numbered(label[first].tolist())


def _join_apart(graph: LayeredGraph) -> Int[np.ndarray, " unit"]:
    """Find the modules of each network that no edge connects with another.

    What stands beside a network changes nothing in it, nor do outputs that nothing
    feeds. Networks of one form are looked at once.
    """
    part = csgraph.connected_components(graph.adjacency, directed=False)[1]
    label = np.zeros(graph.unit_count, dtype=np.int64)
    count = 0
    same: dict[tuple[bytes, bytes], Int[np.ndarray, " unit"]] = {}
    for piece in _whole(graph).cut(part):
        sizes = np.bincount(piece.layer, minlength=graph.depth)
        edges = np.stack([piece.source, piece.target], axis=1)
        form = sizes.tobytes(), edges.tobytes()
        if form not in same:
            own = LayeredGraph.from_edges(sizes.tolist(), edges)
            same[form] = (
                _join_distinct(own) if len(edges) else np.zeros_like(piece.unit)
            )
        label[piece.unit] = count + same[form]
        count += 1 + int(same[form].max())
    return label


def _fed_alike(graph: LayeredGraph) -> Int[np.ndarray, " output"]:
    """Number the outputs, and alike those that exactly the same units feed."""
    outputs = graph.units(graph.depth - 1)
    feeders = sparse.csc_array(graph.adjacency[:, outputs])
    spans = pairwise(np.asarray(feeders.indptr))
    found = [np.sort(feeders.indices[begin:end]).tobytes() for begin, end in spans]
    # Outputs that nothing feeds are not alike.
    return _numbered(name or place for place, name in enumerate(found))


def _first_like_it(
    graph: LayeredGraph, alike: Int[np.ndarray, " output"]
) -> Int[np.ndarray, " unit"]:
    """For each unit itself, but for an output the first that is alike."""
    outputs = graph.units(graph.depth - 1)
    first = np.arange(graph.unit_count)
    place, group = np.unique(alike, return_index=True, return_inverse=True)[1:]
    first[outputs] = outputs.start + place[group]
    return first


def _merged(graph: LayeredGraph, first: Int[np.ndarray, " unit"]) -> LayeredGraph:
    """Let the first of the outputs that are alike read what any of them reads."""
    edges = graph.edge_sources, first[graph.adjacency.indices]
    ones = np.ones(graph.edge_count, dtype=bool)
    adjacency = sparse.csr_array((ones, edges), shape=graph.adjacency.shape)
    return replace(graph, adjacency=adjacency)


def _join_distinct(graph: LayeredGraph) -> Int[np.ndarray, " unit"]:
    """Find the modules of a network in which no two outputs are alike."""
    output = np.full(graph.unit_count, -1)
    output[graph.units(graph.depth - 1)] = np.arange(graph.sizes[-1])
    reached = spread(graph, mark(output, graph.sizes[-1]))
    role = _numbered(column.tobytes() for column in reached.T)
    part = _divide(graph, role, _clear_separation)
    paying = _divide(graph, np.zeros_like(role), _paying_separation)
    least = min(0.0, _excess_bits(graph, paying))
    few = graph.edge_count <= _FEW_EDGES
    doubt = _BENEFIT_OF_DOUBT if few else -liveness_bits(graph, part)
    if _excess_bits(graph, part) > least + doubt:
        exact = paying
    else:
        exact = _set_inputs_apart(graph, set_twins_apart(graph, part), reached)
    if graph.unit_count <= _FEW_UNITS:
        return exact
    loose = sides_and_purposes(graph)
    if loose is None:
        return exact
    bits = wiring_bits(graph, loose)
    saved = wiring_bits(graph, np.zeros_like(loose)) - bits
    if wiring_bits(graph, exact) < bits or saved < liveness_bits(graph, loose):
        return exact
    # What holds exactly may be many small things, which pay by what each one reads.
    pays = _excess_bits(graph, exact) < min(0.0, _excess_bits(graph, loose))
    return exact if pays else loose


@dataclass(frozen=True, eq=False)
class _Piece:
    """Some units of a network and the edges between them, counted from 0."""

    unit: Int[np.ndarray, " unit"]
    layer: Int[np.ndarray, " unit"]
    source: Int[np.ndarray, " edge"]
    target: Int[np.ndarray, " edge"]

    def forest(self) -> tuple[Int[np.ndarray, " tree"], Int[np.ndarray, " tree"]]:
        """List few edges that connect what all do, up to whatever layer one looks."""
        count = len(self.unit)
        if len(self.source) <= count:
            return self.source, self.target
        edges = (1 + self.layer[self.target], (self.source, self.target))
        whole = sparse.csr_array(edges, shape=(count, count))
        return csgraph.minimum_spanning_tree(whole).tocoo().coords

    def sources(self) -> Bool[np.ndarray, " unit"]:
        """Tell which units read none of the others."""
        alone = np.ones(len(self.unit), dtype=bool)
        alone[self.target] = False
        return alone

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


def _whole(graph: LayeredGraph) -> _Piece:
    """Give all of a network as one piece."""
    units = np.arange(graph.unit_count)
    return _Piece(units, graph.layer_of, graph.edge_sources, graph.adjacency.indices)


_Separation = Callable[[_Piece], Int[np.ndarray, " unit"]]


def _divide(
    graph: LayeredGraph, role: Int[np.ndarray, " unit"], separation: _Separation
) -> Int[np.ndarray, " unit"]:
    """Divide units of one role into those that belong together."""
    part = np.full(graph.unit_count, -1)
    count = 0
    waiting = _whole(graph).cut(role)
    while waiting:
        piece = waiting.pop()
        found = separation(piece)
        if found.max():
            waiting += piece.cut(found)
        else:
            part[piece.unit] = count
            count += 1
    return part


def _clear_separation(piece: _Piece) -> Int[np.ndarray, " unit"]:
    """Divide a piece where each component puts at least two units together.

    The highest layer is taken up to which that is so; what is above is one part more.
    """
    sources = piece.sources()
    for top, division in _separations(piece):
        if np.bincount(division[sources & (piece.layer <= top)]).min() > 1:
            return division
    return np.zeros(len(piece.unit), dtype=np.int64)


def _paying_separation(piece: _Piece) -> Int[np.ndarray, " unit"]:
    """Divide a piece where knowing the components saves more bits than they cost."""
    # To say whether there is a separation, and up to which layer.
    best = 1 + np.log2(len(np.unique(piece.layer)))
    chosen = np.zeros(len(piece.unit), dtype=np.int64)
    sources = piece.sources()
    for top, division in _separations(piece):
        low, inside = piece.layer <= top, piece.layer[piece.target] <= top
        edges = piece.source[inside], piece.target[inside]
        saved = edge_bits_saved(*edges, piece.layer, division)
        # To say how many components there are, and which one each unit is in.
        saved -= np.log2((sources & low).sum()) + naming_bits(
            np.bincount(division[low])
        )
        if saved > best:
            best, chosen = saved, division
    return chosen


def _separations(piece: _Piece) -> Iterator[tuple[int, Int[np.ndarray, " unit"]]]:
    """For each layer from the top down, divide what is up to there, if it is not one.

    Gives the layer, and the component of each unit up to there; the units above are one
    part more.
    """
    count = len(piece.unit)
    if count == 1:
        return
    source, target = piece.forest()
    for top in np.unique(piece.layer)[::-1].tolist():
        low = piece.layer <= top
        inside = piece.layer[target] <= top
        edges = (np.ones(inside.sum()), (source[inside], target[inside]))
        joined = sparse.coo_array(edges, shape=(count, count))
        found = csgraph.connected_components(joined, directed=False)[1]
        names, part = np.unique(found[low], return_inverse=True)
        if len(names) > 1:
            division = np.full(count, len(names))
            division[low] = part
            yield top, division


def _excess_bits(graph: LayeredGraph, part: Int[np.ndarray, " unit"]) -> float:
    """Tell how many more bits it takes to write the network down with its parts."""
    source, target = graph.edge_sources, graph.adjacency.indices
    count = int(part.max()) + 1
    naming = 0.0
    for layer in np.unique(graph.layer_of).tolist():
        found = part[graph.units(layer)]
        naming += naming_bits(np.unique(found, return_counts=True)[1])
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
    # Single precision holds these whole numbers, and has a fast product.
    reach = reached[np.unique(role, return_index=True)[1]].astype(np.float32)
    common = reach.T @ reach
    inputs = common.diagonal()
    contained = (common == inputs[:, None]) & (inputs[:, None] < inputs)
    if not contained[inputs > 0].any():
        return role
    _check_size(graph)
    scales = [reach_by_layer(graph, steps=steps)[0] for steps in range(1, graph.depth)]
    names = [[found] for found in role.tolist()]
    for more, less in _nested(reach):
        members = np.flatnonzero(role == more)
        met = _first_to_meet(scales, members, np.flatnonzero(role == less))
        for member, meets in zip(members.tolist(), met.tolist(), strict=True):
            names[member].append(meets)
    return _numbered(map(tuple, names))


def _check_size(graph: LayeredGraph) -> None:
    """Refuse a network whose inputs cannot be compared at every scale."""
    needed = graph.sizes[0] * (graph.unit_count - graph.sizes[0]) * (graph.depth - 1)
    if needed > _MOST_BYTES:
        raise GraphError(
            f"method 'bidirectional' can use {_MOST_BYTES / 2**30:.0f} GiB to compare "
            f"inputs at every scale, but {graph.sizes[0]} live inputs and "
            f"{graph.unit_count} live units in {graph.depth} layers need "
            f"{needed / 2**30:.0f}: prune more, or take method 'agglomerative'."
        )


def _nested(reach: Float[np.ndarray, "role output"]) -> list[tuple[int, int]]:
    """List the pairs of roles of which the first reaches all that the second does."""
    nested = reach @ reach.T == reach.sum(axis=1)
    np.fill_diagonal(nested, False)
    return [(more, less) for more, less in np.argwhere(nested).tolist()]


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
