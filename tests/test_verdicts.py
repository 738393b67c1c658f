from typing import get_args

import pytest
from judged_by_hand import CELL, NEARLY, RIGHT, WITNESSES, WRONG, witness

from sculpt_plugin import tasks
from sculpt_plugin.analysis.modules import detect
from sculpt_plugin.reproducing.verdicts import (
    SPARES,
    Voice,
    judge_alone,
    judge_cell,
    judge_together,
)


def judged(**knobs):
    knobs = {"methods": ["agglomerative"], "witness_count": 10} | knobs
    return judge_cell(CELL, WITNESSES, **knobs)


def heard(*edges):
    graphs = [witness(0, each).graph for each in edges]
    return [(graph, detect(graph)) for graph in graphs]


def typical(seeds, spare=SPARES["typical"]):
    """Judge for each seed its typical network."""
    return judge_alone(tasks.get("4,2,4"), seeds, {"typical": spare})["typical"]


def test_the_sparsest_network_of_each_seed_is_judged_alone():
    right, wrong, none = judged()["agglomerative"]["single"]
    assert right is not None and wrong is not None
    assert (right.inputs, right.outputs, right.module_count) == (True, True, 2)
    assert (wrong.inputs, wrong.outputs, wrong.module_count) == (False, False, 1)
    assert none is None


def test_the_typical_network_has_few_edges_and_agrees_with_the_others():
    (verdict,) = typical([heard(NEARLY, RIGHT, RIGHT)])
    assert verdict is not None
    assert verdict.inputs and verdict.outputs
    assert verdict.edge_count == len(RIGHT) == len(NEARLY) + 1


def test_the_typical_network_of_a_seed_agrees_with_those_of_all_seeds():
    # Of itself the second seed says one thing as often as the other.
    seeds = [heard(RIGHT, RIGHT, RIGHT), heard(NEARLY, RIGHT), []]
    first, second, none = typical(seeds)
    assert first is not None and second is not None
    assert first.edge_count == second.edge_count == len(RIGHT)
    (alone,) = typical(seeds[1:2])
    assert alone is not None
    assert alone.edge_count == len(NEARLY)
    assert none is None


def test_of_equally_sparse_networks_the_one_like_the_others_is_judged():
    # The first has as many edges as the others, and is not what they are.
    odd = [*NEARLY, (3, 6)]
    assert len(odd) == len(RIGHT)
    (verdict,) = typical([heard(odd, RIGHT, RIGHT)], spare=0.0)
    assert verdict is not None
    assert verdict.inputs
    (alone,) = typical([heard(odd)], spare=0.0)
    assert alone is not None
    assert not alone.inputs


@pytest.mark.parametrize(("spare", "edges"), [(0.0, 15), (0.05, 15), (0.1, 16)])
def test_a_network_that_is_heard_alone_has_few_more_edges(spare, edges):
    (verdict,) = typical([heard(NEARLY, RIGHT, RIGHT)], spare=spare)
    assert verdict is not None
    assert verdict.edge_count == edges


def test_who_is_heard_alone_may_have_more_and_more_edges():
    spares = list(SPARES.values())
    assert spares == sorted(spares)
    found = judged()["agglomerative"]
    assert list(found) == [*SPARES, "consensus", "all seeds"]
    assert tuple(found) == get_args(Voice)


def test_a_network_with_too_many_edges_is_not_typical():
    # The others of the second seed are right, but have twice the edges.
    first, second, none = judged()["agglomerative"]["typical"]
    assert first is not None and second is not None
    assert first.inputs and not second.inputs
    assert none is None


def test_the_consensus_of_a_seed_outvotes_its_sparsest_network():
    first, second, none = judged()["agglomerative"]["consensus"]
    assert first is not None and second is not None
    assert first.inputs and first.outputs
    assert second.inputs and second.outputs
    assert none is None


def test_only_so_many_witnesses_are_heard():
    _, second, _ = judged(witness_count=1)["agglomerative"]["consensus"]
    assert second is not None
    assert not second.inputs


def test_all_seeds_give_one_verdict():
    (verdict,) = judged()["agglomerative"]["all seeds"]
    assert verdict is not None
    assert verdict.inputs and verdict.outputs
    assert verdict.module_count == 2


def test_every_method_is_asked():
    found = judged(methods=["agglomerative", "bidirectional"])
    assert list(found) == ["agglomerative", "bidirectional"]


@pytest.mark.parametrize(
    ("edges", "apart"),
    [((RIGHT, RIGHT, WRONG), True), ((RIGHT, WRONG, WRONG), False)],
)
def test_hidden_units_are_apart_if_most_networks_say_so(edges, apart):
    verdict = judge_together(tasks.get("4,2,4"), heard(*edges))
    assert verdict is not None
    assert verdict.apart is apart


def test_nobody_says_nothing():
    assert judge_together(tasks.get("4,2,4"), []) is None
    assert typical([[], []]) == (None, None)
