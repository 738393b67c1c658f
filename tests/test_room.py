"""A page shows what it has room for, and says what it leaves out."""

import numpy as np
import pytest
from drawn import network
from report_pages import rows, tower

from sculpt_plugin.analysis.hierarchy import Hierarchy
from sculpt_plugin.interactive import room
from sculpt_plugin.interactive.room import (
    among,
    largest,
    opens_with_units,
    too_large,
)


def pieces(sizes: list[int]) -> Hierarchy:
    """Modules of these sizes, nothing between them; an output more is in the first."""
    label = np.repeat(np.arange(len(sizes)), sizes)
    return network((len(label), 1), [], [*label, 0])[1]


def test_the_largest_modules_stay_in_the_order_of_their_numbers(monkeypatch) -> None:
    monkeypatch.setattr(room, "MOST_MODULES", 3)
    chosen = largest(pieces([1, 5, 3, 2, 7]))
    assert [module.id for module in chosen] == [1, 2, 4]


def test_a_network_in_pieces_shows_no_more_than_the_limit() -> None:
    assert len(largest(pieces([1] * (room.MOST_MODULES + 5)))) == room.MOST_MODULES


def test_chosen_modules_are_numbered_anew_with_the_arrows_between_them() -> None:
    hierarchy = tower().hierarchy
    found = among(hierarchy, hierarchy.modules[1:], arrows=9)
    assert [module.id for module in found.modules] == [0, 1, 2]
    assert found.edges == {(0, 1): 1, (0, 2): 1}


def test_the_arrows_with_most_edges_stay() -> None:
    edges = [(0, 2), (0, 3), (1, 4)]
    hierarchy = network((2, 3), edges, [0, 1, 2, 2, 3])[1]
    assert among(hierarchy, hierarchy.modules, arrows=1).edges == {(0, 2): 2}


@pytest.mark.parametrize(
    ("width", "fan", "whole", "opens"),
    [
        (100, 2, True, True),
        (1_100, 2, True, False),
        (100, 10, True, True),
        (6_000, 1, False, False),
        (2_000, 12, False, False),
    ],
)
def test_what_is_too_much_for_a_page_or_for_its_opening(
    width: int, fan: int, whole: bool, opens: bool
) -> None:
    report = rows(width=width, fan=fan)
    assert (too_large(report.graph, report.hierarchy) == "") is whole
    assert opens_with_units(report.graph, report.hierarchy) is opens


def test_the_sentence_says_how_large_the_network_is() -> None:
    report = rows(width=6_000, fan=1)
    said = too_large(report.graph, report.hierarchy)
    assert "24,000 live units and 18,000 edges" in said
