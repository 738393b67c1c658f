"""The ink of the co-module matrices: cells, blocks, names, bars and the scale."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8

from sculpt_plugin.analysis.consensus import Consensus, SharedGroups
from sculpt_plugin.drawing.comodules_layout import (
    SMALLEST_ROW,
    MatrixPlaces,
    cell_side,
)
from sculpt_plugin.drawing.naming import abbreviated
from sculpt_plugin.drawing.page import BLACK, GREY, LETTER, WHITE, Page
from sculpt_plugin.drawing.palette import mixed, module_colour

HEAD = 0.62  # inches above the matrices
SCALE = 0.62  # inches below them
_UNKNOWN = "#f1ebe0"
_MOST_NUMBERS = 8  # units, up to which the cells say their share
_BAR_INK = module_colour(2)
_GROUP_LETTERS = 16


def draw_matrix(page: Page, groups: SharedGroups, places: MatrixPlaces) -> None:
    """Draw a cell for each two units, darker the more often they share a module."""
    if not len(places.order):
        return
    share = groups.together[np.ix_(places.order, places.order)]
    box = (places.left, places.left + places.side, -places.side, 0.0)
    page.ax.imshow(_inked(share), extent=box, gid="shares", zorder=1)
    count = len(share)
    if places.cell >= SMALLEST_ROW:
        _draw_grid(page, places, count)
    if count <= _MOST_NUMBERS:
        for (row, column), value in np.ndenumerate(share):
            page.ax.text(
                places.left + (column + 0.5) * places.cell,
                -(row + 0.5) * places.cell,
                "" if np.isnan(value) else f"{100 * value:.0f}",
                fontsize=7.5 * page.scale,
                color=WHITE if value > 0.55 else mixed(GREY, BLACK, share=0.2),
                ha="center",
                va="center",
                zorder=4,
            )


def draw_blocks(page: Page, places: MatrixPlaces) -> None:
    """Outline each group."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    boxes = [
        Rectangle(
            (places.left + first * places.cell, -last * places.cell),
            (last - first) * places.cell,
            (last - first) * places.cell,
        )
        for first, last in places.blocks
    ]
    page.ax.add_collection(
        PatchCollection(
            boxes,
            facecolor="none",
            edgecolor="#222222",
            linewidth=(1.5 if places.cell >= SMALLEST_ROW else 0.8) * page.scale,
            joinstyle="miter",
            zorder=3,
            gid="groups",
        ),
        autolim=False,
    )


def draw_names(page: Page, names: Sequence[str], places: MatrixPlaces) -> None:
    """Name the rows; where they are too low for it, the groups that are high enough."""
    order: list[int] = places.order.tolist()
    if places.cell >= SMALLEST_ROW:
        rows = [(row + 0.5, names[unit]) for row, unit in enumerate(order)]
    else:
        rows = [
            (
                (first + last) / 2,
                _group_name([names[unit] for unit in sorted(order[first:last])]),
            )
            for first, last in places.blocks
            if (last - first) * places.cell >= 2 * SMALLEST_ROW
        ]
    for row, text in rows:
        page.ax.text(
            places.left - 0.07,
            -row * places.cell,
            text,
            fontsize=min(8.0, 60 * max(places.cell, SMALLEST_ROW)) * page.scale,
            linespacing=1.3,
            ha="right",
            va="center",
        )


def draw_confidence(page: Page, groups: SharedGroups, places: MatrixPlaces) -> None:
    """Draw a bar beside each row, as long as the unit's confidence."""
    from matplotlib.collections import PolyCollection

    count = len(places.order)
    apart = places.cell >= SMALLEST_ROW
    thick = min(0.7 * places.cell, 0.2) if apart else places.cell
    middle = -(np.arange(count) + 0.5) * places.cell
    top, low = middle + thick / 2, middle - thick / 2
    right = places.bars + places.bar * groups.confidence[places.order]
    left = np.full(count, places.bars)
    corners = [(left, low), (right, low), (right, top), (left, top)]
    page.ax.add_collection(
        PolyCollection(
            list(np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)),
            facecolor=mixed(_BAR_INK, WHITE, share=0.35),
            linewidth=0,
            antialiased=apart,
            zorder=1,
            gid="confidence",
        ),
        autolim=False,
    )
    for value in (0.0, 0.5, 1.0):
        x = places.bars + places.bar * value
        page.ax.plot(
            [x, x],
            [-places.side, 0.0],
            color=WHITE if value == 0.5 else GREY,
            lw=0.6 * page.scale,
            zorder=2,
        )
        page.ax.text(
            x,
            -places.side - 0.05,
            f"{100 * value:.0f}",
            fontsize=6 * page.scale,
            color=GREY,
            ha="center",
            va="top",
        )
    page.ax.text(
        places.bars + places.bar / 2,
        0.06,
        "confidence",
        fontsize=6.5 * page.scale,
        color=mixed(_BAR_INK, BLACK, share=0.35),
        ha="center",
        va="bottom",
    )


def draw_head(
    page: Page, groups: SharedGroups, places: MatrixPlaces, what: str
) -> None:
    """Write above a matrix what it shows and how far the witnesses agree."""
    live, found = len(places.order), len(places.blocks)
    for height, text, weight, ink in (
        (0.38, f"{_counted(live, what)} in {_counted(found, 'groups')}", "bold", BLACK),
        (0.2, f"agreement {groups.agreement:.2f}{_left_out(groups)}", "normal", GREY),
    ):
        page.ax.text(
            places.left,
            height,
            text,
            fontsize=(8.5 if weight == "bold" else 7.5) * page.scale,
            weight=weight,
            color=ink,
            va="bottom",
        )


def draw_scale(page: Page, consensus: Consensus, left: float, low: float) -> None:
    """Explain the colours below the matrices."""
    ramp = _inked(np.linspace(0, 1, 128)[None, :])
    wide, high = 1.1, 0.1
    top = low + 0.24
    page.ax.imshow(ramp, extent=(left, left + wide, top - high, top), zorder=1)
    page.ax.plot(
        [left, left + wide, left + wide, left, left],
        [top, top, top - high, top - high, top],
        color=GREY,
        lw=0.5 * page.scale,
        zorder=2,
    )
    for value in (0.0, 0.5, 1.0):
        page.ax.text(
            left + wide * value,
            top - high - 0.03,
            f"{100 * value:.0f}",
            fontsize=6 * page.scale,
            color=GREY,
            ha="center",
            va="top",
        )
    networks = _counted(consensus.witness_count, "networks")
    texts = [f"% of {networks} with both in one module"]
    if any(_unknown(groups) for groups in (consensus.inputs, consensus.outputs)):
        texts.append("counted where both are alive; beige: nowhere")
    page.ax.text(
        left + wide + 0.14,
        top - high / 2,
        "\n".join(texts),
        fontsize=7 * page.scale,
        linespacing=1.35,
        color=GREY,
        va="center",
    )


def names_room(names: Sequence[str], label: Int[np.ndarray, " unit"]) -> float:
    """Tell how many inches the names on the left of a matrix need."""
    live = [name for name, group in zip(names, label, strict=True) if group >= 0]
    letters = max(map(len, live), default=0)
    singly = cell_side(len(live)) >= SMALLEST_ROW
    return 0.1 + LETTER * (letters if singly else _GROUP_LETTERS)


def _draw_grid(page: Page, places: MatrixPlaces, count: int) -> None:
    """Draw white lines between the cells."""
    from matplotlib.collections import LineCollection

    at = np.arange(1, count) * places.cell
    start, end = np.zeros(count - 1), np.full(count - 1, places.side)
    across = np.stack([np.stack([at, start], 1), np.stack([at, end], 1)], 1)
    lines = np.concatenate([across, across[..., ::-1]]) * (1, -1) + (places.left, 0)
    page.ax.add_collection(
        LineCollection(
            list(lines), colors=WHITE, linewidths=0.8 * page.scale, zorder=2
        ),
        autolim=False,
    )


def _inked(share: Float[np.ndarray, "row column"]) -> UInt8[np.ndarray, "row column 3"]:
    """Colour shares from pale to dark, unknown ones like paper."""
    stops = ("#f3f6f9", "#a9cbe0", module_colour(0), "#00304d")
    inks = np.array([[int(ink[at : at + 2], 16) for at in (1, 3, 5)] for ink in stops])
    known = np.nan_to_num(share)
    mixed_inks = [np.interp(known, (0, 0.4, 0.8, 1), ink) for ink in inks.T]
    colours = np.stack(mixed_inks, axis=-1).round().astype(np.uint8)
    colours[np.isnan(share)] = [int(_UNKNOWN[at : at + 2], 16) for at in (1, 3, 5)]
    return colours


def _group_name(names: Sequence[str]) -> str:
    """Name a group by its size and the first of its units."""
    return f"{len(names)} units\n{abbreviated(names, room=_GROUP_LETTERS)}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what if count != 1 else what.removesuffix('s')}"


def _unknown(groups: SharedGroups) -> bool:
    """Whether a cell that is drawn has no share."""
    live = groups.label >= 0
    return bool(np.isnan(groups.together[np.ix_(live, live)]).any())


def _left_out(groups: SharedGroups) -> str:
    dead = int((groups.label < 0).sum())
    return f"; {dead} mostly dead left out" if dead else ""
