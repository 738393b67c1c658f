"""Colours of modules: eighteen apart, then again from the start."""

from itertools import combinations

from sculpt_plugin.drawing.palette import module_colour


def test_the_first_eighteen_modules_differ_clearly() -> None:
    colours = [bytes.fromhex(module_colour(module)[1:]) for module in range(18)]
    apart = [
        sum(abs(one - two) for one, two in zip(*pair, strict=True))
        for pair in combinations(colours, 2)
    ]
    assert min(apart) > 40


def test_colours_come_back_after_eighteen_modules() -> None:
    assert module_colour(18) == module_colour(0)
