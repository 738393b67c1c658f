"""The sparsest networks of a sweep, in little room, to be judged at any time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from sculpt_plugin import store
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.readout import outputs_alike
from sculpt_plugin.errors import CheckpointError
from sculpt_plugin.pruning.grid import Sweep

_ARRAYS = ("seed", "step", "runs", "edge_count", "edge", "weight", "bias")


@dataclass(frozen=True, eq=False)
class Witness:
    """A sparse network, and how it came about.

    Attributes:
        seed: The start network.
        unit_step: The share of all units that went per turn.
        edge_step: The share of all edges that went per turn.
        runs: How many runs of this start network ended with the same wiring.
        sizes: Number of units in each layer, the inputs first.
        edges: `(from, to)` units in the flat order of all layers.
        weights: The weight of each edge.
        biases: The bias of each unit but the inputs, in the flat order.
    """

    seed: int
    unit_step: float
    edge_step: float
    runs: int
    sizes: tuple[int, ...]
    edges: Int[np.ndarray, "edge 2"]
    weights: Float[np.ndarray, " edge"]
    biases: Float[np.ndarray, " unit"]

    @property
    def graph(self) -> LayeredGraph:
        """The units and edges, dead units included."""
        return LayeredGraph.from_edges(self.sizes, self.edges)

    @property
    def alike(self) -> Int[np.ndarray, " output"]:
        """Which outputs weigh what they read alike."""
        offsets = np.cumsum([0, *self.sizes])
        source, target = self.edges.T
        tables = []
        for layer, (below, above) in enumerate(pairwise(self.sizes)):
            table = np.zeros((above, below))
            inside = (target >= offsets[layer + 1]) & (target < offsets[layer + 2])
            row, column = target[inside] - offsets[layer + 1], source[inside]
            table[row, column - offsets[layer]] = self.weights[inside]
            tables.append(table)
        biases = np.split(self.biases.astype(float), np.cumsum(self.sizes[1:-1]))
        return outputs_alike(tables, biases)

    @property
    def density(self) -> float:
        """The share of all edges that is left."""
        total = sum(below * above for below, above in pairwise(self.sizes))
        return len(self.edges) / total


def sparsest_witnesses(sweep: Sweep, *, count: int = 20) -> tuple[Witness, ...]:
    """Take the sparsest networks of a sweep whose model is a chain of linear layers.

    Args:
        sweep: The sweep.
        count: How many networks to take per seed, at most.

    Returns:
        Seed by seed, the sparsest first, ties in the order of the grid. Runs that ended
        with the same wiring are one network.
    """
    return tuple(
        witness(
            sweep.model(runs[0]),
            seed=seed,
            unit_step=runs[0].unit_step,
            edge_step=runs[0].edge_step,
            runs=len(runs),
        )
        for seed in sweep.seeds
        for runs in sweep.alike(seed)[:count]
    )


def witness(
    model: nn.Module,
    *,
    seed: int,
    unit_step: float = 0.0,
    edge_step: float = 0.0,
    runs: int = 1,
) -> Witness:
    """Read a network off a model that is a chain of linear layers.

    Args:
        model: The sparse model.
        seed: The start network.
        unit_step: The share of all units that went per turn.
        edge_step: The share of all edges that went per turn.
        runs: How many runs of this start network ended with the same wiring.

    Returns:
        The network.
    """
    layers = [m for m in model.modules() if isinstance(m, nn.Linear)]
    tables = [layer.weight.detach().cpu().numpy() for layer in layers]
    sizes = (tables[0].shape[1], *map(len, tables))
    edges, weights, first = [], [], 0
    for table, below in zip(tables, sizes, strict=False):
        target, source = np.nonzero(table)
        edges.append(np.stack([first + source, first + below + target], axis=1))
        weights.append(table[target, source])
        first += below
    return Witness(
        seed=seed,
        unit_step=unit_step,
        edge_step=edge_step,
        runs=runs,
        sizes=sizes,
        edges=np.concatenate(edges).astype(np.int32),
        weights=np.concatenate(weights),
        biases=np.concatenate([layer.bias.detach().cpu().numpy() for layer in layers]),
    )


def save_witnesses(path: Path, witnesses: Sequence[Witness]) -> None:
    """Write networks of one shape into one file.

    Raises:
        CheckpointError: The place cannot be written.
    """
    arrays = {
        "seed": np.array([w.seed for w in witnesses], dtype=np.int64),
        "step": np.array([[w.unit_step, w.edge_step] for w in witnesses]),
        "runs": np.array([w.runs for w in witnesses], dtype=np.int64),
        "edge_count": np.array([len(w.edges) for w in witnesses], dtype=np.int64),
        "edge": np.concatenate([w.edges for w in witnesses]),
        "weight": np.concatenate([w.weights for w in witnesses]),
        "bias": np.stack([w.biases for w in witnesses]),
    }
    store.write_tensors(
        path,
        {name: torch.from_numpy(array) for name, array in arrays.items()},
        metadata={"sizes": witnesses[0].sizes},
    )


def read_witnesses(path: Path) -> tuple[Witness, ...]:
    """Read what `save_witnesses` wrote.

    Raises:
        CheckpointError: The file is missing, damaged or holds something else.
    """
    try:
        tensors, metadata = store.read_tensors(path)
    except CheckpointError as error:
        raise CheckpointError(
            f"{path} must hold the networks of a sweep, but it is missing or damaged: "
            "delete it and run again."
        ) from error
    if set(tensors) != set(_ARRAYS) or "sizes" not in metadata:
        raise CheckpointError(
            f"{path} must hold the networks of a sweep, but it holds something else: "
            "delete it and run again."
        )
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    ends = np.cumsum(arrays["edge_count"])[:-1]
    parts = zip(
        arrays["seed"].tolist(),
        arrays["step"].tolist(),
        arrays["runs"].tolist(),
        np.split(arrays["edge"], ends),
        np.split(arrays["weight"], ends),
        arrays["bias"],
        strict=True,
    )
    return tuple(
        Witness(
            seed=seed,
            unit_step=steps[0],
            edge_step=steps[1],
            runs=runs,
            sizes=tuple(metadata["sizes"]),
            edges=edges,
            weights=weights,
            biases=biases,
        )
        for seed, steps, runs, edges, weights, biases in parts
    )
