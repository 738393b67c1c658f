"""Verdicts on networks on two digits, made by hand, and their averages."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.reproducing import digit_cells
from sculpt_plugin.reproducing.digit_cells import CELLS, DigitCell, DigitOutcome
from sculpt_plugin.reproducing.digit_results import (
    DigitVerdict,
    judge_digit_folder,
    judge_digits,
)
from sculpt_plugin.reproducing.witnesses import save_witnesses, witness

RIGHT = DigitVerdict(inputs=True, on_their_side=1.0, outputs=True, middle=True)
SIZES = (1568, 60, 30, 3)
FIRST, SECOND, LAST = 1568, 1628, 1658
# 112 pixels of the left frame; those of the right one are 28 columns further.
LEFT = np.array([56 * row + column for row in range(4, 8) for column in range(28)])
STRAY = 56 * 20 + 40


def network(*more: tuple[int, int], sides: int = 2, feeds: int = 1) -> LayeredGraph:
    """Units that read a digit each, two of which a unit combines for an output.

    Args:
        more: Further edges.
        sides: How many kinds of units there are; one kind reads both digits.
        feeds: How many outputs each unit of the second layer feeds.
    """
    numbers = np.random.default_rng(0)
    edges = set(more)
    for unit in range(60):
        frame = 28 * numbers.integers(2, size=14) if sides == 1 else 28 * (unit % 2)
        read = numbers.choice(LEFT, 14, replace=False) + frame
        edges |= {(pixel, FIRST + unit) for pixel in read.tolist()}
    for unit in range(30):
        below = (unit, 30 + (unit + 1) % 30)
        edges |= {(FIRST + source, SECOND + unit) for source in below}
        edges |= {(SECOND + unit, LAST + (unit + n) % 3) for n in range(feeds)}
    return LayeredGraph.from_edges(SIZES, sorted(edges))


def strayed() -> LayeredGraph:
    """A pixel of the right frame that units of the left digit read."""
    return network(*((STRAY, FIRST + unit) for unit in range(0, 20, 2)))


def read(graph: LayeredGraph) -> int:
    """How many pixels are read."""
    return graph.live().sizes[0]


def test_two_digits_and_three_outputs_are_all_right():
    assert judge_digits(network()) == RIGHT


def test_a_stray_pixel_makes_the_inputs_wrong_and_nothing_else():
    graph = strayed()
    share = (read(graph) - 1) / read(graph)
    expected = replace(RIGHT, inputs=False, on_their_side=share)
    assert judge_digits(graph) == expected


def test_digits_that_each_unit_reads_both_of_are_on_no_side():
    verdict = judge_digits(network(sides=1))
    assert not verdict.inputs
    assert verdict.on_their_side < 0.6


def test_outputs_that_read_the_same_are_merged_and_wrong():
    assert judge_digits(network(feeds=3)) == replace(RIGHT, outputs=False)


def test_outputs_that_are_said_to_be_alike_are_one():
    assert not judge_digits(network(), alike=np.array([0, 0, 1])).outputs


def test_pixels_that_are_not_read_do_not_count():
    graph = network()
    assert 200 < read(graph) <= 224
    assert judge_digits(graph).on_their_side == 1


def pairs(mixed: int = 0) -> LayeredGraph:
    """Units that read a digit each, and ten outputs that read half of them.

    Args:
        mixed: How many outputs of the first digit read the other digit's units.
    """
    numbers = np.random.default_rng(0)
    edges = []
    for unit in range(60):
        pixels = numbers.choice(LEFT, 14, replace=False) + 28 * (unit % 2)
        edges += [(pixel, FIRST + unit) for pixel in pixels.tolist()]
    for output in range(20):
        side = output >= 10 or output < mixed
        units = FIRST + 2 * numbers.choice(30, 15, replace=False) + side
        edges += [(unit, FIRST + 60 + output) for unit in units.tolist()]
    return LayeredGraph.from_edges((1568, 60, 20), edges)


def test_outputs_of_each_digit_of_a_pair_are_one_module():
    assert judge_digits(pairs()) == RIGHT


def test_an_output_that_reads_the_other_digit_makes_the_outputs_wrong():
    assert judge_digits(pairs(mixed=1)) == replace(RIGHT, outputs=False)


CELL = DigitCell("digits-hierarchical", (6, 6), 0)


def keep(folder, cell, outcome, graph=None):
    """Write down a cell as if it had been run."""
    (folder / CELLS).mkdir(exist_ok=True)
    digit_cells._noted(replace(outcome, cell=cell), folder / CELLS)
    if graph is not None:
        sizes = graph.sizes
        layers = []
        for k in range(graph.depth - 1):
            below, above = graph.units(k), graph.units(k + 1)
            linear = nn.Linear(sizes[k], sizes[k + 1])
            table = graph.adjacency[below, above].toarray().T
            with torch.no_grad():
                linear.weight.mul_(torch.from_numpy(table))
            layers += [linear, nn.ReLU()]
        kept = witness(nn.Sequential(*layers[:-1]), seed=cell.seed)
        save_witnesses(folder / CELLS / f"{cell.name}.safetensors", [kept])


def test_a_row_is_the_average_of_its_networks(tmp_path):
    cells = [replace(CELL, seed=seed) for seed in (0, 1, 2)]
    outcome = DigitOutcome(CELL, dense_score=0.98, density=0.002, dense_seconds=10.0)
    keep(tmp_path, cells[0], outcome, network())
    keep(tmp_path, cells[1], replace(outcome, density=0.004, seconds=20.0), strayed())
    (row,) = judge_digit_folder(tmp_path, cells)
    assert (row.task, row.hidden, row.networks) == ("digits-hierarchical", (6, 6), 2)
    assert (row.inputs, row.outputs) == (0.5, 1.0)
    assert row.on_their_side == pytest.approx(1 - 1 / read(strayed()) / 2)
    assert row.density == pytest.approx(0.003)
    assert row.sparsest == 0.002
    assert row.seconds == (10 + 30) / 2
    assert row.dense_score == pytest.approx(0.98)


def test_each_shape_has_a_row_and_a_shape_without_networks_has_none(tmp_path):
    other, none = (replace(CELL, hidden=hidden) for hidden in ((5, 6), (7, 7)))
    failed = replace(CELL, seed=9)
    outcome = DigitOutcome(CELL)
    keep(tmp_path, CELL, outcome, network())
    keep(tmp_path, other, outcome, network())
    keep(tmp_path, failed, replace(outcome, problem="not learned"))
    rows = judge_digit_folder(tmp_path, (CELL, failed, none, other))
    assert [(row.hidden, row.networks) for row in rows] == [((6, 6), 1), ((5, 6), 1)]


def test_an_empty_folder_has_no_rows(tmp_path):
    assert judge_digit_folder(tmp_path, (CELL,)) == ()
