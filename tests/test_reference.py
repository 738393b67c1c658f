"""The released program's answers on its published networks."""

import gzip
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.modules import detect
from sculpt_plugin.report import analyze

REFERENCE = Path(__file__).parents[2] / "shared/reference/networks.jsonl.gz"
NETWORK_COUNT = 801


@pytest.fixture(scope="module")
def networks() -> list[dict[str, Any]]:
    if not REFERENCE.exists():
        pytest.skip("the reference networks are not beside this checkout")
    with gzip.open(REFERENCE, "rt") as lines:
        return [json.loads(line) for line in lines]


def graph_of(network: dict[str, Any]) -> LayeredGraph:
    sizes = network["arch"]
    weights = [np.zeros((above, below)) for below, above in pairwise(sizes)]
    for table, edges in zip(weights, network["edges"], strict=True):
        for target, source, weight in edges:
            table[target, source] = weight
    return LayeredGraph.from_layers(weights)


def partition(labels: list[int | None]) -> set[frozenset[int]]:
    """Units grouped by label; dead units, which have none, are left out."""
    groups: dict[int, set[int]] = {}
    for unit, label in enumerate(labels):
        if label is not None and label != -1:
            groups.setdefault(label, set()).add(unit)
    return set(map(frozenset, groups.values()))


def agrees(network: dict[str, Any]) -> bool:
    found = detect(
        graph_of(network),
        hops=network["hops"],
        merge_threshold=network["merge_threshold"],
        modularity_threshold=network["modularity_threshold"],
    )
    expected = [label for layer in network["modules"] for label in layer]
    return partition(found.label.tolist()) == partition(expected)


def test_every_published_network_is_there(networks: list[dict[str, Any]]) -> None:
    assert len(networks) == NETWORK_COUNT


@pytest.mark.parametrize("part", range(8))
def test_modules_are_those_of_the_released_program(
    networks: list[dict[str, Any]], part: int
) -> None:
    wrong = [network["id"] for network in networks[part::8] if not agrees(network)]
    assert wrong == []


def model_of(network: dict[str, Any]) -> nn.Sequential:
    """The network as a model of torch."""
    layers: list[nn.Module] = []
    for (below, above), edges in zip(
        pairwise(network["arch"]), network["edges"], strict=True
    ):
        layer = nn.Linear(below, above)
        with torch.no_grad():
            layer.weight.zero_()
            for target, source, weight in edges:
                layer.weight[target, source] = weight
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("part", range(8))
def test_a_model_is_analysed_to_the_same_modules(
    networks: list[dict[str, Any]], part: int
) -> None:
    wrong = []
    for network in networks[part::8]:
        report = analyze(
            model_of(network),
            torch.zeros(1, network["arch"][0]),
            hops=network["hops"],
            merge_threshold=network["merge_threshold"],
            modularity_threshold=network["modularity_threshold"],
        )
        expected = [label for layer in network["modules"] for label in layer]
        if partition(report.hierarchy.label.tolist()) != partition(expected):
            wrong.append(network["id"])
    assert wrong == []
