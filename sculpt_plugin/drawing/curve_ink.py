"""The ink of the pruning curve: stages, density and score."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sculpt_plugin.drawing.page import GREY, INK, WHITE
from sculpt_plugin.drawing.palette import mixed, module_colour

if TYPE_CHECKING:
    import matplotlib.axes

    from sculpt_plugin.pruning.record import Step

_MANY = 60  # turns, from which on the dots shrink


class Scales(NamedTuple):
    """The axes of the score and, over the same turns, those of the density.

    Attributes:
        score: Lies above, see-through, so that nothing crosses its dots.
        density: Lies below, on white.
        dark: Whether the figure round them is dark, so that words must be light.
    """

    score: "matplotlib.axes.Axes"
    density: "matplotlib.axes.Axes"
    dark: bool

    def ink(self, colour: str) -> str:
        """Give a colour for words beside the axes that can be read there."""
        return mixed(colour, WHITE, share=0.75 if self.dark else 0.0)


def open_scales(ax: "matplotlib.axes.Axes | None") -> Scales:
    """Make the axes, or take the user's, on whose figure nothing is changed."""
    from matplotlib.colors import to_rgba

    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=(8.0, 4.4)).add_axes((0.09, 0.18, 0.81, 0.66))
    right = ax.twinx()
    ax.set_zorder(right.get_zorder() + 1)
    ax.patch.set_visible(False)
    right.patch.set(visible=True, facecolor=WHITE)
    *light, opacity = to_rgba(ax.figure.get_facecolor())
    scales = Scales(ax, right, dark=opacity > 0.5 and sum(light) < 1.5)
    ink = scales.ink(INK)
    for side in (ax, right):
        side.spines["top"].set_visible(False)
        side.tick_params(which="both", colors=ink, labelsize=8)
        side.grid(visible=False)
        for spine in side.spines.values():
            spine.set_color(GREY)
    ax.xaxis.label.set_color(ink)
    return scales


def shade_stages(scales: Scales, stages: list[str]) -> None:
    """Shade every other stage and write the stages' names above the axes."""
    ax = scales.density
    starts = [
        turn
        for turn, stage in enumerate(stages)
        if not turn or stages[turn - 1] != stage
    ]
    for number, (start, end) in enumerate(
        zip(starts, [*starts[1:], len(stages)], strict=True)
    ):
        if number % 2:
            ax.axvspan(start - 0.5, end - 0.5, color="#f1f1f1", lw=0, zorder=0)
        narrow = (end - start) / len(stages) < 0.1
        ax.text(
            (start + end - 1) / 2,
            1.02,
            stages[start],
            transform=ax.get_xaxis_transform(),
            rotation=90 if narrow else 0,
            color=scales.ink(GREY),
            ha="center",
            va="bottom",
        )


def draw_density(scales: Scales, steps: "Sequence[Step]") -> None:
    """Draw the share of weights kept as a falling staircase, and say where it ends."""
    ax = scales.density
    density, now = [], 1.0
    for step in steps:
        now = step.density if step.accepted else now
        density.append(now)
    green = module_colour(2)
    ax.plot(density, color=green, lw=1.6, drawstyle="steps-post", label="weights kept")
    ax.set_ylabel("weights kept", color=scales.ink(green))
    if min(density) > 0:
        ax.set_yscale("log")
        # Below the end there is room for its number.
        ax.set_ylim(min(density) ** 1.1 / 1.4, 1.4)
        ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        ax.yaxis.set_minor_formatter(lambda value, _: "")
    ax.annotate(
        f"{100 * now:.3g} %",
        (len(density) - 1, now),
        xytext=(0, -3),
        textcoords="offset points",
        ha="right",
        va="top",
        color=mixed(green, "#000000", share=0.35),
        parse_math=False,
    )


def draw_score(
    scales: Scales, steps: "Sequence[Step]", threshold: float | None
) -> None:
    """Draw the scores, a joined dot for an accepted turn, a cross for a rejected."""
    from matplotlib.ticker import MaxNLocator

    ax = scales.score
    score = np.array([step.score for step in steps], dtype=float)
    kept = np.array([step.accepted for step in steps], dtype=bool)
    turn = np.arange(len(steps))
    blue, red = module_colour(0), module_colour(1)
    size = 4 * min(1.0, (_MANY / len(steps)) ** 0.5)
    ax.plot(
        turn[kept],
        score[kept],
        "o-",
        color=blue,
        ms=size,
        lw=0.3 * size,
        label="accepted",
    )
    if not kept.all():
        ax.plot(
            turn[~kept], score[~kept], "x", color=red, ms=1.25 * size, label="rejected"
        )
    if threshold is not None:
        ax.axhline(threshold, color=GREY, lw=1, ls="--", label="threshold", zorder=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlabel("turn")
    ax.set_ylabel("score", color=scales.ink(blue))
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.13),
        ncols=3,
        frameon=False,
        labelcolor=scales.ink(INK),
    )  # below: no corner of the picture is sure to be empty
