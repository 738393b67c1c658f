"""Large hierarchies are drawn by their largest modules and widest arrows."""

import numpy as np
from drawn import network

from sculpt_plugin.drawing.thinning import thinned


def _three() -> tuple:
    """Modules of 1, 5 and 2 units; the two small ones feed the large one."""
    edges = [(0, 6), (1, 7), (2, 7), (3, 7), (4, 6), (4, 7), (5, 7)]
    return network((6, 2), edges, [0, 1, 1, 1, 2, 2, 1, 1])


def test_a_small_hierarchy_is_kept_whole() -> None:
    _, found = _three()
    part = thinned(found)
    assert part.hierarchy.modules == found.modules
    assert part.hierarchy.edges == found.edges
    assert (part.numbers.tolist(), part.left_out) == ([0, 1, 2], ())


def test_the_modules_with_the_most_units_stay() -> None:
    _, found = _three()
    part = thinned(found, modules=1)
    assert part.numbers.tolist() == [1]
    assert part.hierarchy.modules[0].id == 0
    assert part.left_out == ("2 of 3 modules, the smallest, not drawn",)


def test_units_of_modules_left_out_have_none() -> None:
    _, found = network((3, 1), [(0, 3), (1, 3), (2, 3)], [0, 1, -1, 1])
    part = thinned(found, modules=1)
    np.testing.assert_array_equal(part.hierarchy.label, [-1, 0, -1, 0])


def test_the_widest_arrows_stay_under_their_new_numbers() -> None:
    _, found = _three()
    assert found.edges == {(0, 1): 1, (2, 1): 3}
    assert thinned(found, modules=2).hierarchy.edges == {(1, 0): 3}
    part = thinned(found, arrows=1)
    assert part.hierarchy.edges == {(2, 1): 3}
    assert part.left_out == ("1 of 2 arrows, the thinnest, not drawn",)
