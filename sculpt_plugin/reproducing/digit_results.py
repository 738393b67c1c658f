"""Which of the networks on digits show the true modules, beside the paper's figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import fmean

import numpy as np
from jaxtyping import Int

from sculpt_plugin.analysis.consensus import consensus
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.modules import detect
from sculpt_plugin.reproducing.digit_cells import (
    DigitCell,
    find_digits,
    read_digit_network,
)
from sculpt_plugin.reproducing.judging import same_partition
from sculpt_plugin.reproducing.witnesses import Witness
from sculpt_plugin.tasks.digits import SIDE

PAPER_INPUTS = {2: 0.0, 3: 0.0, 4: 1.0, 5: 1.0}
PAPER_OUTPUTS = {2: 1.0, 3: 1.0, 4: 0.83, 5: 0.92}
PAPER_MIDDLE = 0.02
PAPER_DENSITY = {2: 0.0015, 3: 0.0012, 4: 0.0007, 5: 0.0005}
"""Of the hierarchical task by hidden layers; densities of the sparsest networks that
are 784 wide."""


@dataclass(frozen=True)
class DigitVerdict:
    """What is right about the modules of one network.

    Attributes:
        inputs: The pixels that are still read are in two modules, one for each digit.
        on_their_side: The share of these pixels that are in their digit's module.
        outputs: Each bit is a module of its own, or the outputs of each digit are one.
        middle: Every hidden unit belongs to a digit's or to an output's module.
    """

    inputs: bool
    on_their_side: float
    outputs: bool
    middle: bool


@dataclass(frozen=True)
class DigitRow:
    """The networks of one shape on one task.

    Attributes:
        task: The name of the task.
        hidden: Units of each hidden layer.
        networks: How many networks there are.
        inputs: The share of them with the right modules of inputs.
        on_their_side: The share of pixels in their digit's module, on average.
        outputs: The share of networks with the right modules of outputs.
        middle: The share in which no hidden unit is in a module of its own kind.
        vote: Whether the groups of inputs and of outputs are right that most of the
            networks stand for (`consensus`).
        dense_score: The score before pruning, on average.
        density: The density, on average.
        sparsest: The density of the sparsest.
        seconds: How long a network took, on average, with its first training.
    """

    task: str
    hidden: tuple[int, ...]
    networks: int
    inputs: float
    on_their_side: float
    outputs: float
    middle: float
    vote: bool
    dense_score: float
    density: float
    sparsest: float
    seconds: float


def judge_digits(
    graph: LayeredGraph, *, alike: Int[np.ndarray, " output"] | None = None
) -> DigitVerdict:
    """Compare the modules of a network on two digits with the true ones.

    Args:
        graph: The network, dead units included: 1568 inputs, and three outputs in the
            hierarchical task or 20 in the pair task.
        alike: A number for each output, the same for those that compute the same.

    Returns:
        The verdict.

    Example:
        A pixel of each digit, and ten outputs that read each.

        >>> edges = [(0, 1568), (28, 1569)]
        >>> edges += [(1568 + n // 10, 1570 + n) for n in range(20)]
        >>> graph = LayeredGraph.from_edges((1568, 2, 20), edges)
        >>> judge_digits(graph)
        DigitVerdict(inputs=True, on_their_side=1.0, outputs=True, middle=True)
    """
    found = detect(graph, method="bidirectional", alike=alike)
    label = found.label
    inputs, outputs = label[graph.units(0)], label[graph.units(graph.depth - 1)]
    live = inputs >= 0
    frame = (np.arange(len(inputs)) % (2 * SIDE) >= SIDE).astype(int)
    truth = _true_outputs(len(outputs))
    ends = set(inputs[live].tolist()) | set(outputs.tolist())
    hidden = label[graph.sizes[0] : graph.unit_count - graph.sizes[-1]]
    return DigitVerdict(
        inputs=same_partition(inputs[live].tolist(), frame[live].tolist()),
        on_their_side=_on_their_side(inputs[live], frame[live]),
        outputs=same_partition(outputs.tolist(), truth),
        middle=set(hidden[hidden >= 0].tolist()) <= ends,
    )


def _on_their_side(
    label: Int[np.ndarray, " pixel"], frame: Int[np.ndarray, " pixel"]
) -> float:
    """Give the share of pixels in the largest module of their digit alone."""
    right = 0
    for side in (0, 1):
        modules, counts = np.unique(label[frame == side], return_counts=True)
        others = {m: np.count_nonzero(label[frame != side] == m) for m in modules}
        own = [c for m, c in zip(modules, counts, strict=True) if c > others[m]]
        right += max(own, default=0)
    return float(right / len(label))


def _right_by_vote(networks: Sequence[Witness]) -> bool:
    """Tell whether what the networks say together is right."""
    graphs = [network.graph for network in networks]
    said = consensus(
        [
            (graph, detect(graph, method="bidirectional", alike=network.alike))
            for graph, network in zip(graphs, networks, strict=True)
        ]
    )
    live = said.inputs.label >= 0
    frame = said.inputs.channel[live] % (2 * SIDE) >= SIDE
    truth = _true_outputs(graphs[0].sizes[-1])
    return same_partition(
        said.inputs.label[live].tolist(), frame.tolist()
    ) and same_partition(said.outputs.label.tolist(), truth)


def _true_outputs(count: int) -> list[int]:
    """Group the outputs: three bits are apart, of 20 outputs ten say each digit."""
    return [0, 1, 2] if count == 3 else [0] * 10 + [1] * 10


def judge_digit_folder(
    out: str | Path, cells: Sequence[DigitCell]
) -> tuple[DigitRow, ...]:
    """Judge the networks of a folder, shape by shape; those that are not there are not.

    Args:
        out: The folder that `reproduce_digits` filled.
        cells: Which networks, those of one shape one after the other.

    Returns:
        One row for each shape of which there is a network.

    Raises:
        CheckpointError: A file is damaged.
    """
    out = Path(out)
    rows = []
    for shape, group in groupby(cells, lambda cell: (cell.task, cell.hidden)):
        done = [outcome for cell in group if (outcome := find_digits(out, cell))]
        done = [outcome for outcome in done if outcome.problem is None]
        if not done:
            continue
        networks = [read_digit_network(out, outcome.cell) for outcome in done]
        verdicts = [judge_digits(x.graph, alike=x.alike) for x in networks]
        rows.append(
            DigitRow(
                *shape,
                networks=len(done),
                inputs=fmean(v.inputs for v in verdicts),
                on_their_side=fmean(v.on_their_side for v in verdicts),
                outputs=fmean(v.outputs for v in verdicts),
                middle=fmean(v.middle for v in verdicts),
                vote=_right_by_vote(networks),
                dense_score=fmean(x.dense_score for x in done),
                density=fmean(x.density for x in done),
                sparsest=min(x.density for x in done),
                seconds=fmean(x.dense_seconds + x.seconds for x in done),
            )
        )
    return tuple(rows)
