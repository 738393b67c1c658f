"""Where units and modules go in a picture: places in inches, no ink."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy
from sculpt_plugin.drawing.rows import rank_in_row, settle
from sculpt_plugin.errors import GraphError

_NARROWEST, _WIDEST = 1.2, 14.0
_UNIT_ROOM = 0.34  # from one unit to the next, where there is room
_PADDING, _GAP = 0.15, 0.16  # from a unit to its outline, between outlines
_LEVEL, _UPRIGHT = 0.3, 0.15  # room for the name of a module
_NAMES_SHARE = 0.4  # how much of the width the names may take
_NODE_WIDTH, _NODE_HEIGHT, _NODE_GAP = 1.6, 0.58, 0.2
_NODES_IN_A_ROW = 8


@dataclass(frozen=True, eq=False)
class Outline:
    """The shape round a module's units in successive layers.

    Attributes:
        module: Whose units it holds.
        corners: Its corners, counter-clockwise from the bottom left.
        name_at: Middle of the place for the module's name, left of its lowest units;
            None where there was no room for it.
        upright: Whether the name must stand upright to fit.
    """

    module: int
    corners: Float[np.ndarray, "corner 2"]
    name_at: tuple[float, float] | None
    upright: bool


@dataclass(frozen=True, eq=False)
class UnitPlaces:
    """Places for all live units and the outlines of their modules, in inches.

    Attributes:
        x: Across, from 0 to `width`; nan for a dead unit.
        y: Upwards, 0 for the inputs.
        spacing: Per layer, from one unit of a module to the next; those of different
            modules are at least that far apart.
        padding: Per layer, from the last unit of a module to its outline.
        outlines: The outlines, from the inputs up.
        width: Room taken across.
        height: Height of the last layer.
    """

    x: Float[np.ndarray, " unit"]
    y: Float[np.ndarray, " unit"]
    spacing: Float[np.ndarray, " layer"]
    padding: Float[np.ndarray, " layer"]
    outlines: tuple[Outline, ...]
    width: float
    height: float


@dataclass(frozen=True, eq=False)
class ModulePlaces:
    """Places for the nodes of a hierarchy, in inches.

    Attributes:
        x: Middle of each module's node, across.
        y: Middle of each module's node, upwards; 0 for the lowest.
        node: Width and height of a node.
        width: Room taken across, nodes included.
        height: Room taken upwards, nodes included.
    """

    x: Float[np.ndarray, " module"]
    y: Float[np.ndarray, " module"]
    node: tuple[float, float]
    width: float
    height: float


@dataclass(frozen=True, eq=False)
class _Blocks:
    """The units that a module has in a layer are one block; blocks stand in rows."""

    row: Int[np.ndarray, " block"]
    module: Int[np.ndarray, " block"]
    size: Int[np.ndarray, " block"]
    of_unit: Int[np.ndarray, " unit"]


def place_units(graph: LayeredGraph, hierarchy: Hierarchy) -> UnitPlaces:
    """Place the live units of a network in rows, each module side by side.

    The inputs are the lowest row. The modules of a row stand in the order that keeps
    edges short, and so crossings few: each is drawn to the mean place of what it is
    linked to, up and down through the layers, and the shortest picture wins. Rows
    get wider with the units in them, but ever more slowly, so that a layer of 800
    units still fits on a page.

    Args:
        graph: The network.
        hierarchy: Its modules.

    Returns:
        The places. Equal input gives equal places.

    Raises:
        GraphError: `hierarchy` is not about the units of `graph`.

    Example:
        >>> graph = LayeredGraph.from_edges((2, 1), [(0, 2), (1, 2)])
        >>> one = Hierarchy(modules=(), label=np.zeros(3, int), edges={})
        >>> place_units(graph, one).y
        array([0. , 0. , 0.9])
    """
    layer = graph.layer_of
    if len(hierarchy.label) != len(layer):
        raise GraphError(
            f"hierarchy must label each of the graph's {len(layer)} units, it labels "
            f"{len(hierarchy.label)}: pass the graph that it was detected in."
        )
    blocks = _blocks(layer, hierarchy.label)
    name_room = _name_room(blocks, graph.depth)
    width, spacing, squeeze = _room(blocks, name_room, graph.depth)
    padding = np.minimum(_PADDING * squeeze, np.maximum(0.6 * spacing, 0.06))
    half = (blocks.size - 1) * spacing[blocks.row] / 2
    pad = padding[blocks.row]
    # A block stands where the middle of its units is, names or not.
    reach = np.stack([half + pad + name_room, half + pad], axis=1)
    source, target = live_edges(graph, hierarchy)
    links, weight = _links(blocks.of_unit[source], blocks.of_unit[target])
    weight = np.where(
        blocks.module[links[0]] == blocks.module[links[1]], 3 * weight, weight
    )
    room = reach + _GAP / 2 * squeeze[blocks.row, None]
    middle = settle(blocks.row, room, links=links, weight=weight, width=width)
    x = _order_units(graph, blocks, middle - half, spacing, source, target)
    pitch = float(np.clip(0.11 * width, 0.9, 1.6))
    if graph.depth > 1:
        pitch = max(min(pitch, 14.0 / (graph.depth - 1)), 0.5)
    return UnitPlaces(
        x=x,
        y=layer * pitch,
        spacing=spacing,
        padding=padding,
        outlines=_outlines(blocks, middle, reach, name_room, pitch),
        width=width,
        height=pitch * (graph.depth - 1),
    )


def live_edges(
    graph: LayeredGraph, hierarchy: Hierarchy
) -> tuple[Int[np.ndarray, " edge"], Int[np.ndarray, " edge"]]:
    """List the edges between live units, which are those that a picture shows.

    Args:
        graph: The network.
        hierarchy: Its modules; a unit without one is dead.

    Returns:
        The unit at which each edge begins and the one at which it ends.

    Example:
        >>> graph = LayeredGraph.from_edges((2, 1), [(0, 2), (1, 2)])
        >>> source, target = live_edges(graph, Hierarchy((), np.array([0, -1, 0]), {}))
        >>> source, target
        (array([0]), array([2]))
    """
    source, target = graph.adjacency.nonzero()
    live = (hierarchy.label[source] >= 0) & (hierarchy.label[target] >= 0)
    return source[live].astype(int), target[live].astype(int)


def place_modules(hierarchy: Hierarchy) -> ModulePlaces:
    """Place the modules of a hierarchy in rows by level, the input modules lowest.

    A level of many modules is dealt to several rows, staggered so that arrows pass
    between the nodes.

    Args:
        hierarchy: The modules and which feeds which.

    Returns:
        The places. No two nodes overlap.

    Example:
        >>> from sculpt_plugin.analysis.hierarchy import TaskModule
        >>> def module(number, level):
        ...     return TaskModule(number, level, (level,), 1, (), (), (), True, 0.0)
        >>> pair = (module(0, 0), module(1, 1))
        >>> place_modules(Hierarchy(pair, np.array([0, 1]), {(0, 1): 1})).y
        array([0.  , 1.41])
    """
    node = (_NODE_WIDTH, _NODE_HEIGHT)
    level = np.array([module.level for module in hierarchy.modules], dtype=int)
    if not len(level):
        return ModulePlaces(np.zeros(0), np.zeros(0), node, *node)
    _, level, crowd = np.unique(level, return_inverse=True, return_counts=True)
    rows = -(-crowd // _NODES_IN_A_ROW)
    extent = ((_NODE_WIDTH + _NODE_GAP) / rows)[level]
    reach = np.stack([extent, extent], axis=1) / 2
    width = max(float(np.bincount(level, extent).max()), _NODE_WIDTH + _NODE_GAP)
    # Dealt to rows, the outermost nodes reach beyond their slices of the level.
    overhang = float((_NODE_WIDTH + _NODE_GAP - extent).max()) / 2
    links = np.array(list(hierarchy.edges), dtype=int).reshape(-1, 2).T
    weight = np.sqrt(np.array(list(hierarchy.edges.values()), dtype=float))
    x = settle(level, reach, links=links, weight=weight, width=width) + overhang
    rank = rank_in_row(level, x)
    tier = rank % rows[level]
    base = np.cumsum(
        np.concatenate([[0.0], (rows[:-1] - 1) * (_NODE_HEIGHT + 0.24) + 1.41])
    )
    y = base[level] + tier * (_NODE_HEIGHT + 0.24)
    return ModulePlaces(
        x=x,
        y=y,
        node=node,
        width=width + 2 * overhang,
        height=float(y.max()) + _NODE_HEIGHT,
    )


def _blocks(
    layer: Int[np.ndarray, " unit"], label: Int[np.ndarray, " unit"]
) -> _Blocks:
    """Join the live units of each layer that share a module, in order of appearance."""
    live = np.flatnonzero(label >= 0)
    key = layer[live] * (int(label.max(initial=0)) + 1) + label[live]
    _, appears, inverse = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(appears)
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    of_unit = np.full(len(layer), -1)
    of_unit[live] = number[inverse]
    head = live[appears[order]]
    return _Blocks(layer[head], label[head], np.bincount(number[inverse]), of_unit)


def _links(
    source: Int[np.ndarray, " edge"], target: Int[np.ndarray, " edge"]
) -> tuple[Int[np.ndarray, "2 link"], Float[np.ndarray, " link"]]:
    """Count the edges between each pair of blocks."""
    stride = int(target.max(initial=0)) + 1
    key, count = np.unique(source * stride + target, return_counts=True)
    return np.stack([key // stride, key % stride]), count.astype(float)


def _name_room(blocks: _Blocks, layers: int) -> Float[np.ndarray, " block"]:
    """Share out room for names, which stand where an outline begins.

    They lie level, stand upright where a layer has many, and the smallest modules go
    without where even that takes too much of the picture.
    """
    places = set(zip(blocks.module.tolist(), blocks.row.tolist(), strict=True))
    begins = np.array(
        [
            (module, row - 1) not in places
            for module, row in zip(blocks.module, blocks.row, strict=True)
        ],
        dtype=bool,
    )
    units = np.bincount(blocks.module, blocks.size)[blocks.module]
    smallest = 0
    for row in range(layers):
        sizes = -np.sort(-units[begins & (blocks.row == row)])
        most = int(_NAMES_SHARE * _WIDEST / _UPRIGHT)
        if len(sizes) > most:
            smallest = max(smallest, int(sizes[most]) + 1)
    named = begins & (units >= smallest)
    level = np.bincount(blocks.row, named, minlength=layers) * _LEVEL
    room = np.where(level <= _NAMES_SHARE * _WIDEST, _LEVEL, _UPRIGHT)
    return np.where(named, room[blocks.row], 0.0)


def _room(
    blocks: _Blocks, name_room: Float[np.ndarray, " block"], layers: int
) -> tuple[float, Float[np.ndarray, " layer"], Float[np.ndarray, " layer"]]:
    """Share out the width: of the picture, between units, and round boxes."""
    units = np.bincount(blocks.row, blocks.size, minlength=layers)
    boxes = np.bincount(blocks.row, minlength=layers)
    names = np.bincount(blocks.row, name_room, minlength=layers)
    around = boxes * (2 * _PADDING + _GAP)
    ideal = _UNIT_ROOM / np.sqrt(1 + units / 40)
    between = np.maximum(units - boxes, 0)
    need = between * ideal + around + names
    width = float(np.clip(need.max(), _NARROWEST, _WIDEST))
    left = width - names
    # Round boxes goes what units in boxes cannot use, and six tenths at least.
    spare = np.maximum(0.6 * left, left - between * _UNIT_ROOM)
    squeeze = np.minimum(1.0, spare / np.maximum(around, 1e-9))
    share = (left - around * squeeze) / np.maximum(between, 1)
    spacing = np.where(between > 0, np.minimum(_UNIT_ROOM, share), _UNIT_ROOM)
    # Units that squeezed boxes keep apart are no farther apart than those in one.
    return width, np.minimum(spacing, (2 * _PADDING + _GAP) * squeeze), squeeze


def _order_units(
    graph: LayeredGraph,
    blocks: _Blocks,
    first: Float[np.ndarray, " block"],
    spacing: Float[np.ndarray, " layer"],
    source: Int[np.ndarray, " edge"],
    target: Int[np.ndarray, " edge"],
) -> Float[np.ndarray, " unit"]:
    """Place units inside their blocks: ends in their own order, the rest by edges."""
    layer = graph.layer_of
    live = np.flatnonzero(blocks.of_unit >= 0)
    of_unit, layer = blocks.of_unit[live], layer[live]
    hidden = (layer > 0) & (layer < graph.depth - 1)
    x = np.full(len(blocks.of_unit), np.nan)
    wish = np.arange(len(live), dtype=float)
    ends = np.concatenate([source, target]), np.concatenate([target, source])
    degree = np.bincount(ends[0], minlength=len(x))[live]
    for _ in range(5):
        rank = rank_in_row(of_unit, wish)
        x[live] = first[of_unit] + rank * spacing[layer]
        drawn = np.bincount(ends[0], x[ends[1]], minlength=len(x))[live]
        mean = np.where(degree > 0, drawn / np.maximum(degree, 1), x[live])
        wish = np.where(hidden, mean, wish)
    return x


def _outlines(
    blocks: _Blocks,
    middle: Float[np.ndarray, " block"],
    reach: Float[np.ndarray, "block 2"],
    name_room: Float[np.ndarray, " block"],
    pitch: float,
) -> tuple[Outline, ...]:
    """Draw one outline round the blocks a module has in successive rows."""
    half = min(_PADDING, 0.3 * pitch)
    runs: list[list[int]] = []
    for block in np.lexsort((blocks.row, blocks.module)).tolist():
        last = runs[-1][-1] if runs else -1
        joins = (
            runs
            and blocks.module[last] == blocks.module[block]
            and blocks.row[last] + 1 == blocks.row[block]
        )
        if joins:
            runs[-1].append(block)
        else:
            runs.append([block])
    outlines = []
    for run in runs:
        left, right = middle[run] - reach[run, 0], middle[run] + reach[run, 1]
        y = blocks.row[run] * pitch
        rise = np.stack([y - half, y + half], axis=1).ravel()
        up = np.stack([np.repeat(right, 2), rise], axis=1)
        down = np.stack([np.repeat(left, 2), rise], axis=1)[::-1]
        corners = np.concatenate([down[-1:], up, down[:-1]])
        room = float(name_room[run[0]])
        name_at = (float(left[0]) + 0.04 + room / 2, float(y[0])) if room else None
        module = int(blocks.module[run[0]])
        outlines.append(Outline(module, corners, name_at, upright=room == _UPRIGHT))
    return tuple(outlines)
