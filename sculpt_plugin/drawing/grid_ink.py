"""The ink of a sweep's picture: cells with their numbers, the steps, and the key."""

from collections.abc import Mapping, Sequence
from math import log
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from sculpt_plugin.drawing.page import BLACK, GREY, LETTER, WHITE, Page
from sculpt_plugin.drawing.palette import mixed, module_colour
from sculpt_plugin.drawing.panels import PanelPlaces

if TYPE_CHECKING:
    from sculpt_plugin.pruning.grid import Run, Sweep

_SPARSE, _PALEST = mixed(module_colour(0), BLACK, share=0.35), 0.93
_SPARSEST, _TYPICAL = module_colour(1), module_colour(4)
_INSET = 0.045  # inches from a cell's edge to the mark of the typical run
_READABLE = (0.28, 0.14)  # inches that a number takes
_KEY_BOX, _SHADES = (0.3, 0.16), 40
_SAID = {
    "sparsest": "sparsest of its seed",
    "typical": "typical, explained",
    "no result": "no result",
}

Spot = Float[np.ndarray, " 2"]


class Shading(NamedTuple):
    """Which density gets which colour: dark is sparse, equal ratios are equal steps.

    Attributes:
        low: The lowest density there is.
        high: The highest.
    """

    low: float
    high: float

    def paleness(self, density: float) -> float:
        """Give how much white to mix in, 0 for the sparsest."""
        if self.high <= self.low:
            return 0.0
        return _PALEST * log(density / self.low) / log(self.high / self.low)

    def colour(self, density: float) -> str:
        """Give the colour of a cell.

        Example:
            >>> Shading(0.02, 0.5).colour(0.02)
            '#004a74'
        """
        return mixed(_SPARSE, WHITE, share=self.paleness(density))

    def ink(self, density: float) -> str:
        """Give the colour that can be read on it."""
        return WHITE if self.paleness(density) < 0.28 else BLACK


def shading_of(sweep: "Sweep") -> Shading:
    """Shade from the sparsest run that has a result to the densest."""
    found = sweep.ranked()
    return Shading(found[0].density, found[-1].density) if found else Shading(1.0, 1.0)


def per_cent(share: float) -> str:
    """Write a density as per cent, in three digits.

    Example:
        >>> per_cent(0.020833), per_cent(0.12), per_cent(1.0)
        ('2.08', '12.0', '100')
    """
    return f"{100 * share:#.3g}".rstrip(".")


def heading(sweep: "Sweep") -> str:
    """Say how many runs have a result, and what they score or where that stands."""
    found = sweep.ranked()
    said = f"{len(found)} of {len(sweep.runs)} runs have a result"
    if not found:
        return said
    if scores_differ(sweep):
        return f"{said}; its score stands below"
    return f"{said}, each with score {found[0].score:.4g}"


def scores_differ(sweep: "Sweep") -> bool:
    """Tell whether there is more than one score among the results."""
    return len({run.score for run in sweep.ranked()}) > 1


def panel_titles(sweep: "Sweep", typical: "Mapping[int, Run]") -> list[tuple[str, str]]:
    """Name the panel of each seed, and say what its marked networks keep."""
    titles = []
    for seed in sweep.seeds:
        said = [f"sparsest: {_kept(run)}" for run in sweep.ranked(seed)[:1]]
        if seed in typical:
            said.append(f"typical: {_kept(typical[seed])}")
        titles.append((f"seed {seed}", "; ".join(said) or "no run has a result"))
    return titles


def draw_cells(
    page: Page, sweep: "Sweep", typical: "Mapping[int, Run]", places: PanelPlaces
) -> None:
    """Draw a cell for each run: density, score where it differs, its marks."""
    shading, cell = shading_of(sweep), np.array(places.cell)
    lines = 1 + scores_differ(sweep)
    corners = _corners(sweep, places)
    best = [run for seed in sweep.seeds for run in sweep.ranked(seed)[:1]]
    bold = [*best, *typical.values()]
    good = [(run, at) for run, at in corners if run.problem is None]
    _draw_boxes(
        page,
        [at for _, at in good],
        places.cell,
        colours=[shading.colour(run.density) for run, _ in good],
        gid="cells",
    )
    failed = [at for run, at in corners if run.problem is not None]
    _draw_failed(page, failed, places.cell)
    _draw_sparsest(page, [at for run, at in corners if run in best], places.cell)
    chosen = [at for run, at in corners if run in typical.values()]
    _draw_typical(page, chosen, places.cell)
    if (cell < (_READABLE[0], _READABLE[1] * lines)).any():
        return
    for run, at in good:
        ink = shading.ink(run.density)
        words = [per_cent(run.density), f"{run.score:.4g}"][:lines]
        x, y = at + cell / 2
        for line, word in enumerate(words):
            page.ax.text(
                x,
                y + 0.13 * ((lines - 1) / 2 - line),
                word,
                fontsize=(5.5 if line else 7) * page.scale,
                fontweight="bold" if run in bold and not line else "normal",
                color=ink,
                ha="center",
                va="center_baseline",
                zorder=4,
            )


def name_panels(
    page: Page, sweep: "Sweep", typical: "Mapping[int, Run]", places: PanelPlaces
) -> None:
    """Write above each panel whose it is, and at its sides the steps."""
    unit_steps, edge_steps = sorted(sweep.unit_steps), sorted(sweep.edge_steps)
    wide, high = places.cell
    top = high * len(edge_steps)
    small = {"color": GREY, "fontsize": 6.5 * page.scale}
    for (left, low), (name, said) in zip(
        places.corner, panel_titles(sweep, typical), strict=True
    ):
        page.ax.text(
            left, low + top + 0.23, name, fontsize=8.5 * page.scale, weight="bold"
        )
        page.ax.text(left, low + top + 0.08, said, fontsize=7 * page.scale, color=GREY)
        for column in range(0, len(unit_steps), _every(wide, least=0.26)):
            x = left + (column + 0.5) * wide
            word = f"{100 * unit_steps[column]:.6g}"
            page.ax.text(x, low - 0.05, word, ha="center", va="top", **small)
        for row in range(0, len(edge_steps), _every(high, least=0.13)):
            y = low + (row + 0.5) * high
            word = f"{100 * edge_steps[row]:.6g}"
            page.ax.text(left - 0.06, y, word, ha="right", va="center", **small)
        middle = (left + wide * len(unit_steps) / 2, low + top / 2)
        page.ax.text(
            middle[0], low - 0.2, "unit step, %", ha="center", va="top", **small
        )
        page.ax.text(
            left - 0.42,
            middle[1],
            "edge step, %",
            rotation=90,
            ha="center",
            va="center",
            **small,
        )


def name_picture(page: Page, sweep: "Sweep", places: PanelPlaces) -> None:
    """Write the title of the whole picture and what its runs have in common."""
    top = places.height
    said = "Edges kept, % of all"
    page.ax.text(0.15, top - 0.3, said, fontsize=10 * page.scale, weight="bold")
    said = heading(sweep)
    page.ax.text(0.15, top - 0.5, said, fontsize=8 * page.scale, color=GREY)


def key_room(sweep: "Sweep", typical: "Mapping[int, Run]") -> float:
    """Measure how many inches the key takes from side to side."""
    found = len(sweep.ranked())
    there = {
        "sparsest": found > 0,
        "typical": bool(typical),
        "no result": found < len(sweep.runs),
    }
    words = [said for what, said in _SAID.items() if there[what]]
    shades = (2.7 if shading_of(sweep).low < shading_of(sweep).high else 1.2) * (
        found > 0
    )
    box = _KEY_BOX[0] + 0.38
    return 0.3 + shades + sum(box + 0.9 * LETTER * len(word) for word in words)


def draw_key(page: Page, sweep: "Sweep", typical: "Mapping[int, Run]") -> None:
    """Say below all panels what colours and marks mean."""
    shading, found = shading_of(sweep), len(sweep.ranked())
    at = np.array([0.15, 0.14])
    if found:
        at = _write(page, at, f"{per_cent(shading.low)} %")
        if shading.low < shading.high:
            wide = 1.2 / _SHADES
            shades = np.geomspace(*shading, _SHADES).tolist()
            _draw_boxes(
                page,
                [_right(at, wide * number) for number in range(_SHADES)],
                (wide, _KEY_BOX[1]),
                colours=[shading.colour(shade) for shade in shades],
                gid="key",
            )
            at = _write(page, _right(at, 1.28), f"{per_cent(shading.high)} %")
        else:
            _draw_boxes(
                page, [at], _KEY_BOX, colours=[shading.colour(shading.low)], gid="key"
            )
            at = _right(at, _KEY_BOX[0])
        at = _right(at, 0.2)
        _draw_sparsest(page, [at], _KEY_BOX)
        at = _write(page, _right(at, _KEY_BOX[0] + 0.1), _SAID["sparsest"])
        at = _right(at, 0.2)
        if typical:
            _draw_typical(page, [at], _KEY_BOX)
            at = _write(page, _right(at, _KEY_BOX[0] + 0.1), _SAID["typical"])
            at = _right(at, 0.2)
    if found < len(sweep.runs):
        _draw_failed(page, [at], _KEY_BOX)
        _write(page, _right(at, _KEY_BOX[0] + 0.1), _SAID["no result"])


def _corners(sweep: "Sweep", places: PanelPlaces) -> "list[tuple[Run, Spot]]":
    """Say where the cell of each run has its lower left corner."""
    panel = {seed: number for number, seed in enumerate(sweep.seeds)}
    column = {step: number for number, step in enumerate(sorted(sweep.unit_steps))}
    row = {step: number for number, step in enumerate(sorted(sweep.edge_steps))}
    return [
        (
            run,
            places.corner[panel[run.seed]]
            + np.array([column[run.unit_step], row[run.edge_step]]) * places.cell,
        )
        for run in sweep.runs
    ]


def _kept(run: "Run") -> str:
    """Say how many edges a run keeps."""
    return f"{run.network.edge_count} edges, {per_cent(run.density)} %"


def _every(room: float, *, least: float) -> int:
    """Say which cells can be named where each name takes some room."""
    return max(1, int(np.ceil(least / room - 1e-9)))


def _draw_boxes(
    page: Page,
    corners: Sequence[Spot],
    size: tuple[float, float],
    *,
    colours: Sequence[str],
    gid: str,
) -> None:
    """Draw boxes side by side, one colour each."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    boxes = PatchCollection(
        [Rectangle((x, y), *size) for x, y in corners],
        facecolors=colours,
        edgecolors=colours if gid == "key" else WHITE,
        linewidths=0.8 * page.scale,
        zorder=1,
    )
    boxes.set_gid(gid)
    page.ax.add_collection(boxes, autolim=False)


def _draw_failed(
    page: Page, corners: Sequence[Spot], size: tuple[float, float]
) -> None:
    """Draw boxes of runs without a result, hatched."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    boxes = PatchCollection(
        [Rectangle((x, y), *size) for x, y in corners],
        facecolors="#f1f1f1",
        edgecolors="#b5b5b5",
        linewidths=0.4 * page.scale,
        hatch="////",
        zorder=1,
    )
    boxes.set_gid("no result")
    page.ax.add_collection(boxes, autolim=False)


def _draw_sparsest(
    page: Page, corners: Sequence[Spot], size: tuple[float, float]
) -> None:
    """Draw an outline round the cells of the sparsest runs."""
    _draw_marks(
        page, corners, size, colour=_SPARSEST, width=2.2, stroke="solid", gid="sparsest"
    )


def _draw_typical(
    page: Page, corners: Sequence[Spot], size: tuple[float, float]
) -> None:
    """Draw a dashed outline within the cells of the typical runs."""
    inset = min(_INSET, 0.2 * min(size))
    inner = (size[0] - 2 * inset, size[1] - 2 * inset)
    corners = [corner + inset for corner in corners]
    _draw_marks(
        page, corners, inner, colour=_TYPICAL, width=1.8, stroke="dashed", gid="typical"
    )


def _draw_marks(
    page: Page,
    corners: Sequence[Spot],
    size: tuple[float, float],
    *,
    colour: str,
    width: float,
    stroke: str,
    gid: str,
) -> None:
    """Draw outlines of one kind."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    marks = PatchCollection(
        [Rectangle((x, y), *size) for x, y in corners],
        facecolors="none",
        edgecolors=colour,
        linewidths=width * page.scale,
        linestyles=stroke,
        zorder=3,
    )
    marks.set_gid(gid)
    page.ax.add_collection(marks, autolim=False)


def _write(page: Page, at: Spot, word: str) -> Spot:
    """Write a word beside a box of the key; give where the next thing goes."""
    x, y = at
    page.ax.text(
        x,
        y + _KEY_BOX[1] / 2,
        word,
        va="center_baseline",
        fontsize=7 * page.scale,
        color=GREY,
    )
    return _right(at, LETTER * 0.9 * len(word) + 0.08)


def _right(at: Spot, by: float) -> Spot:
    """Give a place to the right of another."""
    return at + np.array([by, 0.0])
