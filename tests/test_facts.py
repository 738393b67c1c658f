"""What was found, in words and numbers."""

from dataclasses import replace
from xml.etree.ElementTree import Element

import pytest
from report_pages import HOSTILE, lump, rows, tower

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.modules import detect
from sculpt_plugin.drawing.palette import module_colour
from sculpt_plugin.interactive import room
from sculpt_plugin.interactive.facts import headline, module_table, summary


def table(report) -> Element:
    page = Element("main")
    module_table(page, report.graph, report.hierarchy)
    return page


def cells(row: Element) -> list[str]:
    return ["".join(cell.itertext()) for cell in row]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (tower, "4 modules on 3 levels, 1 of them reused."),
        (lump, "No structure here: all live units are one module."),
        (lambda: rows(width=20), "10 modules on 1 level."),
    ],
)
def test_one_sentence_says_what_was_found(made, said: str) -> None:
    assert headline(made().hierarchy) == said


def test_one_module_is_explained() -> None:
    page = Element("main")
    report = lump()
    summary(page, report.graph, report.hierarchy)
    assert "pruned too little" in "".join(page.itertext())


def test_a_dense_network_is_to_be_pruned_first() -> None:
    page = Element("main")
    report = lump()
    whole = replace(report.hierarchy.modules[0], density=1.0)
    summary(page, report.graph, replace(report.hierarchy, modules=(whole,)))
    assert "prune the network first" in "".join(page.itertext())


def test_what_is_left_of_a_pruned_network_is_not_to_be_pruned_first() -> None:
    graph = LayeredGraph.from_edges((2, 2, 1), [(0, 2), (1, 2), (2, 4)])
    page = Element("main")
    summary(page, graph, detect(graph))
    assert "pruned too little" in "".join(page.itertext())


def test_live_and_dead_units_are_counted() -> None:
    page = Element("main")
    report = tower()
    summary(page, report.graph, report.hierarchy)
    words, numbers = page.iter("dt"), page.iter("dd")
    found = {a.text: b.text for a, b in zip(words, numbers, strict=True)}
    assert found == {
        "modules": "4",
        "live units": "10",
        "dead unit": "1",
        "edges": "9",
        "layers": "4",
    }


def test_a_row_says_all_about_its_module() -> None:
    rows_found = list(table(tower()).iter("tr"))
    head = cells(rows_found[0])
    found = dict(zip(head, cells(rows_found[2]), strict=True))
    assert found == {
        "module": "M1",
        "level": "0",
        "units": "3",
        "layers": "inputs, layer 1",
        "inputs": "x2, x3",
        "outputs": "none",
        "used by": "M2, M3",
        "input-separable": "yes",
        "density": "0.50",
    }
    assert rows_found[2].get("data-module") == "1"


def test_the_colour_of_a_row_is_that_of_the_pictures() -> None:
    found = [place.get("fill") for place in table(tower()).iter("rect")]
    assert found == [module_colour(number) for number in range(4)]


def test_names_of_layers_are_spelled() -> None:
    found = "".join(table(tower(names=("inputs", *HOSTILE[:3]))).itertext())
    assert HOSTILE[0] in found
    assert "\u202e" not in found


def test_a_table_of_too_many_modules_says_how_many_there_are(monkeypatch) -> None:
    monkeypatch.setattr(room, "MOST_MODULES", 3)
    found = table(rows(width=20))
    assert len(list(found.iter("tr"))) == 4
    assert "The 3 largest of 10" in "".join(found.itertext())
