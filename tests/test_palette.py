"""Colours of modules: eighteen that every reader tells apart, then again."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from sculpt_plugin.drawing.palette import COLOUR_COUNT, module_colour, module_stroke

# What is seen without one kind of cones, in linear light: Machado, Oliveira and
# Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency",
# 2009, full severity.
VISION = {
    "full": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
visions = pytest.mark.parametrize("vision", VISION)


def oklab(linear: np.ndarray) -> np.ndarray:
    """Linear light in Ottosson's Oklab, where distances are differences seen."""
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    axes = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return axes @ np.cbrt(cones @ linear)


def seen(colour: str, vision: str) -> np.ndarray:
    """Where a colour lies for a reader."""
    parts = np.frombuffer(bytes.fromhex(colour[1:]), np.uint8) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return oklab(np.clip(VISION[vision] @ linear, 0, 1))


def apart(one: str, other: str, vision: str) -> float:
    """How different two colours are: 0.02 is just to be seen side by side."""
    return float(np.linalg.norm(seen(one, vision) - seen(other, vision)))


@visions
def test_modules_that_follow_each_other_differ_clearly(vision: str) -> None:
    colours = [module_colour(module) for module in range(COLOUR_COUNT + 1)]
    pairs = pairwise(colours)
    assert min(apart(one, other, vision) for one, other in pairs) > 0.075


@visions
def test_any_two_colours_can_be_told_apart(vision: str) -> None:
    colours = [module_colour(module) for module in range(COLOUR_COUNT)]
    pairs = combinations(colours, 2)
    assert min(apart(one, other, vision) for one, other in pairs) > 0.07


@visions
def test_no_colour_is_lost_on_a_white_page(vision: str) -> None:
    away = [
        apart(module_colour(module), "#ffffff", vision)
        for module in range(COLOUR_COUNT)
    ]
    assert min(away) > 0.13


def test_the_simulation_makes_red_and_green_alike() -> None:
    assert apart("#b00000", "#6a6000", "full") > 0.15
    assert apart("#b00000", "#6a6000", "deuteranopia") < 0.08


def test_colours_come_back_after_eighteen_modules_in_another_stroke() -> None:
    assert COLOUR_COUNT == 18
    assert module_colour(18) == module_colour(0)
    strokes = [module_stroke(module) for module in (0, 17, 18, 36, 54)]
    assert strokes == ["solid", "solid", "dashed", "dotted", "dashdot"]
