"""The colour of each module, the same in every picture."""

# Okabe and Ito's colours, which colour-blind readers tell apart, without the
# black and the yellow that a white page swallows.
_HUES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_INKS = ("#000000", "#ffffff")


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

    Six hues, then the same six darker, then paler: neighbours in number differ in
    hue, and a colour comes back only after eighteen modules, where labels tell more.

    Args:
        module: Number of the module.

    Returns:
        The colour, as `#rrggbb`.

    Example:
        >>> module_colour(0), module_colour(6), module_colour(18)
        ('#0072b2', '#003f62', '#0072b2')

    Reference:
        Okabe and Ito, "Color Universal Design", 2008, https://jfly.uni-koeln.de/color
    """
    hue = _HUES[module % len(_HUES)]
    shade = module // len(_HUES) % 3
    return hue if shade == 0 else mixed(hue, _INKS[shade - 1], share=0.45)


def _channels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
