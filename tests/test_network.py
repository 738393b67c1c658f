"""The data of the layered picture, against the graph and its picture."""

import numpy as np
import pytest
from report_pages import HOSTILE, rows, tower

from sculpt_plugin.drawing.layout import place_units
from sculpt_plugin.interactive.network import INCH, network_data, rounded


def data(report):
    return network_data(report.graph, report.hierarchy)


def test_dead_units_are_left_out_and_the_others_numbered_anew() -> None:
    found = data(tower())
    assert found["channel"] == [0, 1, 2, 3, 0, 1, 0, 1, 0, 1]
    assert found["layer"] == [0, 0, 0, 0, 1, 1, 2, 2, 3, 3]
    assert found["module"] == [0, 0, 1, 1, 0, 1, 2, 3, 2, 3]
    assert [(layer["live"], layer["units"]) for layer in found["layers"]] == [
        (4, 4),
        (2, 2),
        (2, 2),
        (2, 3),
    ]


def test_targets_are_the_edges_of_the_graph() -> None:
    found = data(tower())["targets"]
    assert found == [[4], [4], [5], [5], [6], [6, 7], [8], [9], [], []]


def test_targets_skip_dead_units_between_live_ones() -> None:
    report = tower()
    label = report.hierarchy.label.copy()
    label[[1, 8]] = -1
    object.__setattr__(report.hierarchy, "label", label)
    found = data(report)["targets"]
    assert found == [[3], [4], [4], [5], [5, 6], [], [7], []]


def test_places_are_those_of_the_pictures_in_pixels_downwards() -> None:
    report = tower()
    places = place_units(report.graph, report.hierarchy)
    found = data(report)
    assert found["x"] == pytest.approx((places.x[:10] * INCH).tolist(), abs=0.01)
    heights = [layer["y"] for layer in found["layers"]]
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] == 0
    assert heights[0] == pytest.approx(places.height * INCH, abs=0.01)


def test_every_unit_is_inside_the_outline_of_its_module() -> None:
    report = rows(width=20, parts=4)
    found = data(report)
    box = {outline["module"]: outline["path"] for outline in found["outlines"]}
    assert sorted(box) == [0, 1, 2, 3]
    for number, path in box.items():
        text = path.replace("M", " ").replace("Q", " ").replace("L", " ").strip("Z")
        corners = np.array(text.split(), dtype=float).reshape(-1, 2)
        own = [
            x for x, of in zip(found["x"], found["module"], strict=True) if of == number
        ]
        assert corners[:, 0].min() < min(own)
        assert corners[:, 0].max() > max(own)
    assert all(outline["name"] for outline in found["outlines"])


def test_names_are_spelled_so_that_nothing_hides_in_them() -> None:
    found = data(tower(names=("inputs", *HOSTILE[:3])))["layers"]
    assert found[1]["name"] == HOSTILE[0]
    assert found[3]["name"] == r"<!-- \u2028 \x1b[31m \u202e ${1} `x` {{y}}"


def test_corners_are_rounded_no_farther_than_the_middle_of_a_side() -> None:
    square = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])
    assert rounded(square, radius=9.0) == (
        "M0 1Q0 0 1 0L1 0Q2 0 2 1L2 1Q2 2 1 2L1 2Q0 2 0 1Z"
    )
