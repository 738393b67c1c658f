"""The colour of each module, the same in every picture."""

from typing import Literal

# First Okabe and Ito's colours, which colour-blind readers tell apart, without the
# black and the yellow that a white page swallows. Then twelve that were searched for:
# any two of all eighteen, and more so two that follow each other, stay apart for
# readers without red, green or blue cones (tests/test_palette.py simulates them).
_COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"),
    *("#771111", "#333399", "#995555", "#33dddd", "#555588", "#bbdd99"),
    *("#553355", "#99bb77", "#331177", "#775511", "#8877dd", "#551133"),
)
_STROKES = ("solid", "dashed", "dotted", "dashdot")

COLOUR_COUNT = len(_COLOURS)
"""How many modules have a colour of their own; those after them take theirs again."""

Stroke = Literal["solid", "dashed", "dotted", "dashdot"]


def mixed(colour: str, other: str, *, share: float) -> str:
    """Mix two colours, for a darker outline or a paler fill.

    Args:
        colour: The colour to begin with, as `#rrggbb`.
        other: The colour to add, as `#rrggbb`.
        share: How much of `other` to add, 0 to 1.

    Returns:
        The mixed colour, as `#rrggbb`.

    Example:
        >>> mixed("#000000", "#ffffff", share=0.5)
        '#808080'
    """
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(
        f"{round((1 - share) * one + share * two):02x}" for one, two in pairs
    )


def module_colour(module: int) -> str:
    """Pick the colour of a module from its number.

    Eighteen colours; then they come back, with another stroke (`module_stroke`) round
    the module, and its number tells more than its colour.

    Args:
        module: Number of the module.

    Returns:
        The colour, as `#rrggbb`.

    Example:
        >>> module_colour(0), module_colour(6), module_colour(18)
        ('#0072b2', '#771111', '#0072b2')

    Reference:
        Okabe and Ito, "Color Universal Design", 2008, https://jfly.uni-koeln.de/color
    """
    return _COLOURS[module % COLOUR_COUNT]


def module_stroke(module: int) -> Stroke:
    """Pick the stroke of a module's outline, which changes where colours come back.

    Args:
        module: Number of the module.

    Returns:
        The stroke; after 72 modules these come back too.

    Example:
        >>> module_stroke(0), module_stroke(17), module_stroke(18)
        ('solid', 'solid', 'dashed')
    """
    return _STROKES[module // COLOUR_COUNT % len(_STROKES)]


def recurring(module_count: int) -> str:
    """Say, where modules are more than colours, what tells them apart.

    Args:
        module_count: How many modules there are.

    Returns:
        A note for the foot of a picture, empty where each has a colour of its own.

    Example:
        >>> recurring(18), recurring(19)
        ('', 'colours recur after 18 modules: go by the numbers')
    """
    if module_count <= COLOUR_COUNT:
        return ""
    return f"colours recur after {COLOUR_COUNT} modules: go by the numbers"


def _channels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
