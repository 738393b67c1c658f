"""Several networks of one task are heard, whatever their hidden layers."""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_reference import graph_of

from sculpt_plugin import tasks
from sculpt_plugin.analysis.agreement import in_order
from sculpt_plugin.analysis.consensus import Witness, consensus
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy, TaskModule
from sculpt_plugin.analysis.modules import detect
from sculpt_plugin.errors import GraphError

REFERENCE = Path(__file__).parents[2] / "shared/reference/networks.jsonl.gz"


def witness(sizes: tuple[int, ...], *edges: tuple[int, int]) -> Witness:
    graph = LayeredGraph.from_edges(sizes, edges)
    return graph, detect(graph)


HALVES = witness((4, 2, 2), (0, 4), (1, 4), (2, 5), (3, 5), (4, 6), (5, 7))
# The same with more layers, more units, and an edge that is not needed.
DEEPER = witness(
    (4, 3, 2, 2),
    *((0, 4), (1, 4), (2, 5), (3, 5), (3, 6)),
    *((4, 7), (5, 8), (6, 8), (7, 9), (8, 10)),
)
WHOLE = witness((4, 1, 2), (0, 4), (1, 4), (2, 4), (3, 4), (4, 5), (4, 6))


@pytest.fixture(scope="module")
def published() -> list[dict[str, Any]]:
    if not REFERENCE.exists():
        pytest.skip("the reference networks are not beside this checkout")
    with gzip.open(REFERENCE, "rt") as lines:
        return [json.loads(line) for line in lines]


def found_in(network: dict[str, Any]) -> Witness:
    graph = graph_of(network)
    settings = ("hops", "merge_threshold", "modularity_threshold")
    return graph, detect(graph, **{name: network[name] for name in settings})


def test_a_consensus_prints_in_one_line() -> None:
    assert repr(consensus([HALVES, WHOLE, DEEPER])) == (
        "Consensus(3 networks, 2 groups of inputs, 2 of outputs, 2 modules)"
    )


def test_majority_of_networks_of_different_depth_decides() -> None:
    found = consensus([HALVES, WHOLE, DEEPER])
    assert found.inputs.groups() == ((0, 1), (2, 3))
    assert found.outputs.groups() == ((0,), (1,))
    assert [(m.inputs, m.outputs) for m in found.modules] == [
        ((0, 1), (0,)),
        ((2, 3), (1,)),
    ]
    assert [module.share for module in found.modules] == [2 / 3, 2 / 3]


def test_co_module_share_counts_the_networks() -> None:
    together = consensus([HALVES, WHOLE, DEEPER]).inputs.together
    half = [1, 1, 1 / 3, 1 / 3]
    assert together == pytest.approx(np.array([half, half, half[::-1], half[::-1]]))


def test_share_is_unknown_where_two_are_never_both_alive() -> None:
    one = witness((2, 1), (0, 2))
    other = witness((2, 1), (1, 2))
    together = consensus([one, other]).inputs.together
    assert np.isnan(together).tolist() == [[False, True], [True, False]]


def test_one_witness_gives_back_its_own_partition() -> None:
    found = consensus([DEEPER])
    assert found.inputs.label.tolist() == DEEPER[1].label[:4].tolist()
    assert found.inputs.confidence.tolist() == [1.0] * 4
    assert (found.inputs.agreement, found.outputs.agreement) == (1.0, 1.0)
    assert found.representative == 0


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 1, 0)])
def test_order_of_the_witnesses_does_not_matter(order: tuple[int, ...]) -> None:
    witnesses = [HALVES, WHOLE, DEEPER]
    found = consensus([witnesses[place] for place in order])
    expected = consensus(witnesses)
    assert found.modules == expected.modules
    assert found.inputs.confidence.tolist() == expected.inputs.confidence.tolist()
    assert found.outputs.groups() == expected.outputs.groups()
    # HALVES and DEEPER agree equally well; HALVES has fewer edges.
    assert witnesses[order[found.representative]] is HALVES


def test_hidden_modules_count_for_the_representative() -> None:
    graph, found = HALVES
    extra = TaskModule(2, 0, (1,), 0, (0, 1, 2, 3), (0, 1), (), False, 0.0)
    odd = Hierarchy((*found.modules, extra), found.label, found.edges)
    assert graph.edge_count < DEEPER[0].edge_count
    assert consensus([(graph, odd), DEEPER, DEEPER]).representative == 1


@pytest.mark.parametrize(("spare", "chosen"), [(0.0, 0), (0.19, 0), (0.2, 1), (1.0, 1)])
def test_typical_is_nearest_to_all_among_those_with_few_edges(
    spare: float, chosen: int
) -> None:
    # 5 edges; HALVES has 6 and DEEPER 10.
    shared = witness((4, 1, 2), (0, 4), (1, 4), (2, 4), (4, 5), (4, 6))
    found = consensus([shared, HALVES, DEEPER, HALVES])
    assert found.edge_counts.tolist() == [5, 6, 10, 6]
    assert found.typical(spare=spare) == chosen


def test_sharing_is_how_many_live_hidden_units_serve_outputs_of_two_groups() -> None:
    # Units 4 and 5 serve one output each and 6 both; 7 is dead.
    shared = witness(
        (4, 4, 2), *((0, 4), (1, 4), (2, 5), (3, 5), (4, 8), (5, 9), (6, 8), (6, 9)),
        (1, 6), (0, 7),
    )  # fmt: skip
    found = consensus([shared, HALVES, HALVES, WHOLE])
    assert found.outputs.groups() == ((0,), (1,))
    assert found.sharing.tolist() == [1 / 3, 0, 0, 1]


def test_sharing_is_none_where_outputs_are_one_group_or_dead() -> None:
    one = witness((4, 2, 2), (0, 4), (1, 5), (4, 6), (4, 7), (5, 6), (5, 7))
    assert consensus([one]).outputs.groups() == ((0, 1),)
    assert consensus([one]).sharing.tolist() == [0]
    graph = LayeredGraph.from_edges((2, 1, 2), [(0, 2)])
    dead = graph, Hierarchy((), np.full(5, -1), {})
    assert consensus([dead]).sharing.tolist() == [0]


def test_typical_has_units_of_its_own_for_each_group_where_as_near() -> None:
    # Both have the same modules, and the first one edge less.
    found = consensus([HALVES, HALVES, HALVES])
    mixed = replace(
        found, edge_counts=np.array([5, 6, 6]), sharing=np.array([0.5, 0, 0])
    )
    assert mixed.typical() == 1
    # A fifth of what is shared is what nearness may make up for.
    near = np.array([1.0, 0.91, 0.89])
    assert replace(mixed, nearness=near).typical() == 1
    assert replace(mixed, nearness=near - [0, 0.02, 0]).typical() == 0
    assert mixed.typical(spare=0) == 0


def test_typical_of_some_is_the_one_of_them_that_is_nearest_to_all() -> None:
    found = consensus([DEEPER, WHOLE, HALVES, HALVES])
    assert found.typical(among=[0, 1], spare=9.0) == 0
    # Of those to choose from WHOLE is the sparsest, and DEEPER has more to spare.
    assert found.typical(among=[0, 1], spare=0.0) == 1
    assert found.typical(among=[3]) == 3
    assert found.typical(among=range(4)) == found.typical()


@pytest.mark.parametrize("among", [[], [4], [-1, 0]])
def test_typical_of_none_is_refused(among: list[int]) -> None:
    found = consensus([DEEPER, WHOLE, HALVES, HALVES])
    with pytest.raises(GraphError, match="some of the 4 witnesses, counted from 0"):
        found.typical(among=among)


def test_typical_needs_no_better_reason_than_the_sparsest_has() -> None:
    assert consensus([DEEPER, HALVES]).typical(spare=1.0) == 1


def test_nearness_is_one_where_all_agree() -> None:
    assert consensus([HALVES, DEEPER]).nearness.tolist() == [1.0, 1.0]
    assert consensus([HALVES, HALVES, WHOLE]).nearness.argmin() == 2


def test_numbers_of_the_hidden_units_do_not_matter() -> None:
    swapped = witness((4, 2, 2), (0, 5), (1, 5), (2, 4), (3, 4), (5, 6), (4, 7))
    found = consensus([HALVES, swapped])
    assert found.modules == consensus([HALVES]).modules


def test_relabelled_inputs_give_the_relabelled_consensus() -> None:
    place = [2, 0, 3, 1, 4, 5, 6, 7, 8, 9, 10]

    def moved(each: Witness) -> Witness:
        source, target = each[0].edge_sources, each[0].adjacency.indices
        pairs = zip(source.tolist(), target.tolist(), strict=True)
        return witness(each[0].sizes, *((place[one], two) for one, two in pairs))

    found = consensus([moved(each) for each in (HALVES, WHOLE, DEEPER)])
    expected = consensus([HALVES, WHOLE, DEEPER])
    label = in_order(found.inputs.label[place[:4]])
    assert label.tolist() == expected.inputs.label.tolist()
    assert {m.inputs for m in found.modules} == {
        tuple(sorted(place[unit] for unit in m.inputs)) for m in expected.modules
    }


def test_what_is_told_is_plain_data() -> None:
    told = consensus([HALVES, WHOLE, DEEPER]).to_dict()
    assert json.loads(json.dumps(told)) == told
    assert told["inputs"]["names"] == ["x0", "x1", "x2", "x3"]
    assert told["inputs"]["module"] == [0, 0, 1, 1]
    assert told["outputs"]["votes"] == [[0, 1], [0, 0], [0, 1]]
    assert told["modules"][1] == {
        "id": 1,
        "level": 0,
        "inputs": ["x2", "x3"],
        "outputs": ["y1"],
        "used_by": [],
        "share": 2 / 3,
    }


def test_dead_inputs_are_told_as_none() -> None:
    told = consensus([witness((2, 1), (1, 2))]).to_dict()
    assert told["inputs"]["module"] == [None, 0]
    assert told["inputs"]["votes"] == [[None, 0]]


def test_no_witness_is_refused() -> None:
    with pytest.raises(GraphError, match="at least one network"):
        consensus([])


@pytest.mark.parametrize(
    ("sizes", "what"), [((3, 2), "inputs"), ((4, 3), "outputs"), ((2, 2, 2), "inputs")]
)
def test_witnesses_of_other_inputs_or_outputs_are_refused(
    sizes: tuple[int, ...], what: str
) -> None:
    stranger = witness(sizes, (0, sum(sizes) - 1))
    with pytest.raises(GraphError, match=f"the same {what}, but witness 1 has"):
        consensus([HALVES, stranger])


def test_modules_of_another_network_are_refused() -> None:
    with pytest.raises(GraphError, match="witness 0 must be about its 8 units"):
        consensus([(HALVES[0], Hierarchy((), np.zeros(3, int), {}))])


@pytest.mark.parametrize("name", ["5,3,2,2", "4,1,2,16", "8,2,1,2,16", "4,1,2,2,12"])
def test_published_networks_are_right_together_where_single_ones_are_not(
    published: list[dict[str, Any]], name: str
) -> None:
    wanted = [int(part) for part in name.split(",")]
    witnesses = [found_in(each) for each in published if each["task"] == wanted]
    found, truth = consensus(witnesses), tasks.get(name).truth
    for groups, true in (
        (found.inputs, truth.input_label),
        (found.outputs, truth.output_label),
    ):
        assert groups.label.tolist() == in_order(np.array(true)).tolist()
    label = in_order(np.array(truth.output_label))
    assert np.mean((found.outputs.votes == label).all(axis=1)) < 0.8


@pytest.mark.parametrize(
    ("witnesses", "said"),
    [
        (3, "must be a list of networks with their modules, got int"),
        (["a"], "but witness 0 is a str"),
        ([(1, 2)], r"but witness 0 is a tuple: pass \[\(report.graph, report.hierar"),
    ],
)
def test_witnesses_of_a_wrong_kind_are_named(witnesses, said) -> None:
    # As users call it, without the type checks of the tests.
    with pytest.raises(GraphError, match=said):
        consensus.__wrapped__(witnesses)
