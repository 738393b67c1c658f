"""A network as units in layers and the edges between them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int
from scipy import sparse

from sculpt_plugin.errors import GraphError

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True, eq=False)
class LayeredGraph:
    """Units in layers, joined by edges that always run to a later layer.

    Attributes:
        sizes: Number of units in each layer, the inputs first.
        names: One name per layer, the inputs' layer is called `inputs`.
        kinds: One kind per layer: `input`, `linear`, `conv2d`, ...
        channel: For each unit its original number within its layer.
        adjacency: `adjacency[i, j]` is true where unit `i` feeds unit `j`. Units of
            all layers live in one flat order, layer by layer, so the matrix is
            strictly upper block triangular. An edge may jump layers.

    Raises:
        GraphError: The parts do not fit together, or an edge runs within a layer or
            backwards.
    """

    sizes: tuple[int, ...]
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    channel: Int[np.ndarray, " unit"]
    adjacency: sparse.csr_array

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        _check_sizes(self.sizes)
        for what, found in (("names", self.names), ("kinds", self.kinds)):
            if len(found) != self.depth:
                raise GraphError(
                    f"{what} must hold one entry for each of the {self.depth} layers, "
                    f"got {len(found)}: give the layers in the order of sizes."
                )
        if self.channel.shape != (self.unit_count,):
            raise GraphError(
                f"channel must hold one number for each of the {self.unit_count} units "
                f"in {self.sizes}, got shape {self.channel.shape}."
            )
        _check_adjacency(self)

    @classmethod
    def from_edges(
        cls,
        sizes: Sequence[int],
        edges: Iterable[tuple[int, int]] | Int[np.ndarray, "edge 2"],
        *,
        names: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
    ) -> "LayeredGraph":
        """Build a graph from pairs of units.

        Args:
            sizes: Number of units in each layer, the inputs first.
            edges: `(from, to)` pairs of units in the flat order, in which the units of
                a layer follow those of the layer before it. Repeats count once.
            names: One name per layer. Default: `inputs`, `layer 1`, ...
            kinds: One kind per layer. Default: `input`, then `linear`.

        Returns:
            The graph; unit `i` of a layer has channel `i`.

        Raises:
            GraphError: An edge names a unit that is not there, or does not run to a
                later layer.

        Example:
            Two inputs, one hidden unit, one output, and an edge past the hidden unit.

            >>> graph = LayeredGraph.from_edges((2, 1, 1), [(0, 2), (2, 3), (1, 3)])
            >>> graph.depth, graph.unit_count, graph.edge_count
            (3, 4, 3)
        """
        sizes = tuple(int(size) for size in sizes)
        _check_sizes(sizes)
        unit_count = sum(sizes)
        pairs = _pairs(edges)
        if pairs.size and not (pairs.min() >= 0 and pairs.max() < unit_count):
            stray = pairs[((pairs < 0) | (pairs >= unit_count)).any(axis=1)][0].tolist()
            raise GraphError(
                f"edges must join units 0 to {unit_count - 1} (sizes {sizes}), got "
                f"{tuple(stray)}: number the units of all layers in one row."
            )
        flat = np.unique(pairs[:, 0] * unit_count + pairs[:, 1])
        source, target = np.divmod(flat, unit_count)
        return cls(
            sizes=sizes,
            names=_default_names(len(sizes)) if names is None else tuple(names),
            kinds=_default_kinds(len(sizes)) if kinds is None else tuple(kinds),
            channel=np.concatenate([np.arange(size) for size in sizes]),
            adjacency=_adjacency(source, target, unit_count),
        )

    @classmethod
    def from_layers(
        cls,
        weights: Sequence[Any],
        *,
        names: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
    ) -> "LayeredGraph":
        """Build the graph of a chain of layers from their weights.

        Args:
            weights: One table per layer after the inputs, from the inputs up. Row `i`
                holds what unit `i` reads (as in `torch.nn.Linear`); a weight that is
                not zero is an edge. Booleans serve as numbers do, tensors as arrays.
            names: One name per layer, the inputs' first. Default: `inputs`, `layer 1`,
                ...
            kinds: One kind per layer, the inputs' first. Default: `input`, then
                `linear`.

        Returns:
            The graph; unit `i` of a layer has channel `i`.

        Raises:
            GraphError: The tables do not follow each other, or hold something else
                than finite numbers.

        Example:
            >>> import numpy as np
            >>> first = np.array([[0.5, -1.0, 0.0], [0.0, 0.0, 2.0]])
            >>> second = np.array([[1.0, 0.0]])
            >>> LayeredGraph.from_layers([first, second]).sizes
            (3, 2, 1)
        """
        # As doubles, for numpy has no bfloat16.
        tables = [
            np.asarray(x.detach().cpu().double() if hasattr(x, "detach") else x)
            for x in weights
        ]
        for layer, table in enumerate(tables, start=1):
            _check_weights(layer, table, tables[layer - 2] if layer > 1 else None)
        sizes = (*(table.shape[1] for table in tables[:1]), *map(len, tables))
        edges, first = [np.empty((0, 2), dtype=np.int64)], 0
        for size, table in zip(sizes, tables, strict=False):
            target, source = np.nonzero(table)
            edges.append(np.stack([first + source, first + size + target], axis=1))
            first += size
        return cls.from_edges(sizes, np.concatenate(edges), names=names, kinds=kinds)

    @property
    def depth(self) -> int:
        """Number of layers, inputs and outputs included."""
        return len(self.sizes)

    @property
    def unit_count(self) -> int:
        """Number of units in all layers."""
        return self.offsets[-1]

    @property
    def edge_count(self) -> int:
        """Number of edges."""
        return self.adjacency.nnz

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Where each layer starts in the flat order, and where the last one ends."""
        return (0, *accumulate(self.sizes))

    @cached_property
    def layer_of(self) -> Int[np.ndarray, " unit"]:
        """The layer of each unit."""
        return np.repeat(np.arange(self.depth), self.sizes)

    @cached_property
    def edge_sources(self) -> Int[np.ndarray, " edge"]:
        """The unit each edge comes from; `adjacency.indices` is where it goes."""
        return np.repeat(np.arange(self.unit_count), np.diff(self.adjacency.indptr))

    def units(self, layer: int) -> slice:
        """Give the place of a layer's units in the flat order.

        Raises:
            GraphError: There is no such layer.

        Example:
            >>> LayeredGraph.from_edges((2, 1, 1), [(0, 2), (2, 3)]).units(1)
            slice(2, 3, None)
        """
        if not 0 <= layer < self.depth:
            raise GraphError(
                f"layer must be 0 to {self.depth - 1} in a graph of {self.depth} "
                f"layers, got {layer}."
            )
        return slice(self.offsets[layer], self.offsets[layer + 1])

    def live_units(self) -> Bool[np.ndarray, " unit"]:
        """Tell which units matter: those on a path from an input to an output.

        This is what is left when dead units are dropped until nothing changes: inputs
        that feed nothing, hidden units that read or feed nothing. Outputs always stay.

        Example:
            Unit 3 reads nothing, so dropping it leaves input 1 without a reader.

            >>> graph = LayeredGraph.from_edges((2, 2, 1), [(0, 2), (2, 4), (3, 4)])
            >>> graph.live_units().tolist()
            [True, False, True, False, True]
        """
        fed = np.zeros(self.unit_count, dtype=bool)
        used = fed.copy()
        fed[self.units(0)] = used[self.units(self.depth - 1)] = True
        # Edges only run forwards, so one sweep each way settles everything.
        sweep = [self._edges_from(layer) for layer in range(self.depth - 1)]
        for source, target in sweep:
            fed[target[fed[source]]] = True
        for source, target in reversed(sweep):
            used[source[used[target]]] = True
        live = fed & used
        live[self.units(self.depth - 1)] = True
        return live

    def live(self) -> "LayeredGraph":
        """Give the graph without its dead units.

        `channel` keeps the original numbers. An array `found` over the units of the
        smaller graph goes back to this one with `full[graph.live_units()] = found`.

        Example:
            >>> graph = LayeredGraph.from_edges((2, 2, 1), [(0, 2), (2, 4), (3, 4)])
            >>> small = graph.live()
            >>> small.sizes, small.channel.tolist(), small.edge_count
            ((1, 1, 1), [0, 0, 0], 2)
        """
        return self.keep(self.live_units())

    def keep(self, kept: Bool[np.ndarray, " unit"]) -> "LayeredGraph":
        """Give the graph of some of the units and the edges between them.

        Args:
            kept: Whether a unit stays.

        Example:
            >>> import numpy as np
            >>> graph = LayeredGraph.from_edges((2, 1, 1), [(0, 2), (1, 2), (2, 3)])
            >>> graph.keep(np.array([False, True, True, True])).channel.tolist()
            [1, 0, 0]
        """
        source, target = self.edge_sources, self.adjacency.indices
        remains = kept[source] & kept[target]
        number = np.cumsum(kept) - 1
        sizes = np.bincount(self.layer_of[kept], minlength=self.depth).tolist()
        return LayeredGraph(
            sizes=tuple(sizes),
            names=self.names,
            kinds=self.kinds,
            channel=self.channel[kept],
            adjacency=_adjacency(
                number[source[remains]], number[target[remains]], sum(sizes)
            ),
        )

    def to_networkx(self) -> "networkx.DiGraph":
        """Give the graph to networkx, for its algorithms, drawings and files.

        Nodes are the units' numbers in the flat order. Edges carry no weight: a graph
        knows which weights are kept, not how large they are.

        Returns:
            A copy. Each node has `layer` (its number), `layer_name`, `kind` and
            `channel` (its original number within the layer), as plain numbers and text.

        Example:
            >>> found = LayeredGraph.from_edges((2, 1), [(1, 2)]).to_networkx()
            >>> found.nodes[1]
            {'layer': 0, 'layer_name': 'inputs', 'kind': 'input', 'channel': 1}
            >>> list(found.edges)
            [(1, 2)]
        """
        import networkx

        found = networkx.DiGraph()
        channels = self.channel.tolist()
        for unit, layer in enumerate(self.layer_of.tolist()):
            name, kind = self.names[layer], self.kinds[layer]
            found.add_node(
                unit, layer=layer, layer_name=name, kind=kind, channel=channels[unit]
            )
        sources, targets = self.edge_sources.tolist(), self.adjacency.indices.tolist()
        found.add_edges_from(zip(sources, targets, strict=True))
        return found

    def _edges_from(
        self, layer: int
    ) -> tuple[Int[np.ndarray, " edge"], Int[np.ndarray, " edge"]]:
        """Sources and targets of the edges that leave a layer."""
        units, pointers = self.units(layer), self.adjacency.indptr
        edges = slice(pointers[units.start], pointers[units.stop])
        return self.edge_sources[edges], self.adjacency.indices[edges]


def _adjacency(
    source: Int[np.ndarray, " edge"], target: Int[np.ndarray, " edge"], unit_count: int
) -> sparse.csr_array:
    """Edges sorted by source, then target, as a matrix; much faster than via COO."""
    pointers = np.zeros(unit_count + 1, dtype=np.int64)
    np.cumsum(np.bincount(source, minlength=unit_count), out=pointers[1:])
    matrix = sparse.csr_array(
        (np.ones(len(target), dtype=bool), target, pointers),
        shape=(unit_count, unit_count),
    )
    matrix.has_canonical_format = True
    return matrix


def _default_names(depth: int) -> tuple[str, ...]:
    return ("inputs", *(f"layer {layer}" for layer in range(1, depth)))


def _default_kinds(depth: int) -> tuple[str, ...]:
    return ("input",) + ("linear",) * (depth - 1)


def _check_sizes(sizes: tuple[int, ...]) -> None:
    if len(sizes) < 2 or min(sizes) < 0 or not sizes[-1]:
        raise GraphError(
            "sizes must hold an input layer, an output layer with at least one unit, "
            f"and no negative number, got {sizes}."
        )


def _pairs(edges: Any) -> Int[np.ndarray, "edge 2"]:
    try:
        pairs = np.asarray(edges if isinstance(edges, np.ndarray) else list(edges))
    except ValueError:
        pairs = np.array([None])  # Of different lengths.
    if pairs.size and (pairs.shape[1:] != (2,) or pairs.dtype.kind not in "iu"):
        raise GraphError(
            "edges must be pairs (from, to) of whole numbers, got shape "
            f"{pairs.shape} of {pairs.dtype}: leave weights out."
        )
    return pairs.astype(np.int64).reshape(-1, 2)


def _check_weights(layer: int, table: np.ndarray, below: np.ndarray | None) -> None:
    if table.ndim != 2:
        raise GraphError(
            f"weights of layer {layer} must be a table [units, units below], got shape "
            f"{table.shape}."
        )
    if below is not None and table.shape[1] != len(below):
        raise GraphError(
            f"weights of layer {layer} must have one column for each of the "
            f"{len(below)} units below, got shape {table.shape}: give the layers from "
            "the inputs up, rows for the units that read."
        )
    if table.dtype.kind not in "biuf":
        raise GraphError(
            f"weights of layer {layer} must be numbers, got {table.dtype}: give arrays "
            "or tensors."
        )
    if not np.isfinite(table).all():
        raise GraphError(
            f"weights of layer {layer} must be finite, but they hold NaN or infinity: "
            "the training diverged, so analyze an earlier state."
        )


def _check_adjacency(graph: LayeredGraph) -> None:
    adjacency = graph.adjacency
    if adjacency.shape != (graph.unit_count, graph.unit_count):
        raise GraphError(
            f"adjacency must have a row and a column for each of the "
            f"{graph.unit_count} units in {graph.sizes}, got shape {adjacency.shape}."
        )
    if not (adjacency.has_canonical_format and adjacency.data.all()):
        raise GraphError(
            "adjacency must hold each edge once and nothing else, but it has repeated, "
            "unsorted or zero entries: call its sum_duplicates() and eliminate_zeros()."
        )
    # Targets are in order, so a unit's first edge tells for all of its edges.
    units = np.flatnonzero(np.diff(adjacency.indptr))
    first = adjacency.indices[adjacency.indptr[units]]
    wrong = graph.layer_of[units] >= graph.layer_of[first]
    if wrong.any():
        source, target, edge = units, first, int(np.argmax(wrong))
        raise GraphError(
            f"edges must run to a later layer, but unit {source[edge]} (layer "
            f"{graph.layer_of[source[edge]]}) feeds unit {target[edge]} (layer "
            f"{graph.layer_of[target[edge]]}): order the layers from the inputs up."
        )
