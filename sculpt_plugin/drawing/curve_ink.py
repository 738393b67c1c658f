"""The ink of the pruning curve: stages, density and score."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sculpt_plugin.drawing.page import GREY
from sculpt_plugin.drawing.palette import module_colour

if TYPE_CHECKING:
    import matplotlib.axes

    from sculpt_plugin.pruning.record import Step


def open_scales(
    ax: "matplotlib.axes.Axes | None",
) -> "tuple[matplotlib.axes.Axes, matplotlib.axes.Axes]":
    """Give the axes of the score and, over the same turns, those of the density."""
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=(8.0, 4.4)).add_axes((0.09, 0.18, 0.81, 0.66))
    right = ax.twinx()
    # The score's axes lie above, see-through, so that nothing crosses its dots.
    ax.set_zorder(right.get_zorder() + 1)
    ax.patch.set_visible(False)
    for side in (ax, right):
        side.spines["top"].set_visible(False)
    return ax, right


def shade_stages(ax: "matplotlib.axes.Axes", stages: list[str]) -> None:
    """Shade every other stage and write the stages' names above the axes."""
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
            color=GREY,
            ha="center",
            va="bottom",
        )


def draw_density(ax: "matplotlib.axes.Axes", steps: "Sequence[Step]") -> None:
    """Draw the share of weights kept as a falling staircase."""
    density, now = [], 1.0
    for step in steps:
        now = step.density if step.accepted else now
        density.append(now)
    green = module_colour(2)
    ax.plot(density, color=green, lw=1.6, drawstyle="steps-post", label="weights kept")
    ax.set_ylabel("weights kept", color=green)
    if min(density) > 0:
        ax.set_yscale("log")
        ax.set_ylim(min(density) / 1.4, 1.4)
        ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        ax.yaxis.set_minor_formatter(lambda value, _: "")


def draw_score(
    ax: "matplotlib.axes.Axes", steps: "Sequence[Step]", threshold: float | None
) -> None:
    """Draw the scores, a joined dot for an accepted turn, a cross for a rejected."""
    from matplotlib.ticker import MaxNLocator

    score = np.array([step.score for step in steps], dtype=float)
    kept = np.array([step.accepted for step in steps], dtype=bool)
    turn = np.arange(len(steps))
    blue, red = module_colour(0), module_colour(1)
    ax.plot(turn[kept], score[kept], "o-", color=blue, ms=4, lw=1.2, label="accepted")
    if not kept.all():
        ax.plot(turn[~kept], score[~kept], "x", color=red, ms=5, label="rejected")
    if threshold is not None:
        ax.axhline(threshold, color=GREY, lw=1, ls="--", label="threshold", zorder=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlabel("turn")
    ax.set_ylabel("score", color=blue)
    ax.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, frameon=False
    )  # below: no corner of the picture is sure to be empty
