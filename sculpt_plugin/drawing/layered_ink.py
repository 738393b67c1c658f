"""The ink of the layered picture: outlines, lines, dots and words."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy
from sculpt_plugin.drawing.layout import Outline, UnitPlaces, live_edges
from sculpt_plugin.drawing.naming import abbreviated, shortened
from sculpt_plugin.drawing.page import (
    BLACK,
    GREY,
    LETTER,
    WHITE,
    Page,
    counted,
    write_note,
)
from sculpt_plugin.drawing.palette import (
    mixed,
    module_colour,
    module_stroke,
    recurring,
)

if TYPE_CHECKING:
    import matplotlib.path

_LONGEST = 14  # letters of an input's or output's name
_SMALLEST_DOT = 1.4  # points across; units that have less room are ticks
_MOST_EDGES = 20_000  # more would take long to draw and be no more than a grey sheet
_TICK = 0.05  # inches from the middle of a tick to its end


def draw_outlines(page: Page, outlines: tuple[Outline, ...]) -> None:
    """Draw the outline of each module in its colour, its name beside its units."""
    from matplotlib.collections import PathCollection

    colours = [module_colour(outline.module) for outline in outlines]
    shapes = PathCollection(
        [_rounded(outline.corners, radius=0.09) for outline in outlines],
        facecolors=[mixed(colour, WHITE, share=0.84) for colour in colours],
        edgecolors=colours,
        linewidths=float(np.clip(6 / max(len(outlines), 1) ** 0.5, 0.3, 1.1))
        * page.scale,
        linestyles=[module_stroke(outline.module) for outline in outlines],
        alpha=0.85,
        zorder=1,
    )
    shapes.set_gid("modules")
    page.ax.add_collection(shapes, autolim=False)
    for outline, colour in zip(outlines, colours, strict=True):
        if outline.name_at is not None:
            page.ax.text(
                *outline.name_at,
                f"M{outline.module}",
                color=mixed(colour, BLACK, share=0.6),
                fontsize=(6.5 if outline.upright else 7.5) * page.scale,
                fontweight="bold",
                ha="center",
                va="center",
                rotation=90 if outline.upright else 0,
                zorder=5,
            )


def draw_edges(
    page: Page, graph: LayeredGraph, hierarchy: Hierarchy, places: UnitPlaces
) -> int:
    """Draw the edges between live units: straight, or bent where they jump a layer.

    The more edges run between two layers, the paler and thinner each of them is; of
    very many, only some at even distances are drawn.

    Returns:
        How many edges were left out.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba_array

    label = hierarchy.label
    source, target = live_edges(graph, hierarchy)
    edge_count = len(source)
    if edge_count > _MOST_EDGES:
        some = np.linspace(0, edge_count - 1, _MOST_EDGES).astype(int)
        source, target = source[some], target[some]
    layer = graph.layer_of
    # Edges between modules come first: those inside must be seen through them.
    order = np.argsort(label[source] == label[target], kind="stable")
    source, target = source[order], target[order]
    inside = np.where(label[source] == label[target], label[source], -1)
    jumps = layer[target] > layer[source] + 1
    point = np.stack([places.x, places.y], axis=1)
    _, gap, crowd = np.unique(
        layer[source] * graph.depth + layer[target],
        return_inverse=True,
        return_counts=True,
    )
    strength = 10.0 / np.sqrt(crowd)[gap]
    opacity = np.where(inside >= 0, strength, 0.6 * strength)
    for chosen, bend, name in ((~jumps, 0.0, "edges"), (jumps, 0.3, "skipping edges")):
        if not chosen.any():
            continue
        lines = LineCollection(
            list(_bent(point[source[chosen]], point[target[chosen]], bend=bend)),
            colors=to_rgba_array(
                _inks(inside[chosen]), np.clip(opacity[chosen], 0.02, 0.8)
            ),
            linewidths=(np.clip(strength[chosen], 0.3, 1.1) * page.scale).tolist(),
            zorder=2,
            # Past some thousands, lines in an SVG weigh more than their picture.
            rasterized=len(source) > 5000,
        )
        lines.set_gid(name)
        page.ax.add_collection(lines, autolim=False)
    return edge_count - len(source)


def draw_dots(
    page: Page, graph: LayeredGraph, hierarchy: Hierarchy, places: UnitPlaces
) -> None:
    """Draw each live unit as a dot in its module's colour, in a crowd as a tick."""
    live = np.flatnonzero(hierarchy.label >= 0)
    spacing = 72 * places.spacing[graph.layer_of]
    across = np.minimum(0.62 * spacing, 7.2)
    crowded = across[live] < _SMALLEST_DOT
    _draw_ticks(page, live[crowded], hierarchy, places, spacing * page.scale)
    live = live[~crowded]
    width = across[live] * page.scale
    page.ax.scatter(
        places.x[live],
        places.y[live],
        s=width**2,
        c=_inks(hierarchy.label[live]),
        edgecolors=WHITE,
        linewidths=np.where(width > 4, 0.6 * page.scale, 0.0).tolist(),
        zorder=3,
        gid="units",
    )


def name_room(names: list[str], spacing: float) -> float:
    """Say how much room the names of inputs or outputs need, in inches upwards."""
    upright = _turn(names, spacing) == 90
    longest = min(max(map(len, names), default=0), _LONGEST + 1)
    return 0.25 + (LETTER * longest if upright else 0.15)


def name_ends(
    page: Page,
    units: slice,
    layer: int,
    names: list[str],
    hierarchy: Hierarchy,
    places: UnitPlaces,
) -> None:
    """Write the names of inputs below them, of outputs above."""
    x, label = places.x[units], hierarchy.label[units]
    live = np.flatnonzero(label >= 0)
    down = layer == 0
    y = -0.21 if down else places.height + 0.21
    spacing = float(places.spacing[layer])
    style = {
        "fontsize": 7 * page.scale,
        "ha": "center",
        "va": "top" if down else "bottom",
        "color": GREY,
    }
    turn = _turn(names, spacing)
    if turn is not None:
        for unit in live:
            name = shortened(names[unit], room=_LONGEST)
            page.ax.text(x[unit], y, name, rotation=turn, **style)
        return
    for module in np.unique(label[live]):
        own = live[label[live] == module]
        room = int((np.ptp(x[own]) + 2 * places.padding[layer] + 0.1) / LETTER)
        text = abbreviated([names[unit] for unit in own], room=room)
        if len(text) <= room:
            page.ax.text((x[own].min() + x[own].max()) / 2, y, text, **style)


def layer_texts(graph: LayeredGraph, hierarchy: Hierarchy) -> list[str]:
    """Say of each layer its name and, below it, how many of its units live."""
    live = np.split(hierarchy.label >= 0, np.cumsum(graph.sizes)[:-1])
    return [
        f"{_layer_name(name)}\n"
        + ("" if alive.all() else f"{alive.sum():,} of ")
        + counted(len(alive), "unit")
        for name, alive in zip(graph.names, live, strict=True)
    ]


def name_layers(
    page: Page,
    graph: LayeredGraph,
    hierarchy: Hierarchy,
    places: UnitPlaces,
    *,
    note: float,
    thinned: int,
) -> None:
    """Write each layer's name and live units at its left, what is left out below.

    Args:
        page: Where to write.
        graph: The network.
        hierarchy: Its modules.
        places: Where the units stand.
        note: How high the words below stand.
        thinned: How many edges were left out.
    """
    rows = np.linspace(0.0, places.height, graph.depth)
    for text, y in zip(layer_texts(graph, hierarchy), rows, strict=True):
        page.ax.text(
            -0.2,
            y,
            text,
            fontsize=8 * page.scale,
            color=GREY,
            ha="right",
            va="center",
        )
    dead = int((hierarchy.label < 0).sum())
    nameless = {outline.module for outline in places.outlines}
    nameless -= {outline.module for outline in places.outlines if outline.name_at}
    live = int(hierarchy.label.max(initial=-1)) + 1
    parts = (
        f"{counted(dead, 'dead unit')} left out" * (dead > 0),
        "none is alive" * (not places.outlines),
        f"{counted(len(nameless), 'small module')} not named" * bool(nameless),
        f"{counted(thinned, 'edge')} not drawn, evenly chosen" * (thinned > 0),
        recurring(live),
    )
    write_note(page, (page.ax.get_xlim()[0] + 0.15, note), parts)


def _draw_ticks(
    page: Page,
    units: Int[np.ndarray, " tick"],
    hierarchy: Hierarchy,
    places: UnitPlaces,
    spacing: Float[np.ndarray, " unit"],
) -> None:
    """Draw units as ticks, side by side without gaps: a bar, as long as they are many.

    Dots that small could hardly be seen.
    """
    from matplotlib.collections import LineCollection

    if not len(units):
        return
    middle = np.stack([places.x[units], places.y[units]], axis=1)
    half = np.array([0.0, _TICK])
    ends = np.stack([middle - half, middle + half], axis=1)
    page.ax.add_collection(
        LineCollection(
            list(ends),
            colors=_inks(hierarchy.label[units]),
            linewidths=np.maximum(spacing[units], 0.3).tolist(),
            snap=False,
            zorder=3,
            rasterized=len(units) > 5000,
            gid="crowded units",
        ),
        autolim=False,
    )


def _layer_name(name: str) -> str:
    """Name a layer; in an `nn.Sequential` its name is but a number."""
    plain = shortened(name, room=18)
    return f"layer {plain}" if plain.isdecimal() and len(plain) < 9 else plain


def _turn(names: list[str], spacing: float) -> int | None:
    """Choose how to write names: level, upright, or only as one line a module."""
    longest = min(max(map(len, names), default=0), _LONGEST + 1)
    if longest * LETTER <= spacing:
        return 0
    return 90 if spacing > 0.13 else None


def _inks(modules: Int[np.ndarray, " item"]) -> list[str]:
    """Colour items by module, those of none grey."""
    table = {
        module: module_colour(module) if module >= 0 else "#8c8c8c"
        for module in np.unique(modules).tolist()
    }
    return [table[module] for module in modules.tolist()]


def _bent(
    starts: Float[np.ndarray, "edge 2"],
    ends: Float[np.ndarray, "edge 2"],
    *,
    bend: float,
) -> Float[np.ndarray, "edge point 2"]:
    """Join starts to ends, straight or bulging right by `bend` inches."""
    along = np.linspace(0.0, 1.0, 16 if bend else 2)[None, :, None]
    lines = starts[:, None] * (1 - along) + ends[:, None] * along
    lines[..., 0] += 4 * bend * (along * (1 - along))[..., 0]
    return lines


def _rounded(
    corners: Float[np.ndarray, "corner 2"], *, radius: float
) -> "matplotlib.path.Path":
    """Join corners to a closed path that takes each in a curve."""
    from matplotlib.path import Path

    points, codes = [], []
    for before, corner, after in zip(
        np.roll(corners, 1, axis=0), corners, np.roll(corners, -1, axis=0), strict=True
    ):
        arms = []
        for other in (before, after):
            arm = other - corner
            length = max(float(np.hypot(*arm)), 1e-9)
            arms.append(corner + arm / length * min(radius, length / 2))
        points += [arms[0], corner, arms[1]]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    codes[0] = Path.MOVETO
    return Path([*points, points[0]], [*codes, Path.CLOSEPOLY])
