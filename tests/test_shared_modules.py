"""Modules of networks of any shape are matched by what they read and reach."""

import numpy as np
import pytest

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy, TaskModule
from sculpt_plugin.analysis.shared_modules import (
    SharedModule,
    shared_modules,
    signatures,
)


def module(
    number: int, inputs: tuple[int, ...], outputs: tuple[int, ...]
) -> TaskModule:
    return TaskModule(number, 0, (0,), 1, inputs, outputs, (), True, 1.0)


def found(modules: list[TaskModule], *edges: tuple[int, int]) -> Hierarchy:
    return Hierarchy(tuple(modules), np.zeros(6, int), dict.fromkeys(edges, 1))


# Two modules of two inputs each, and one per output: four inputs, two outputs.
LEFT, RIGHT = ((0, 1), (0, 1)), ((2, 3), (0, 1))
FIRST, SECOND = ((0, 1, 2, 3), (0,)), ((0, 1, 2, 3), (1,))
MIDDLE = ((0, 1, 2, 3), (0, 1))
GRAPH = LayeredGraph.from_edges((4, 2), [(0, 4)])
GROUPS = {"inputs": [(0, 1), (2, 3)], "outputs": [(0,), (1,)]}


def network(*kinds: tuple, edges: tuple = ()) -> Hierarchy:
    modules = [module(number, *kind) for number, kind in enumerate(kinds)]
    return found(modules, *edges)


def matched(*hierarchies: Hierarchy) -> tuple[SharedModule, ...]:
    told = [
        signatures(GRAPH, each, inputs=np.array([0, 0, 1, 1]), outputs=np.array([0, 1]))
        for each in hierarchies
    ]
    return shared_modules(hierarchies, told, **GROUPS)


PLAIN = network(LEFT, RIGHT, FIRST, SECOND, edges=((0, 2), (0, 3), (1, 2), (1, 3)))
DEEP = network(
    RIGHT,
    LEFT,
    MIDDLE,
    SECOND,
    FIRST,
    edges=((0, 2), (1, 2), (2, 3), (2, 4)),
)


def test_one_network_gives_its_own_modules_levels_and_edges() -> None:
    assert matched(PLAIN) == (
        SharedModule(0, 0, (0, 1), (0, 1), (2, 3), 1.0),
        SharedModule(1, 0, (2, 3), (0, 1), (2, 3), 1.0),
        SharedModule(2, 1, (0, 1, 2, 3), (0,), (), 1.0),
        SharedModule(3, 1, (0, 1, 2, 3), (1,), (), 1.0),
    )


def test_module_without_a_majority_is_bridged() -> None:
    # The middle module is in one network of two; what it joins is joined in both.
    assert matched(PLAIN, DEEP) == matched(PLAIN)


def test_module_with_a_majority_raises_the_levels_above_it() -> None:
    shared = matched(PLAIN, DEEP, DEEP)
    assert [module.level for module in shared] == [0, 0, 1, 2, 2]
    assert shared[2].share == pytest.approx(2 / 3)
    # In the plain network, which lacks the middle, the halves feed the ends directly.
    assert [module.used_by for module in shared] == [(2,), (2,), (3, 4), (), ()]


def test_stages_that_read_and_reach_the_same_are_one_module() -> None:
    stages = network(MIDDLE, MIDDLE, MIDDLE, edges=((0, 1), (1, 2)))
    assert matched(stages) == (SharedModule(0, 0, (0, 1, 2, 3), (0, 1), (), 1.0),)


def test_stray_input_makes_no_other_module() -> None:
    groups = {"inputs": np.array([0, 0, 0, 1]), "outputs": np.array([0, 1])}
    stray = network(((0, 1, 2), (0,)), ((0, 1), (0,)), ((0,), (0,)))
    first, second, third = signatures(GRAPH, stray, **groups)
    assert first == second == (frozenset({0}), frozenset({0}))
    assert third is None


def test_dead_inputs_are_no_part_of_a_group() -> None:
    graph = LayeredGraph.from_edges((4, 1), [(0, 4)])
    hierarchy = Hierarchy((module(0, (0,), (0,)),), np.array([0, -1, -1, -1, 0]), {})
    told = signatures(
        graph, hierarchy, inputs=np.array([0, 0, 0, 1]), outputs=np.array([0])
    )
    assert told == ((frozenset({0}), frozenset({0})),)


def test_networks_that_share_no_module_give_none() -> None:
    assert matched(network(LEFT), network(RIGHT)) == ()


def test_only_networks_that_have_both_say_whether_one_feeds_the_other() -> None:
    both = network(LEFT, FIRST, edges=((0, 1),))
    lower, upper = matched(both, network(LEFT), network(FIRST))
    assert lower.used_by == (upper.id,)


def test_links_against_the_order_of_reading_close_no_circle():
    # Two stages of one module lie round another: each feeds the other.
    less, more = frozenset([0]), frozenset([0, 1])
    early, late = (less, more), (more, less)
    modules = tuple(module(number, (), ()) for number in range(3))
    clusters = label = np.empty(0, dtype=int)
    found = Hierarchy(modules, label, {(0, 1): 1, (1, 2): 1}, tuple(clusters))

    shared = shared_modules(
        [found], [[early, late, early]], inputs=[[0], [1]], outputs=[[0], [1]]
    )

    assert [(m.level, m.inputs, m.used_by) for m in shared] == [
        (0, (0,), (1,)),
        (1, (0, 1), ()),
    ]
