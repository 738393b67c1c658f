"""Sides from below, purposes from above: the modules of a network with stray edges."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, UInt64
from scipy import sparse
from scipy.cluster.hierarchy import linkage
from scipy.sparse import csgraph
from scipy.spatial.distance import squareform

from sculpt_plugin.analysis.agreement import in_order
from sculpt_plugin.analysis.codelength import (
    linking_bits,
    log2_choices,
    naming_by_layer,
    wiring_bits,
)
from sculpt_plugin.analysis.graph import LayeredGraph

MIXED = -1
"""The label of a unit that is on no side, or serves more than one purpose."""

# A unit of which nothing is known yet: it has no say.
_UNKNOWN = -2
# Most units of which each two are compared, and most groups that are tried.
_MOST_COMPARED = 2048
_MOST_GROUPS = 16
# In how many ways ties between them are settled. Of 220 networks with two sides and up
# to 20 stray edges one way finds the sides of 170, two of 178 and five of 185.
# Each more takes as long as the first, so larger networks have one.
_WAYS, _MOST_EDGES = 5, 50_000
# Bits that it may cost to keep outputs apart that share no unit.
_BENEFIT_OF_DOUBT = 64.0
# The share of the edges that joins two modules, as in the paper.
_JOINED = 0.9


def sides_and_purposes(graph: LayeredGraph) -> Int[np.ndarray, " unit"] | None:
    """Give each unit the module that describes the wiring best, stray edges and all.

    In a large network one stray edge connects what belongs apart. So the units that
    read the inputs are grouped by how much they read in common; inputs go with those
    that read them, and units above with most of what feeds them, as long as that says
    more than nothing: these are the sides. From above, outputs are grouped by what
    feeds them, and the units below go with most of what they feed: these are the
    purposes. Up to some layer units belong to their side, above it to their purpose.
    The division is taken that makes the wiring shortest to write down; outputs that no
    unit feeds together have the benefit of the doubt.

    Args:
        graph: A network without dead units.

    Returns:
        The module of each unit, numbered from 0, or None where there are too many units
        to compare.

    Example:
        Two sides of 20 inputs and 10 units each that read 6 of them, an output for
        each side, and a stray edge from one side to the other.

        >>> chosen = np.random.default_rng(0)
        >>> edges = [(0, 59)]
        >>> for unit in range(40, 60):
        ...     side = unit // 50
        ...     read = 20 * side + chosen.choice(20, 6, replace=False)
        ...     edges += [(int(source), unit) for source in read]
        ...     edges += [(unit, 60 + side)]
        >>> graph = LayeredGraph.from_edges((40, 20, 2), edges).live()
        >>> print(sides_and_purposes(graph)[graph.units(1)])
        [0 0 0 0 0 0 0 0 0 0 1 1 1 1 1 1 1 1 1 1]
    """
    first = _first_readers(graph)
    if max(graph.sizes[first], graph.sizes[-1]) > _MOST_COMPARED:
        return None
    forms = _forms(graph)
    whole = np.zeros(graph.unit_count, dtype=np.int64)
    purposes = [_Division(graph, whole, found, 0) for found in _purposes(graph, forms)]
    # Far below the outputs a purpose may be chance: it counts from where it pays.
    purpose = _finest([found.from_best_layer() for found in purposes])
    # The choices are made one after the other: all at once would cost their product.
    sides = [replace(purpose, side=x, top=first + 1) for x in _sides(graph, forms)]
    side = _best(sides).side
    # Once the sides are known, purposes need not speak of what is below.
    divisions = [replace(x, side=side).from_best_layer() for x in purposes]
    return _joined(graph, _finest(divisions).label)


@dataclass(frozen=True, eq=False)
class _Division:
    """One way to divide a network.

    Attributes:
        graph: The network.
        side: The side of each unit.
        purpose: The purpose of each unit.
        top: The first layer whose units belong to their purpose.
    """

    graph: LayeredGraph
    side: Int[np.ndarray, " unit"]
    purpose: Int[np.ndarray, " unit"]
    top: int

    @cached_property
    def label(self) -> Int[np.ndarray, " unit"]:
        """The module of each unit."""
        below = (self.graph.layer_of < self.top) & (self.side != MIXED)
        label = np.where(below, self.side, self.purpose + 2 + self.side.max())
        return np.unique(label, return_inverse=True)[1]

    @cached_property
    def bits(self) -> float:
        """The bits it takes to write the network down."""
        # So that sums in another order are equal.
        return round(wiring_bits(self.graph, self.label), 6)

    def from_best_layer(self) -> "_Division":
        """Let units belong to their purpose from the layer on from which it is best.

        Each layer is one of two kinds, so three sums between layers tell of all.
        """
        depth, graph = self.graph.depth, self.graph
        lower, upper = replace(self, top=depth).label, replace(self, top=0).label
        named = naming_by_layer(graph, lower), naming_by_layer(graph, upper)
        inside, into, above = (
            linking_bits(graph, source, target)
            for source, target in ((lower, lower), (lower, upper), (upper, upper))
        )

        def bits(top: int) -> float:
            told = named[0][:top].sum() + named[1][top:].sum()
            told += inside[:top, :top].sum() + into[:top, top:].sum()
            return round(float(told + above[top:, top:].sum()), 6)

        return replace(self, top=min(range(depth, -1, -1), key=bits))

    def shares_no_unit(self) -> bool:
        """Tell whether each unit feeds outputs of one purpose only."""
        graph = self.graph
        into = graph.layer_of[graph.adjacency.indices] == graph.depth - 1
        feeds = self.purpose[graph.edge_sources[into]]
        return bool((feeds == self.purpose[graph.adjacency.indices[into]]).all())


def _best(divisions: Sequence[_Division]) -> _Division:
    """Take the division that needs the fewest bits, of equal ones the first."""
    return min(divisions, key=lambda division: division.bits)


def _finest(divisions: Sequence[_Division]) -> _Division:
    """Take the best division, or the finest in which outputs share no unit.

    Where each unit feeds one output, knowing the outputs apart hardly saves a bit, and
    yet they are.
    """
    best = _best(divisions)
    most = best.bits + _BENEFIT_OF_DOUBT
    apart = [x for x in divisions if x.shares_no_unit() and x.bits <= most]
    # Coarse ones come first.
    return apart[-1] if apart else best


def _joined(
    graph: LayeredGraph, label: Int[np.ndarray, " unit"]
) -> Int[np.ndarray, " unit"]:
    """Join two modules where one feeds hardly anything else, and little else feeds it.

    This is the paper's rule for joining clusters of neighbouring layers; a cluster is
    what a module has in a layer.
    """
    count = int(label.max()) + 1
    cluster = graph.layer_of * count + label
    links = np.zeros((graph.depth * count,) * 2)
    ends = cluster[graph.edge_sources], cluster[graph.adjacency.indices]
    np.add.at(links, ends, 1)
    feeds = links / np.maximum(links.sum(axis=1, keepdims=True), 1)
    fed = links / np.maximum(links.sum(axis=0, keepdims=True), 1)
    one, other = np.nonzero((feeds > _JOINED) & (fed > _JOINED))
    joins = (np.ones(len(one)), (one % count, other % count))
    whole = sparse.coo_array(joins, shape=(count, count))
    found = csgraph.connected_components(whole, directed=False)[1]
    return found[label].astype(np.int64)


def _first_readers(graph: LayeredGraph) -> int:
    """Give the first layer above the inputs that has units."""
    return next(layer for layer in range(1, graph.depth) if graph.sizes[layer])


def _sides(
    graph: LayeredGraph, forms: UInt64[np.ndarray, "way unit"]
) -> list[Int[np.ndarray, " unit"]]:
    """Give each unit its side, for each number of sides."""
    lowest = _first_readers(graph)
    first = graph.units(lowest)
    above = slice(first.stop, graph.unit_count)
    feeders = graph.adjacency.tocsc().T.tocsr()
    reads = feeders[first][:, graph.units(0)]
    alone = _reads_alone(reads)
    found = []
    for group in _groupings(reads[~alone], forms[:, first][:, ~alone]):
        side = np.full(graph.unit_count, _UNKNOWN)
        # An input goes with those that read it, a unit above with what feeds it.
        side[first][~alone] = group
        _follow(side, graph.adjacency, graph.units(0), first)
        for layer in range(lowest + 1, graph.depth):
            units = graph.units(layer)
            _follow(side, feeders, units, slice(0, units.start))
        if alone.any():
            # What a unit reads alone says nothing of its side; what it feeds may, where
            # that is on one.
            sure = np.where(side == MIXED, _UNKNOWN, side)
            _follow(sure, graph.adjacency, first, above)
            side[first] = np.where(alone, sure[first], side[first])
            _follow(side, graph.adjacency, graph.units(0), first)
        found.append(side)
    return found


def _reads_alone(reads: sparse.csr_array) -> Bool[np.ndarray, " unit"]:
    """Tell which units read nothing that another reads, unless none does."""
    readers = np.bincount(reads.indices)
    reader = np.repeat(np.arange(len(reads.indptr) - 1), np.diff(reads.indptr))
    alone = np.ones(len(reads.indptr) - 1, dtype=bool)
    alone[reader[readers[reads.indices] > 1]] = False
    return alone & ~alone.all()


def _purposes(
    graph: LayeredGraph, forms: UInt64[np.ndarray, "way unit"]
) -> list[Int[np.ndarray, " unit"]]:
    """Give each unit its purpose, for each number of purposes."""
    last = graph.units(graph.depth - 1)
    feeders = graph.adjacency.tocsc().T.tocsr()
    found = []
    for group in _groupings(feeders[last], forms[:, last]):
        purpose = np.full(graph.unit_count, MIXED)
        purpose[last] = group
        for layer in range(graph.depth - 2, -1, -1):
            units = graph.units(layer)
            _follow(purpose, graph.adjacency, units, slice(units.stop, last.stop))
        found.append(purpose)
    return found


def _forms(graph: LayeredGraph) -> UInt64[np.ndarray, "way unit"]:
    """Number units by how they are wired, in a few ways; their order changes nothing.

    A unit's number comes of its layer, then of its neighbours' numbers, then of theirs:
    units get the same one only where so many steps around them look the same (colour
    refinement, Weisfeiler and Leman 1968).
    """
    readers = graph.adjacency.astype(np.uint64)
    feeders = readers.T.tocsr()
    forms = _mixed(graph.layer_of.astype(np.uint64))
    for _ in range(2 * graph.depth):
        around = _mixed(readers @ forms) + feeders @ forms
        forms = _mixed(forms + around)
    ways = [forms]
    while len(ways) < _WAYS and graph.edge_count <= _MOST_EDGES:
        ways.append(_mixed(ways[-1]))
    return np.stack(ways)


def _mixed(numbers: UInt64[np.ndarray, " _"]) -> UInt64[np.ndarray, " _"]:
    """Scatter whole numbers over all that 64 bits can hold, equal ones alike."""
    # The finalizer of SplitMix64 (Steele, Lea and Flood 2014), which loses nothing.
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _groupings(
    reads: sparse.csr_array, forms: UInt64[np.ndarray, "way unit"]
) -> list[Int[np.ndarray, " unit"]]:
    """Group units by how much they read in common, into one group, two, and so on.

    Which of equally near units are joined first is settled by their forms, in a few
    ways that are all given.
    """
    ones = np.ones(len(reads.indices))
    read = sparse.csr_array((ones, reads.indices, reads.indptr), shape=reads.shape)
    common = (read @ read.T).toarray()
    count = len(common)
    if count == 1:
        return [np.zeros(1, dtype=np.int64)]
    length = np.sqrt(np.maximum(common.diagonal(), 1))
    apart = 1 - common / np.outer(length, length)
    np.fill_diagonal(apart, 0)
    # A symmetric table to the last bit, and no distance below zero.
    apart = np.maximum((apart + apart.T) / 2, 0)
    trees = []
    for way in forms:
        order = np.argsort(way, kind="stable")
        near = squareform(apart[np.ix_(order, order)], checks=False)
        trees.append((linkage(near, method="average"), np.argsort(order)))
    most = min(count, _MOST_GROUPS)
    # Those of as many groups one after the other, and none twice.
    found = {}
    for groups in range(1, most + 1):
        for tree, place in trees:
            group = _cut(tree, groups)[place]
            found.setdefault(in_order(group).tobytes(), group)
    return list(found.values())


def _cut(tree: Float[np.ndarray, "merge 4"], groups: int) -> Int[np.ndarray, " unit"]:
    """Replay the first merges of a tree, until so many groups are left."""
    count = len(tree) + 1
    label = np.arange(count)
    members = {unit: [unit] for unit in range(count)}
    for number, (one, other) in enumerate(tree[: count - groups, :2].astype(int)):
        members[count + number] = members.pop(int(one)) + members.pop(int(other))
    for number, units in enumerate(members.values()):
        label[units] = number
    return label


def _follow(
    label: Int[np.ndarray, " unit"],
    neighbours: sparse.csr_array,
    units: slice,
    among: slice,
) -> None:
    """Give units the label of most of their neighbours, in place, where that is one.

    It is where a unit's neighbours are told in fewer bits as so many with that label,
    and some stray ones, than as any.
    """
    kinds, count = int(label.max()) + 1, units.stop - units.start
    pointers = neighbours.indptr[units.start : units.stop + 1]
    unit = np.repeat(np.arange(count), np.diff(pointers))
    other = neighbours.indices[pointers[0] : pointers[-1]]
    near = (other >= among.start) & (other < among.stop) & (label[other] != _UNKNOWN)
    unit, said, known = unit[near], label[other[near]], label[among]
    known = known[known != _UNKNOWN]
    degree = np.bincount(unit, minlength=count)
    sure = said != MIXED
    votes = np.bincount(unit[sure] * kinds + said[sure], minlength=count * kinds)
    votes = votes.reshape(count, kinds)
    chosen = votes.argmax(axis=1)
    agree = votes[np.arange(len(votes)), chosen]
    size = np.bincount(known[known != MIXED], minlength=kinds)[chosen]
    any_of = log2_choices(np.full(len(degree), len(known)), degree)
    told = (
        log2_choices(size, agree)
        + log2_choices(len(known) - size, degree - agree)
        + np.where(agree < degree, np.log2(degree + 1), 0)
    )
    tied = (votes == agree[:, None]).sum(axis=1) > 1
    clear = (degree > 0) & ~tied & (told <= any_of)
    label[units] = np.where(clear, chosen, MIXED)
