"""Pictures of finished results: layers, hierarchy, pixels, curve and grid of a sweep.

Needs matplotlib (`pip install "sculpt_plugin[plot]"`), which is imported by the first
picture and not before. The figures are matplotlib objects of their own: pyplot, its
backend and its settings are never touched, so no display is needed either. That is why
`pyplot.show()` knows nothing of them: `save(ax, "layers.png")` writes a figure to a
file, and one to be shown is opened before and its axes are passed,
`_, ax = pyplot.subplots()` and `layered(graph, hierarchy, ax=ax)`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from sculpt_plugin.analysis.consensus import Consensus
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy
from sculpt_plugin.drawing.comodules_ink import (
    HEAD,
    SCALE,
    draw_blocks,
    draw_confidence,
    draw_head,
    draw_matrix,
    draw_names,
    draw_scale,
    names_room,
)
from sculpt_plugin.drawing.comodules_layout import place_matrices
from sculpt_plugin.drawing.curve_ink import (
    draw_density,
    draw_score,
    open_scales,
    shade_stages,
)
from sculpt_plugin.drawing.grid_ink import (
    draw_cells,
    draw_key,
    heading,
    key_room,
    name_panels,
    name_picture,
    panel_titles,
    scores_differ,
)
from sculpt_plugin.drawing.hierarchy_ink import draw_arrows, draw_node
from sculpt_plugin.drawing.layered_ink import (
    draw_dots,
    draw_edges,
    draw_outlines,
    layer_texts,
    name_ends,
    name_layers,
    name_room,
)
from sculpt_plugin.drawing.layout import place_modules, place_units
from sculpt_plugin.drawing.naming import end_names
from sculpt_plugin.drawing.page import (
    LETTER,
    check_installed,
    clean_style,
    open_page,
    write_note,
)
from sculpt_plugin.drawing.palette import recurring
from sculpt_plugin.drawing.panels import place_panels
from sculpt_plugin.drawing.pixels import pixels
from sculpt_plugin.drawing.routes import room_for, route_arrows
from sculpt_plugin.drawing.saving import save
from sculpt_plugin.drawing.thinning import thinned
from sculpt_plugin.errors import DataError

if TYPE_CHECKING:
    import matplotlib.axes

    from sculpt_plugin.pruning.grid import Run, Sweep
    from sculpt_plugin.pruning.record import Step

__all__ = [
    "check_installed",
    "comodules",
    "curve",
    "grid",
    "hierarchy",
    "layered",
    "pixels",
    "save",
]


def layered(
    graph: LayeredGraph,
    hierarchy: Hierarchy,
    *,
    ax: "matplotlib.axes.Axes | None" = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
) -> "matplotlib.axes.Axes":
    r"""Draw a network layer by layer, each module in an outline of its colour.

    This is the picture of the paper: inputs at the bottom, units as dots, edges as
    lines, dead units left out. Edges inside a module have its colour, edges between
    modules are grey, edges that jump a layer are bent. Units that are too many for
    dots make a bar, and of more than 20,000 edges only as many are drawn; a note says
    what was left out.

    Args:
        graph: The network.
        hierarchy: Its modules.
        ax: Where to draw; without it, on a new figure of fitting size.
        input_names: A name for each input, `x0`, `x1`, ... without it.
        output_names: A name for each output, `y0`, `y1`, ... without it.

    Returns:
        The axes drawn on.

    Raises:
        GraphError: `hierarchy` is not about the units of `graph`.
        DataError: There are fewer names than inputs or outputs.
        PlotError: matplotlib is not installed.

    Example:
        >>> graph = LayeredGraph.from_edges((1, 1), [(0, 1)], names=("inputs", "out"))
        >>> ax = layered(graph, Hierarchy((), np.array([0, 0]), {}))
        >>> [text.get_text() for text in ax.texts]
        ['M0', 'x0', 'y0', 'inputs\n1 unit', 'out\n1 unit']

    Reference:
        Patil, Michael and Dovrolis, "Neural Sculpting", NeurIPS 2023,
        https://arxiv.org/abs/2305.18402
    """
    places = place_units(graph, hierarchy)
    first, last = graph.units(0), graph.units(graph.depth - 1)
    inputs = end_names(
        graph.channel[first], input_names, letter="x", argument="input_names"
    )
    outputs = end_names(
        graph.channel[last], output_names, letter="y", argument="output_names"
    )
    texts = "\n".join(layer_texts(graph, hierarchy)).splitlines()
    margin = 0.3 + LETTER * max(map(len, texts))
    low = -0.2 - name_room(inputs, places.spacing[0])
    high = places.height + 0.2 + name_room(outputs, places.spacing[-1])
    with clean_style():
        page = open_page(ax, across=(-margin, places.width + 0.1), up=(low - 0.2, high))
        draw_outlines(page, places.outlines)
        thinned_out = draw_edges(page, graph, hierarchy, places)
        draw_dots(page, graph, hierarchy, places)
        name_ends(page, first, 0, inputs, hierarchy, places)
        if last != first:
            name_ends(page, last, graph.depth - 1, outputs, hierarchy, places)
        name_layers(page, graph, hierarchy, places, note=low, thinned=thinned_out)
    return page.ax


def hierarchy(
    hierarchy: Hierarchy,
    *,
    ax: "matplotlib.axes.Axes | None" = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
) -> "matplotlib.axes.Axes":
    r"""Draw the modules as nodes by level and arrows where one feeds another.

    Each node says the module's number, its units, the inputs that reach it and the
    outputs it reaches. Arrows are wide where many edges run.

    Args:
        hierarchy: The modules and which feeds which.
        ax: Where to draw; without it, on a new figure of fitting size.
        input_names: A name for each input, `x0`, `x1`, ... without it.
        output_names: A name for each output, `y0`, `y1`, ... without it.

    Returns:
        The axes drawn on.

    Raises:
        DataError: There are fewer names than inputs or outputs.
        PlotError: matplotlib is not installed.

    Example:
        >>> from sculpt_plugin.analysis.hierarchy import TaskModule
        >>> module = TaskModule(0, 0, (0, 1), 5, (0, 1, 2, 3), (0,), (), True, 0.5)
        >>> ax = hierarchy(Hierarchy((module,), np.zeros(5, int), {}))
        >>> [text.get_text() for text in ax.texts]
        ['M0', '5 units', 'in x0-x3\nout y0']
    """
    modules = hierarchy.modules
    inputs = _every([module.inputs for module in modules])
    outputs = _every([module.outputs for module in modules])
    input_name = end_names(inputs, input_names, letter="x", argument="input_names")
    output_name = end_names(outputs, output_names, letter="y", argument="output_names")
    called = dict(zip(inputs.tolist(), input_name, strict=True))
    calls = dict(zip(outputs.tolist(), output_name, strict=True))
    part = thinned(hierarchy)
    places = place_modules(part.hierarchy)
    routes = route_arrows(part.hierarchy, places)
    left, right, bottom, top = room_for(places, routes)
    notes = (
        *part.left_out,
        recurring(len(modules)),
        "there are no modules" * (not modules),
    )
    foot = 0.25 * any(notes)
    with clean_style():
        page = open_page(ax, across=(left, right), up=(bottom - foot, top))
        draw_arrows(page, part, places, routes)
        for at, number in enumerate(part.numbers.tolist()):
            words = (
                ("in", [called[number] for number in modules[number].inputs]),
                ("out", [calls[number] for number in modules[number].outputs]),
            )
            draw_node(page, modules[number], places, at, words)
        write_note(page, (left + 0.15, bottom - foot / 2 + 0.05), notes)
    return page.ax


def comodules(
    consensus: Consensus,
    *,
    ax: "matplotlib.axes.Axes | None" = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
) -> "matplotlib.axes.Axes":
    """Draw how often two inputs, and two outputs, share a module in several networks.

    A dark cell stands for two units that nearly all networks put into one module, a
    pale one for two that hardly any does. Rows are ordered by the groups that most
    networks stand for, which are outlined; a bar beside each row is as long as the
    networks bear out the unit's group. Units that most networks do without are left
    out.

    Args:
        consensus: What several networks of one task say together.
        ax: Where to draw; without it, on a new figure of fitting size.
        input_names: A name for each input, `x0`, `x1`, ... without it.
        output_names: A name for each output, `y0`, `y1`, ... without it.

    Returns:
        The axes drawn on.

    Raises:
        DataError: There are fewer names than inputs or outputs.
        PlotError: matplotlib is not installed.

    Example:
        >>> from sculpt_plugin.analysis.consensus import consensus
        >>> graph = LayeredGraph.from_edges((1, 1), [(0, 1)])
        >>> ax = comodules(consensus([(graph, Hierarchy((), np.array([0, 0]), {}))]))
        >>> [text.get_text() for text in ax.texts][:2]
        ['1 input in 1 group', 'agreement 1.00']
    """
    ends = (
        ("inputs", consensus.inputs, input_names),
        ("outputs", consensus.outputs, output_names),
    )
    names = [
        end_names(
            groups.channel, given, letter="xy"[end], argument=f"{what[:-1]}_names"
        )
        for end, (what, groups, given) in enumerate(ends)
    ]
    rooms = [
        names_room(called, groups.label)
        for called, (_, groups, _) in zip(names, ends, strict=True)
    ]
    places = place_matrices([groups for _, groups, _ in ends], rooms)
    low = -max(place.side for place in places) - SCALE
    with clean_style():
        page = open_page(ax, across=(0.0, places[-1].right + 0.15), up=(low, HEAD))
        for (what, groups, _), called, place in zip(ends, names, places, strict=True):
            draw_head(page, groups, place, what)
            draw_matrix(page, groups, place)
            draw_blocks(page, place)
            draw_names(page, called, place)
            draw_confidence(page, groups, place)
        draw_scale(page, consensus, places[0].left, low)
    return page.ax


def curve(
    steps: "Sequence[Step]",
    *,
    ax: "matplotlib.axes.Axes | None" = None,
    threshold: float | None = None,
) -> "matplotlib.axes.Axes":
    """Draw how the score held while the density fell, turn by turn.

    Filled dots are accepted turns, crosses the rejected ones whose removal was taken
    back. The density, on a logarithmic scale at the right, counts accepted turns only.

    Args:
        steps: The record of a sculpting run, in order.
        ax: Where to draw; without it, on a new figure.
        threshold: The score to hold, drawn as a line.

    Returns:
        The axes of the score.

    Raises:
        DataError: `steps` is empty.
        PlotError: matplotlib is not installed.
    """
    if not len(steps):
        raise DataError(
            "steps must hold at least one turn to draw a curve, it is empty: pass "
            "the record of a run that has begun."
        )
    with clean_style():
        scales = open_scales(ax)
        shade_stages(scales, [step.stage for step in steps])
        draw_density(scales, steps)
        draw_score(scales, steps, threshold)
        scales.score.set_xlim(-0.5, len(steps) - 0.5)
    return scales.score


def grid(
    sweep: "Sweep",
    *,
    typical: "Mapping[int, Run] | None" = None,
    ax: "matplotlib.axes.Axes | None" = None,
) -> "matplotlib.axes.Axes":
    """Draw what every run of a sweep kept, a panel for each seed.

    A cell is a pair of steps: the dark ones are sparse, the number is the density in
    per cent. Below it stands the score, unless it is the same in all cells. The
    sparsest run of each seed has a solid outline; the typical one, which is the one to
    look at, a dashed outline within. Runs without a result are hatched.

    Args:
        sweep: The finished sweep.
        typical: The run of each seed that is explained, as `SweepFinished.typical` has
            it; without it only the sparsest are outlined.
        ax: Where to draw; without it, on a new figure of fitting size.

    Returns:
        The axes drawn on.

    Raises:
        DataError: The sweep holds no run, or a typical run is not of the sweep.
        PlotError: matplotlib is not installed.
    """
    typical = {} if typical is None else typical
    if not sweep.runs:
        raise DataError(
            "sweep must hold at least one run to draw its grid, it is empty: pass a "
            "sweep that has ended."
        )
    for seed, run in typical.items():
        if run.seed != seed or run not in sweep.runs:
            raise DataError(
                f"typical must hold runs of the sweep by their seed, the one of {seed} "
                "is not: pass the sweep that it was chosen from."
            )
    said = [max(map(len, words)) for words in panel_titles(sweep, typical)]
    places = place_panels(
        len(sweep.seeds),
        columns=len(sweep.unit_steps),
        rows=len(sweep.edge_steps),
        lines=1 + scores_differ(sweep),
        title=0.9 * LETTER * max(said),
        head=max(LETTER * len(heading(sweep)) + 0.3, key_room(sweep, typical)),
    )
    with clean_style():
        page = open_page(ax, across=(0.0, places.width), up=(0.0, places.height))
        draw_cells(page, sweep, typical, places)
        name_panels(page, sweep, typical, places)
        name_picture(page, sweep, places)
        draw_key(page, sweep, typical)
    return page.ax


def _every(numbers: list[tuple[int, ...]]) -> Int[np.ndarray, " unit"]:
    """Join tuples of numbers to one sorted array without repetitions."""
    return np.array(sorted(set().union(*numbers)), dtype=int)
