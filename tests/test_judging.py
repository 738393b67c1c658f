import gzip
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sculpt_plugin import tasks
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.modules import detect
from sculpt_plugin.reproducing.judging import (
    Verdict,
    hidden_units_apart,
    is_right,
    judge,
    judge_groups,
    same_partition,
)
from sculpt_plugin.tasks import Family

REFERENCE = Path(__file__).parents[2] / "shared/reference/networks.jsonl.gz"
TWO_HALVES = [0, 0, 0, 0, 1, 1, 1, 1]


def right(verdict: Verdict, name: str, family: Family, depth: int) -> bool | None:
    return is_right(verdict, tasks.get(name), family=family, depth=depth)["modules"]


def separable() -> LayeredGraph:
    """The task 4,2,4 with one hidden layer of four units, two for each half."""
    below = [(x, h) for x in (0, 1) for h in (4, 5)] + [
        (x, h) for x in (2, 3) for h in (6, 7)
    ]
    above = [(h, y) for h in (4, 5) for y in (8, 9)] + [
        (h, y) for h in (6, 7) for y in (10, 11)
    ]
    return LayeredGraph.from_edges((4, 4, 4), below + above)


def test_a_perfect_network_is_right_in_every_way():
    graph = separable()
    verdict = judge(tasks.get("4,2,4"), graph, detect(graph))
    assert verdict == Verdict(
        inputs=True,
        outputs=True,
        outputs_together=False,
        outputs_separate=False,
        module_count=2,
        apart=True,
        edge_count=16,
    )
    assert right(verdict, "4,2,4", "exemplar", 1)


@pytest.mark.parametrize(
    ("found", "true", "expected"),
    [
        ([3, 3, 1], [0, 0, 1], True),
        ([0, 0, 0], [0, 0, 1], False),
        ([0, 1, 2], [0, 0, 1], False),
        ([0, 0, -1], [0, 0, 1], False),
        ([-1, -1, 0], [0, 0, 1], False),
        ([0, -1], [0, -1], True),
    ],
)
def test_partitions_are_compared_whatever_the_numbers(found, true, expected):
    assert same_partition(found, true) is expected


def test_an_exemplar_needs_the_right_number_of_modules_too():
    groups = judge_groups(tasks.get("4,1,2,16"), [0] * 4, [1, 2] * 8)
    with_one_more = Verdict(
        inputs=groups.inputs,
        outputs=groups.outputs,
        outputs_together=False,
        outputs_separate=True,
        module_count=4,
    )
    assert right(with_one_more, "4,1,2,16", "exemplar", 2) is False
    assert right(with_one_more, "4,1,2,16", "reuse", 2) is True
    assert right(groups, "4,1,2,16", "exemplar", 2) is None


@pytest.mark.parametrize(
    ("inputs", "outputs", "depths_it_is_right_for"),
    [
        # Both functions have a module, above those of the two halves.
        (TWO_HALVES, [2, 3, 2, 3], (1, 2, 3, 4)),
        # All outputs read both halves.
        (TWO_HALVES, [2, 2, 2, 2], (1, 2)),
        # Every output stands alone.
        (TWO_HALVES, [2, 3, 4, 5], ()),
        # The outputs lie in the modules of the halves.
        (TWO_HALVES, [0, 1, 0, 1], ()),
        (TWO_HALVES, [1, 1, 1, 1], ()),
        # One input strays.
        ([0, 0, 0, 1, 1, 1, 1, 1], [2, 3, 2, 3], ()),
        # An input is lost.
        ([0, 0, 0, -1, 1, 1, 1, 1], [2, 3, 2, 3], ()),
    ],
)
def test_the_hierarchy_asks_for_the_modules_that_the_depth_has_room_for(
    inputs, outputs, depths_it_is_right_for
):
    verdict = judge_groups(tasks.get("8,2,1,2,4"), inputs, outputs)
    depths = [d for d in (1, 2, 3, 4) if right(verdict, "8,2,1,2,4", "hierarchy", d)]
    assert tuple(depths) == depths_it_is_right_for


def test_a_module_between_halves_and_outputs_is_allowed():
    # Both halves meet in one unit, and two units above it serve two outputs each.
    below = [(x, 8) for x in range(4)] + [(x, 9) for x in range(4, 8)]
    middle = [(8, 10), (9, 10), (10, 11), (10, 12)]
    above = [(11, 13), (12, 14), (11, 15), (12, 16)]
    graph = LayeredGraph.from_edges((8, 2, 1, 2, 4), below + middle + above)
    verdict = judge(tasks.get("8,2,1,2,4"), graph, detect(graph))
    assert verdict.module_count == 5
    assert right(verdict, "8,2,1,2,4", "hierarchy", 3)


# Two inputs; hidden units 2, 3, 4; outputs 5 (function 0) and 6 (function 1).
APART = [(0, 2), (1, 4), (2, 5), (4, 6)]
SHARED = [*APART, (0, 3), (3, 5), (3, 6)]


@pytest.mark.parametrize(
    ("edges", "label", "expected"),
    [
        (APART, [0, 1, 0, -1, 1, 0, 1], True),
        # Units of both functions in one module.
        (APART, [0, 1, 2, -1, 2, 0, 1], False),
        # A unit that serves both, in a module of its own.
        (SHARED, [0, 1, 0, 2, 1, 0, 1], False),
        # Outputs may share a module as long as hidden units do not.
        (APART, [0, 1, 2, -1, 3, 4, 4], True),
    ],
)
def test_hidden_units_are_apart_if_each_module_serves_one_function(
    edges, label, expected
):
    graph = LayeredGraph.from_edges((2, 3, 2), edges)
    assert hidden_units_apart(graph, np.array(label), (0, 1)) is expected


def test_hidden_units_that_serve_equal_outputs_may_be_together():
    graph = LayeredGraph.from_edges((2, 3, 2), SHARED)
    assert hidden_units_apart(graph, np.array([0, 0, 1, 1, 1, 2, 2]), (0, 0))


def test_a_path_over_several_layers_counts():
    edges = [(0, 1), (0, 2), (1, 3), (2, 4), (1, 4), (3, 5), (4, 6)]
    graph = LayeredGraph.from_edges((1, 2, 2, 2), edges)
    assert not hidden_units_apart(graph, np.array([0, 1, 2, 3, 4, 3, 4]), (0, 1))


@pytest.fixture(scope="module")
def published():
    """The networks that the paper's authors published, judged."""
    if not REFERENCE.exists():
        pytest.skip("the reference networks are not beside this checkout")
    verdicts = []
    with gzip.open(REFERENCE, "rt") as lines:
        for network in map(json.loads, lines):
            sizes = network["arch"]
            weights = [np.zeros((above, below)) for below, above in pairwise(sizes)]
            for table, edges in zip(weights, network["edges"], strict=True):
                for target, source, weight in edges:
                    table[target, source] = weight
            graph = LayeredGraph.from_layers(weights)
            name = ",".join(map(str, network["task"]))
            found = detect(graph, method="agglomerative")
            verdict = judge(tasks.get(name), graph, found)
            verdicts.append((name, len(sizes) - 2, verdict))
    return verdicts


@pytest.mark.parametrize(
    ("family", "names", "depths", "low", "high"),
    [
        # The paper: 1, 1, 1 (exemplars but the reused one), with one hidden layer 0.
        ("exemplar", ("4,2,4", "6,3,3,3", "4,1,4"), (1, 2, 3), 1, 1),
        ("exemplar", ("4,1,2,16",), (1,), 0, 0),
        ("reuse", ("4,1,2,2", "4,1,2,4", "4,1,2,8"), (1,), 0, 0),
        # 0.58; 0.92; 0.67
        ("reuse", ("4,1,2,2",), (2,), 0.45, 0.7),
        ("reuse", ("4,1,2,4",), (2,), 0.8, 1),
        ("reuse", ("4,1,2,2",), (3,), 0.55, 0.75),
        # 1, 1, 1 for two hidden layers; 1, 1 for three; 0.5 for three and four outputs.
        ("hierarchy", ("8,2,1,2,4", "8,2,1,2,8", "8,2,1,2,12"), (2,), 1, 1),
        ("hierarchy", ("8,2,1,2,12", "8,2,1,2,16"), (3,), 1, 1),
        ("hierarchy", ("8,2,1,2,4",), (3,), 0.4, 0.7),
    ],
)
def test_the_papers_own_networks_have_the_papers_rates(
    published, family, names, depths, low, high
):
    answers = [
        right(verdict, name, family, depth)
        for name, depth, verdict in published
        if name in names and depth in depths
    ]
    assert low <= sum(map(bool, answers)) / len(answers) <= high


@pytest.mark.parametrize(
    ("prefix", "low", "high"),
    [
        ("8,2,", 1, 1),
        ("7,3,2,", 1, 1),
        ("6,3,2,", 0.95, 1),
        ("5,3,2,", 0, 0.03),
        ("4,1,2,2,", 0.06, 0.1),
    ],
)
def test_hidden_units_of_the_papers_own_networks_are_apart_as_it_says(
    published, prefix, low, high
):
    overlap = set(tasks.names("overlap"))
    answers = [
        verdict.apart
        for name, _, verdict in published
        if name in overlap and name.rpartition(",")[0] + "," == prefix
    ]
    assert low <= sum(map(bool, answers)) / len(answers) <= high
