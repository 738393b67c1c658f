"""Node-link JSON as networkx reads it."""

import json

import networkx
import pytest
from exported import HOSTILE, halves, random_report

from sculpt_plugin.exporting.node_link import node_link
from sculpt_plugin.exporting.spelling import spelled
from sculpt_plugin.exporting.units import units_of


def text_of(report):
    return "".join(node_link(report.graph, units_of(report.graph, report.hierarchy)))


def read(report):
    return networkx.node_link_graph(json.loads(text_of(report)), edges="edges")


@pytest.mark.parametrize("seed", range(3))
def test_networkx_reads_back_what_the_graph_gives_it(seed):
    report = random_report(seed)
    found, given = read(report), report.graph.to_networkx()
    assert found.is_directed() and not found.is_multigraph()
    assert found.graph["schema"] == "sculpt-graph/1"
    assert set(found.edges) == set(given.edges)
    for unit, said in given.nodes.items():
        assert {name: found.nodes[unit][name] for name in said} == said


def test_modules_and_the_dead_are_told():
    nodes = read(halves()).nodes
    assert (nodes[7]["module"], nodes[7]["level"], nodes[7]["live"]) == (1, 0, True)
    assert (nodes[8].get("module"), nodes[8]["live"]) == (None, False)


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_survives_as_text(name):
    assert read(halves(name=name)).nodes[6]["layer_name"] == spelled(name)


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_the_text_is_plain_ascii(name):
    assert text_of(halves(name=name)).isascii()
