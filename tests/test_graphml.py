"""GraphML as networkx reads it."""

import xml.etree.ElementTree as ET

import networkx
import pytest
from exported import HOSTILE, halves, random_report

from sculpt_plugin.exporting.graphml import graphml
from sculpt_plugin.exporting.spelling import spelled
from sculpt_plugin.exporting.units import units_of


def text_of(report):
    units = units_of(report.graph, report.hierarchy)
    return "".join(graphml(report.graph, units))


def read(report):
    return networkx.parse_graphml(text_of(report), node_type=int)


@pytest.mark.parametrize("seed", range(3))
def test_networkx_reads_back_what_the_graph_gives_it(seed):
    report = random_report(seed)
    found, given = read(report), report.graph.to_networkx()
    assert found.is_directed()
    assert set(found.edges) == set(given.edges)
    for unit, said in given.nodes.items():
        assert {name: found.nodes[unit][name] for name in said} == said


def test_modules_levels_and_the_dead_are_told():
    report = halves()
    nodes = read(report).nodes
    assert [nodes[unit].get("module") for unit in range(11)] == [
        0, 0, 1, 1, None, None, 0, 1, None, 0, 1,
    ]  # fmt: skip
    assert [nodes[unit]["live"] for unit in (0, 4, 8)] == [True, False, False]
    assert nodes[0]["level"] == 0
    assert nodes[9]["label"] == "y0"


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_survives_as_text(name):
    nodes = read(halves(name=name)).nodes
    # XML has no way to tell an empty text from none.
    assert nodes[6].get("layer_name", "") == spelled(name)
    assert nodes[6]["kind"] == "a<b"


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_names_add_no_elements(name):
    root = ET.fromstring(text_of(halves(name=name)))
    space = "{http://graphml.graphdrawing.org/xmlns}"
    tags = {element.tag.removeprefix(space) for element in root.iter()}
    assert tags == {"graphml", "key", "graph", "node", "data", "edge"}


def test_every_value_has_its_key_declared():
    root = ET.fromstring(text_of(halves()))
    space = "{http://graphml.graphdrawing.org/xmlns}"
    declared = {key.get("id") for key in root.iter(f"{space}key")}
    assert {data.get("key") for data in root.iter(f"{space}data")} == declared
