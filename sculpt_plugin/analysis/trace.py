"""Any model to a layered graph, and what of the model the graph stands for.

`wiring` says which units the columns of each layer carry; an edge runs from such a unit
to each unit of the layer that keeps a weight on one of those columns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from scipy import sparse
from torch import nn

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.inputs import Inputs
from sculpt_plugin.tracing.covering import covered
from sculpt_plugin.tracing.sets import UnitSets
from sculpt_plugin.tracing.verifying import verify as check
from sculpt_plugin.tracing.wiring import Wiring, wire


@dataclass(frozen=True, eq=False)
class Trace:
    """A model as a graph, and what of the model the graph stands for.

    Attributes:
        graph: All units and edges, dead ones included.
        coverage: `parameters`, their number; `exact` and `approximated`, the shares
            that the graph stands for exactly and nearly; `layers`, for each module with
            parameters of its own, and each that is not exact, its `name`, `kind`
            (class), `parameters` and `coverage` (`exact`, `approximated` or `not
            covered`), with a `reason` where there is something to say; and `verified`,
            where the graph was checked.
    """

    graph: LayeredGraph
    coverage: dict[str, Any]


def trace(model: nn.Module, example_inputs: Inputs) -> LayeredGraph:
    """Read the units of a model and the edges between them.

    The weights that are left after pruning are the edges of a graph, and its modules
    show in that graph. A weight counts if it is not zero: it does not matter whether
    `sculpt`, `torch.nn.utils.prune` or anything else made the others zero. The units
    of a convolution are its channels; the weights of one kernel make one edge. A unit
    whose norm has weight zero passes nothing on.

    The model is run once, and every number that it computes is followed, through any
    operation: reshapes, concatenations, residual additions, gates, attention. A sum of
    more than two units becomes a unit of a layer of its own, of kind `junction`. What
    is not followed exactly is said by `read`.

    Args:
        model: The model, left as it was found.
        example_inputs: What the model is called with: a tensor, a tuple of arguments or
            a dict of named ones, with a batch axis first, of any values. Their
            channels are the graph's input units, or their single positions if layers
            tell these apart.

    Returns:
        The graph of all units, dead ones included: the inputs, then the layers in the
        order in which they run, the output layer last. A layer that runs several times
        is there several times. Outputs that are not just the units of one layer make a
        layer `outputs` of their own.

    Raises:
        ModelError: The model cannot run on the inputs.
        TraceError: Nothing leads from the inputs to the outputs.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> with torch.no_grad():
        ...     weight = net[0].weight.copy_(torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
        >>> graph = trace(net, torch.zeros(1, 2))
        >>> graph.names, graph.kinds, graph.sizes
        (('inputs', '0', '2'), ('input', 'linear', 'linear'), (2, 2, 1))
        >>> [(int(i), int(j)) for i, j in zip(*graph.adjacency.nonzero())]
        [(0, 2), (0, 3), (1, 3), (2, 4), (3, 4)]
    """
    return read(model, example_inputs).graph


def read(model: nn.Module, example_inputs: Inputs, *, verify: bool = False) -> Trace:
    """Trace a model, and say how much of it the graph stands for.

    Args:
        model: As for `trace`.
        example_inputs: As for `trace`.
        verify: Whether to check the graph on the model itself: units are changed, and
            the layers whose inputs then change must be those that the graph has edges
            to. Takes as long as about a hundred runs of the model.

    Returns:
        The graph and its coverage.

    Raises:
        ModelError: As for `trace`, like the rest.
        TraceError: As for `trace`.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
        >>> found = read(net, torch.zeros(1, 3))
        >>> found.coverage["parameters"], round(found.coverage["exact"], 2)
        (12, 0.67)
        >>> found.coverage["layers"][1]["reason"]
        'leaves out the statistics that its units share'
    """
    wiring = wire(model, example_inputs)
    coverage = covered(model, wiring.follower)
    if verify:
        coverage["verified"] = check(model, example_inputs, wiring)
    return Trace(_graph(wiring), coverage)


@dataclass(frozen=True, eq=False)
class _Block:
    """A layer of the graph: its name and kind, its units, and what feeds them.

    `kept[i, j]`: unit `i` of the layer is fed by the units of the set `labels[j]`.
    """

    name: str
    kind: str
    first: int
    labels: Int[np.ndarray, " set"]
    kept: Bool[np.ndarray, "unit set"]

    @property
    def size(self) -> int:
        """Number of units."""
        return len(self.kept)


def _graph(wiring: Wiring) -> LayeredGraph:
    """Put the layers in order and join them."""
    blocks = sorted(_blocks(wiring), key=lambda block: block.first)
    last = wiring.outputs.layer
    if last is not None:
        blocks.sort(key=lambda block: block.first == wiring.layers[last].first)
    return LayeredGraph(
        sizes=tuple(block.size for block in blocks),
        names=tuple(block.name for block in blocks),
        kinds=tuple(block.kind for block in blocks),
        channel=np.concatenate([np.arange(block.size) for block in blocks]),
        adjacency=_adjacency(blocks, wiring.follower.labels.sets),
    )


def _blocks(wiring: Wiring) -> Iterator[_Block]:
    """List the layers of the graph, in no order."""
    sets = wiring.follower.labels.sets
    count = sum(each.count for each in wiring.inputs)
    nothing = np.zeros(0, dtype=np.int32)
    yield _Block("inputs", "input", 0, nothing, np.zeros((count, 0), dtype=bool))
    for layer in wiring.layers:
        yield _grouped(layer.name, layer.kind, layer.first, layer.columns, layer.kept)
    for name, junction in zip(wiring.follower.junctions, sets.junctions, strict=True):
        units, where = np.unique(np.concatenate(junction.members), return_inverse=True)
        kept = np.zeros((len(junction.members), len(units)), dtype=bool)
        kept[np.repeat(np.arange(len(kept)), [*map(len, junction.members)]), where] = (
            True
        )
        yield _Block(name, "junction", junction.first, sets.alone(units), kept)
    if wiring.outputs.layer is None:
        columns = wiring.outputs.columns
        itself = np.eye(len(columns), dtype=bool)
        yield _grouped("outputs", "output", sets.unit_count, columns, itself)


def _grouped(
    name: str,
    kind: str,
    first: int,
    columns: Int[np.ndarray, " column"],
    kept: Bool[np.ndarray, "unit column"],
) -> _Block:
    """Put columns together that carry the same; any weight on them makes the edge."""
    order = np.argsort(columns, kind="stable")
    labels, starts = np.unique(columns[order], return_index=True)
    if (order[1:] < order[:-1]).any():
        kept = kept[:, order]
    if len(labels) < len(columns):
        kept = np.logical_or.reduceat(kept, starts, axis=1)
    return _Block(name, kind, first, labels, kept)


def _adjacency(blocks: Sequence[_Block], sets: UnitSets) -> sparse.csr_array:
    """Write the edges of all blocks into one matrix.

    Its rows are filled block by block, from the first layer to the last, so that no
    edge is ever sorted or held twice.
    """
    sizes = [block.size for block in blocks]
    starts = np.cumsum([0, *sizes])
    place = np.empty(starts[-1] + 1, dtype=np.int64)
    for block, start in zip(blocks, starts, strict=False):
        place[block.first : block.first + block.size] = np.arange(
            start, start + block.size
        )
    counts = np.zeros(starts[-1], dtype=np.int64)
    for block in blocks:
        for units, kept in _sources(block, sets):
            counts[place[units]] += np.count_nonzero(kept, axis=0)
    pointers = np.concatenate([[0], np.cumsum(counts)])
    indices = np.empty(pointers[-1], dtype=np.int32)
    filled = pointers[:-1].copy()
    for block, start in zip(blocks, starts, strict=False):
        for units, kept in _sources(block, sets):
            each = np.count_nonzero(kept, axis=0)
            rows = place[units]
            targets = _targets(kept) + np.int32(start)
            before = np.cumsum(each) - each
            if np.array_equal(filled[rows], filled[rows[0]] + before):
                indices[filled[rows[0]] : filled[rows[0]] + len(targets)] = targets
            else:
                where = np.repeat(filled[rows] - before, each)
                where += np.arange(len(targets))
                indices[where] = targets
            filled[rows] += each
    if len(indices) < np.iinfo(np.int32).max:
        pointers = pointers.astype(np.int32)
    data = np.ones(len(indices), dtype=bool)
    adjacency = sparse.csr_array((data, indices, pointers), shape=(len(counts),) * 2)
    adjacency.has_canonical_format = True
    return adjacency


def _sources(
    block: _Block, sets: UnitSets
) -> Iterator[tuple[Int[np.ndarray, " source"], Bool[np.ndarray, "unit source"]]]:
    """Give the units that feed a block, some at a time, and which units they feed."""
    table = sets.table(block.labels)
    rows, slots = np.nonzero(table >= 0)
    units = table[rows, slots]
    order = np.lexsort((rows, units))
    units, rows = units[order], rows[order]
    step = max(1, 2**24 // max(1, block.size))
    start = 0
    while start < len(units):
        stop = min(start + step, len(units))
        # A unit's sets stay together.
        while stop < len(units) and units[stop] == units[stop - 1]:
            stop += 1
        fed = block.kept[:, rows[start:stop]]
        own, first = np.unique(units[start:stop], return_index=True)
        if len(own) < stop - start:
            fed = np.logical_or.reduceat(fed, first, axis=1)
        yield own, fed
        start = stop


def _targets(kept: Bool[np.ndarray, "unit source"]) -> Int[np.ndarray, " edge"]:
    """List the units that each source feeds, source by source."""
    turned = np.ascontiguousarray(kept.T)
    return np.nonzero(turned)[1].astype(np.int32)
