"""The data of the modules and of the picture of their hierarchy."""

import pytest
from report_pages import rows, tower

from sculpt_plugin.drawing.layout import place_modules
from sculpt_plugin.drawing.palette import module_colour
from sculpt_plugin.interactive import module_picture
from sculpt_plugin.interactive.module_picture import hierarchy_data, module_data


def test_a_module_says_what_it_reads_and_feeds() -> None:
    report = tower()
    chosen = report.hierarchy.modules
    found = module_data(report.graph, report.hierarchy, chosen)
    assert [module["used_by"] for module in found] == [[2], [2, 3], [], []]
    assert [module["reads"] for module in found] == [[], [], [0, 1], [1]]
    assert found[1]["layers"] == [["inputs", 2], ["layer 1", 1]]
    assert found[1]["inputs"] == ["x2, x3", "x2, x3"]


def test_a_module_says_nothing_of_modules_that_are_not_shown() -> None:
    report = tower()
    modules = report.hierarchy.modules
    found = module_data(report.graph, report.hierarchy, (modules[1], modules[3]))
    assert [module["used_by"] for module in found] == [[3], []]
    assert [module["reads"] for module in found] == [[], [1]]


def test_colours_are_those_of_the_pictures() -> None:
    report = rows(width=40, parts=20)
    found = module_data(report.graph, report.hierarchy, report.hierarchy.modules)
    assert [x["colour"] for x in found] == [module_colour(n) for n in range(20)]


def test_places_are_those_of_the_pictures_in_pixels_downwards() -> None:
    hierarchy = tower().hierarchy
    places = place_modules(hierarchy)
    found = hierarchy_data(hierarchy, hierarchy.modules)
    assert found["x"] == pytest.approx((places.x * 96).tolist(), abs=0.01)
    rise = [found["y"][0] - y for y in found["y"]]
    assert rise == pytest.approx((places.y * 96).tolist(), abs=0.02)
    assert max(found["y"]) < found["height"]
    assert [level for level, _ in found["levels"]] == [0, 2]


def test_arrows_lead_from_node_to_node() -> None:
    hierarchy = tower().hierarchy
    found = hierarchy_data(hierarchy, hierarchy.modules)
    assert [(a["from"], a["to"], a["count"]) for a in found["arrows"]] == [
        (0, 2, 1),
        (1, 2, 1),
        (1, 3, 1),
    ]
    half = found["node"][1] / 2
    for arrow in found["arrows"]:
        start, _, tip = arrow["route"]
        assert start[1] == pytest.approx(found["y"][arrow["from"]] - half, abs=0.1)
        assert tip[1] == pytest.approx(found["y"][arrow["to"]] + half, abs=0.1)


def test_arrows_that_are_left_out_are_counted(monkeypatch) -> None:
    monkeypatch.setattr(module_picture, "MOST_ARROWS", 2)
    hierarchy = tower().hierarchy
    found = hierarchy_data(hierarchy, hierarchy.modules)
    assert (len(found["arrows"]), found["left_out"]) == (2, 1)
