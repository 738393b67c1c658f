"""What stands beside a network changes nothing in it: modules of disjoint unions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.modules import detect


def beside(networks: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Stand networks beside each other: a table of blocks for each layer."""
    layers = []
    for tables in zip(*networks, strict=True):
        height, width = (sum(table.shape[axis] for table in tables) for axis in (0, 1))
        whole = np.zeros((height, width))
        row = column = 0
        for table in tables:
            whole[row : row + len(table), column : column + table.shape[1]] = table
            row, column = row + len(table), column + table.shape[1]
        layers.append(whole)
    return layers


def block(seed: int, sizes: tuple[int, ...] = (6, 5, 2)) -> list[np.ndarray]:
    """A network in which each unit reads the unit below it and random others."""
    random = np.random.default_rng(seed)
    tables = [
        random.random(shape) < 0.4 for shape in zip(sizes[1:], sizes, strict=False)
    ]
    for table in tables:
        units = np.arange(max(table.shape))
        table[units % len(table), units % table.shape[1]] = True
    return tables


def modules(tables: list[np.ndarray]) -> list[tuple[tuple[int, int], ...]]:
    """Each module as its units: layers, and places in them."""
    graph = LayeredGraph.from_layers(tables)
    label, layer = detect(graph).label, graph.layer_of
    place = np.arange(graph.unit_count) - np.array(graph.offsets)[layer]
    units = np.stack([layer, place], axis=1)
    return [
        tuple(map(tuple, units[label == found].tolist()))
        for found in range(label.max() + 1)
    ]


@pytest.mark.parametrize("count", [32, 33, 100])
def test_each_of_many_small_functions_is_a_module(count):
    """33 of them are more than the units that are asked for exact agreement only."""
    tables = [np.kron(np.eye(count), np.ones((1, 2))), np.eye(count)]

    assert len(modules(tables)) == count


@pytest.mark.parametrize("count", [32, 33, 64])
def test_neighbours_that_share_a_unit_stay_apart(count):
    """Pairs of inputs each feed a unit; each output reads its own and the next one."""
    tables = [
        np.kron(np.eye(count), np.ones((1, 2))),
        np.eye(count) + np.eye(count, k=1),
    ]

    inputs = [
        [place for layer, place in units if layer == 0] for units in modules(tables)
    ]

    assert sorted(filter(None, inputs)) == [[2 * n, 2 * n + 1] for n in range(count)]


@settings(max_examples=25)
@given(st.lists(st.integers(0, 50), min_size=2, max_size=12))
def test_modules_of_a_union_are_those_of_its_parts(seeds):
    networks = [block(seed) for seed in seeds]
    expected, below = [], np.zeros(3, dtype=int)
    for network in networks:
        expected += [
            tuple((layer, place + below[layer]) for layer, place in units)
            for units in modules(network)
        ]
        below += [network[0].shape[1], *map(len, network)]

    assert sorted(modules(beside(networks))) == sorted(expected)
