"""GEXF by the rules of its schema, version 1.2, and as networkx reads it.

No validator of XML schemas is at hand: RULES states, for the elements that occur, which
children and attributes the schema allows, and of what type. References between ids,
which the schema does not cover and Gephi asks for, are checked as well.
"""

import re
import xml.etree.ElementTree as ET

import networkx
import pytest
from exported import HOSTILE, halves, random_report

from sculpt_plugin.drawing.palette import module_colour
from sculpt_plugin.exporting.gexf import gexf
from sculpt_plugin.exporting.spelling import spelled
from sculpt_plugin.exporting.units import units_of

SPACE, VIZ = "{http://www.gexf.net/1.2draft}", "{http://www.gexf.net/1.2draft/viz}"
ANY, NUMBER, TOKEN = r"(?s).*", r"-?\d+(\.\d+)?", r"(\S+( \S+)*)?"
CHANNEL = r"\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5]"

# Element: its children, its required attributes, its other attributes.
RULES = {
    f"{SPACE}gexf": (
        ["meta", "graph"],
        {"version": r"1\.2"},
        {"{http://www.w3.org/2001/XMLSchema-instance}schemaLocation": ANY},
    ),
    f"{SPACE}meta": (["creator", "description"], {}, {}),
    f"{SPACE}creator": ([], {}, {}),
    f"{SPACE}graph": (
        ["attributes", "nodes", "edges"],
        {},
        {"mode": "static|dynamic", "defaultedgetype": "directed|undirected|mutual"},
    ),
    f"{SPACE}attributes": (["attribute"], {"class": "node|edge"}, {}),
    f"{SPACE}attribute": (
        [],
        {
            "id": ANY,
            "title": ANY,
            "type": "integer|long|double|float|boolean|liststring|string|anyURI",
        },
        {},
    ),
    f"{SPACE}nodes": (["node"], {}, {}),
    f"{SPACE}node": (["attvalues"], {"id": ANY}, {"label": TOKEN}),
    f"{SPACE}attvalues": (["attvalue"], {}, {}),
    f"{SPACE}attvalue": ([], {"for": ANY, "value": ANY}, {}),
    f"{VIZ}color": ([], dict.fromkeys("rgb", CHANNEL), {}),
    f"{VIZ}position": ([], dict.fromkeys("xyz", NUMBER), {}),
    f"{VIZ}size": ([], {"value": r"\d+(\.\d+)?"}, {}),
    f"{SPACE}edges": (["edge"], {}, {}),
    f"{SPACE}edge": ([], {"id": ANY, "source": ANY, "target": ANY}, {}),
}
ENDS = ("source", "target")
LOOKS = {f"{VIZ}{name}" for name in ("color", "position", "size")}
VALUES = {"integer": r"-?\d+", "boolean": "true|false", "string": ANY}


def text_of(report):
    units = units_of(report.graph, report.hierarchy)
    return "".join(gexf(report.graph, units))


def read(report, tmp_path):
    path = tmp_path / "graph.gexf"
    path.write_bytes(text_of(report).encode())
    return networkx.read_gexf(path, node_type=int)


def faults(root):
    """List what the schema's rules do not allow."""
    found = []
    for element in root.iter():
        children, required, others = RULES[element.tag]
        allowed = {SPACE + name for name in children}
        allowed |= LOOKS if element.tag == f"{SPACE}node" else set()
        found += [child.tag for child in element if child.tag not in allowed]
        found += [name for name in required if name not in element.attrib]
        for name, value in element.attrib.items():
            pattern = {**required, **others}.get(name)
            if pattern is None or not re.fullmatch(pattern, value):
                found.append(f"{element.tag} {name}={value!r}")
        if element.tag != f"{SPACE}creator" and (element.text or "").strip():
            found.append(f"{element.tag} holds text")
    return found


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_the_schema_allows_all_of_it_whatever_a_layer_is_called(name):
    assert faults(ET.fromstring(text_of(halves(name=name)))) == []


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('version="1.2"', 'version="1.9"'),
        ('<edge id="0" ', "<edge "),
        ('type="boolean"', 'type="bool"'),
        ("<viz:size value", "<viz:size size"),
        ('r="0"', 'r="256"'),
        ('label="x0"', 'label=" x0"'),
        ("<nodes>", "<nodes>x"),
    ],
)
def test_the_rules_can_fail(was, becomes):
    text = text_of(halves())
    assert was in text
    assert faults(ET.fromstring(text.replace(was, becomes, 1)))


@pytest.mark.parametrize("seed", range(3))
def test_ids_are_unique_and_every_reference_leads_somewhere(seed):
    root = ET.fromstring(text_of(random_report(seed)))
    nodes = [node.get("id") for node in root.iter(f"{SPACE}node")]
    edges = [edge.get("id") for edge in root.iter(f"{SPACE}edge")]
    kinds = {x.get("id"): x.get("type") for x in root.iter(f"{SPACE}attribute")}
    ends = {edge.get(end) for edge in root.iter(f"{SPACE}edge") for end in ENDS}
    assert len(set(nodes)) == len(nodes) and len(set(edges)) == len(edges)
    assert ends <= set(nodes)
    for value in root.iter(f"{SPACE}attvalue"):
        assert re.fullmatch(VALUES[kinds[value.get("for")]], value.get("value"))


@pytest.mark.parametrize("seed", range(3))
def test_networkx_reads_back_what_the_graph_gives_it(seed, tmp_path):
    report = random_report(seed)
    found, given = read(report, tmp_path), report.graph.to_networkx()
    assert found.is_directed()
    assert set(found.edges) == set(given.edges)
    for unit, said in given.nodes.items():
        assert {name: found.nodes[unit][name] for name in said} == said


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_survives_as_text(name, tmp_path):
    nodes = read(halves(name=name), tmp_path).nodes
    assert nodes[6]["layer_name"] == spelled(name)


def test_layers_are_drawn_from_the_bottom_up_and_modules_in_their_colours(tmp_path):
    nodes = read(halves(), tmp_path).nodes
    heights = [nodes[unit]["viz"]["position"]["y"] for unit in (0, 6, 9)]
    assert heights == sorted(set(heights))
    for unit in (0, 2, 6, 7):
        colour = nodes[unit]["viz"]["color"]
        shown = f"#{colour['r']:02x}{colour['g']:02x}{colour['b']:02x}"
        assert shown == module_colour(nodes[unit]["module"])
    assert "module" not in nodes[8]
    assert nodes[8]["viz"]["size"] < nodes[6]["viz"]["size"]
