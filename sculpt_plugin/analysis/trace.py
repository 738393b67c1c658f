"""Any supported model to a layered graph.

`wiring` says which units the columns of each weighted layer carry; an edge runs from
such a unit to each unit of the layer that keeps a weight on one of those columns.
"""

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from jaxtyping import Bool, Int
from scipy import sparse
from torch import Tensor, nn

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.errors import TraceError
from sculpt_plugin.tracing.passing import INPUTS, PIXELS
from sculpt_plugin.tracing.traceable import class_name, parts, refusal
from sculpt_plugin.tracing.wiring import Wiring, wire


def trace(model: nn.Module, example_inputs: Tensor | Sequence[Tensor]) -> LayeredGraph:
    """Read the units of a model and the edges between them.

    The weights that are left after pruning are the edges of a graph, and its modules
    show in that graph. A weight counts if it is not zero: it does not matter whether
    `sculpt`, `torch.nn.utils.prune` or anything else made the others zero. The units
    of a convolution are its channels; the weights of one kernel make one edge.

    Chains, residual additions, concatenations, flatten, batch and instance norms,
    pooling and elementwise operations are understood; anything else is refused by
    name, never guessed. A unit whose norm has weight zero passes nothing on.

    Args:
        model: The model, left as it was found.
        example_inputs: A batch of inputs of the right shape, of any values. Its
            channels are the graph's input units, or its single positions if they are
            flattened before the first weighted layer.

    Returns:
        The graph of all units, dead ones included: the inputs, then the weighted
        layers in the order in which they run, the output layer last.

    Raises:
        ModelError: The model cannot run on the inputs.
        TraceError: The model holds something whose units are not understood.

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
    wiring = wire(model, example_inputs)
    sizes = (_input_units(wiring), *(len(layer.kept) for layer in wiring.layers))
    starts = list(accumulate(sizes, initial=0))
    rows, columns = [], []
    for number, layer in enumerate(wiring.layers, start=1):
        for link in layer.reads:
            units, targets = _edges(link.units, layer.kept)
            rows.append(units + starts[max(link.source, INPUTS)])
            columns.append(targets + starts[number])
    return LayeredGraph(
        sizes=sizes,
        names=("inputs", *(layer.name for layer in wiring.layers)),
        kinds=("input", *(layer.kind for layer in wiring.layers)),
        channel=np.concatenate([np.arange(size) for size in sizes]),
        adjacency=_adjacency(rows, columns, starts[-1]),
    )


def coverage(model: nn.Module) -> dict[str, object]:
    """Tell which share of a model's parameters a trace accounts for.

    A report that says nothing about the layers it left out cannot be trusted. `trace`
    refuses what it does not cover, so for a model that it took the share is 1.

    Returns:
        `parameters`, their number; `exact`, the share covered exactly; and `layers`,
        for each module with parameters of its own its `name`, `kind` (class),
        `parameters` and `coverage` (`exact`, or `not covered` with a `reason`).

    Example:
        >>> found = coverage(nn.Sequential(nn.Linear(3, 1), nn.LayerNorm(1)))
        >>> found["parameters"], round(found["exact"], 2)
        (6, 0.67)
        >>> found["layers"][1]["reason"]
        'which mixes all units of a layer: use a batch norm'
    """
    layers = [_covered(name, module) for name, module in parts(model)]
    layers = [layer for layer in layers if layer["parameters"]]
    total = sum(int(layer["parameters"]) for layer in layers)
    exact = sum(int(x["parameters"]) for x in layers if x["coverage"] == "exact")
    share = exact / total if total else 1.0
    return {"parameters": total, "exact": share, "layers": layers}


def _covered(name: str, module: nn.Module) -> dict[str, str | int]:
    """Say whether one module is covered, without those inside it."""
    own = list(module.parameters(recurse=False))
    parametrizations = getattr(module, "parametrizations", None)
    if isinstance(parametrizations, nn.Module):
        own += list(parametrizations.parameters())
    reason = refusal(module)
    layer: dict[str, str | int] = {
        "name": name,
        "kind": class_name(module),
        "parameters": sum(parameter.numel() for parameter in own),
        "coverage": "exact" if reason is None else "not covered",
    }
    return layer if reason is None else {**layer, "reason": reason}


def _input_units(wiring: Wiring) -> int:
    """Count the input units: channels, or positions if layers read those."""
    readers = {
        link.source: layer.name
        for layer in reversed(wiring.layers)
        for link in layer.reads
    }
    if INPUTS in readers and PIXELS in readers:
        raise TraceError(
            "The inputs must be read one way, and are read as channels by "
            f"{readers[INPUTS]!r} and position by position by {readers[PIXELS]!r}: "
            "trace the part of the model behind one of them."
        )
    if PIXELS in readers:
        return math.prod(wiring.input_shape)
    return wiring.input_shape[0]


def _edges(
    units: Int[np.ndarray, " column"], kept: Bool[np.ndarray, "target column"]
) -> tuple[Int[np.ndarray, " edge"], Int[np.ndarray, " edge"]]:
    """List the edges of one link: each unit with each target it has a weight to."""
    carried = units >= 0
    if not carried.all():
        units, kept = units[carried], kept[:, carried]
    if (np.diff(units) < 0).any():
        order = np.argsort(units, kind="stable")
        units, kept = units[order], kept[:, order]
    first = np.flatnonzero(np.diff(units, prepend=-1))
    if len(first) < len(units):
        # A flatten gives a unit many columns; any weight on them makes the edge.
        kept = np.logical_or.reduceat(kept, first, axis=1)
    targets, which = kept.nonzero()
    return units[first][which], targets


def _adjacency(
    rows: Sequence[np.ndarray], columns: Sequence[np.ndarray], size: int
) -> sparse.csr_array:
    """Build the matrix; two paths between the same units make one edge."""
    where = (np.concatenate(rows), np.concatenate(columns))
    ones = np.ones(len(where[0]), dtype=bool)
    adjacency = sparse.coo_array((ones, where), shape=(size, size)).tocsr()
    adjacency.sort_indices()
    return adjacency
