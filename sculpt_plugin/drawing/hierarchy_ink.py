"""The ink of the hierarchy's picture: arrows and nodes."""

import numpy as np
from jaxtyping import Float

from sculpt_plugin.analysis.hierarchy import TaskModule
from sculpt_plugin.drawing.layout import ModulePlaces
from sculpt_plugin.drawing.naming import abbreviated, shortened
from sculpt_plugin.drawing.page import BLACK, GREY, LETTER, WHITE, Page, counted
from sculpt_plugin.drawing.palette import mixed, module_colour, module_stroke
from sculpt_plugin.drawing.routes import along
from sculpt_plugin.drawing.thinning import Thinned

_MOST_COUNTS = 60


def draw_arrows(
    page: Page,
    part: Thinned,
    places: ModulePlaces,
    routes: Float[np.ndarray, "arrow 3 2"],
) -> None:
    """Draw an arrow from module to module, wide for many edges, its count beside it.

    In a thicket of arrows they get thin and pale, and the counts are left out.
    """
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    edges, numbers = part.hierarchy.edges, part.numbers.tolist()
    most = max(8, *edges.values(), 0)
    thicket = len(edges) > _MOST_COUNTS
    slim = min(1.0, (16 / max(len(edges), 1)) ** 0.5)
    nodes = np.stack([places.x, places.y], axis=1)
    aloof = np.array(places.node) / 2 + 0.06
    written: list[Float[np.ndarray, " 2"]] = []
    for ((start, end), count), route in zip(edges.items(), routes, strict=True):
        source, target = numbers[start], numbers[end]
        width = slim * (0.9 + 2.0 * (count / most) ** 0.5) * page.scale
        page.ax.add_patch(
            FancyArrowPatch(
                path=Path(route, [Path.MOVETO, Path.CURVE3, Path.CURVE3]),
                arrowstyle="-|>",
                mutation_scale=7 * page.scale + 2 * width,
                linewidth=width,
                color=mixed(module_colour(source), WHITE, share=0.25),
                alpha=0.6 if thicket else 1.0,
                zorder=1,
                gid=f"M{source} to M{target}",
            )
        )
        spots = [] if thicket else along(route, np.array([0.3, 0.4, 0.22, 0.5, 0.6]))
        for spot in spots:
            taken = any((abs(spot - other) < (0.25, 0.15)).all() for other in written)
            if not taken and (abs(nodes - spot) > aloof).any(axis=1).all():
                written.append(spot)
                page.ax.text(
                    spot[0],
                    spot[1],
                    str(count),
                    fontsize=6.5 * page.scale,
                    color=GREY,
                    ha="center",
                    va="center",
                    bbox={"boxstyle": "round,pad=0.12", "fc": WHITE, "ec": "none"},
                    zorder=2,
                )
                break


def draw_node(
    page: Page,
    module: TaskModule,
    places: ModulePlaces,
    at: int,
    words: tuple[tuple[str, list[str]], ...],
) -> None:
    """Draw a module as a box that says its number, units, inputs and outputs.

    Args:
        page: Where to draw.
        module: What the box stands for.
        places: Where all boxes stand.
        at: Which of the places is this module's.
        words: The names of its inputs and outputs, each with a word before them.
    """
    from matplotlib.patches import FancyBboxPatch

    colour, (wide, high) = module_colour(module.id), places.node
    left, low = places.x[at] - wide / 2, places.y[at] - high / 2
    page.ax.add_patch(
        FancyBboxPatch(
            (left, low),
            wide,
            high,
            boxstyle="round,pad=0,rounding_size=0.09",
            facecolor=mixed(colour, WHITE, share=0.84),
            edgecolor=colour,
            linewidth=1.2 * page.scale,
            linestyle=module_stroke(module.id),
            zorder=3,
            gid=f"M{module.id}",
        )
    )
    room = int((wide - 0.2) / LETTER)
    lines = [f"{way} {_listed(names, room - 4)}" for way, names in words if names]
    units = counted(module.units, "unit")
    size = 8 * page.scale
    top, ink = low + high - 0.09, mixed(colour, BLACK, share=0.6)
    for x, text, side, weight in (
        (left + 0.1, f"M{module.id}", "left", "bold"),
        (left + wide - 0.1, units, "right", "normal"),
    ):
        page.ax.text(
            x,
            top,
            text,
            fontsize=size,
            ha=side,
            va="top",
            weight=weight,
            color=ink,
            zorder=4,
        )
    page.ax.text(
        left + 0.1,
        top - 0.17,
        "\n".join(lines),
        fontsize=7.5 * page.scale,
        va="top",
        zorder=4,
    )


def _listed(names: list[str], room: int) -> str:
    """List names in the room of a box, the first of them cut if it is too long."""
    text = abbreviated(names, room=room)
    if len(text) <= room:
        return text
    more = f", +{len(names) - 1}" if len(names) > 1 else ""
    return shortened(names[0], room=room - len(more)) + more
