"""The modules of a network as a tree for the terminal, level by level."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy, TaskModule
from sculpt_plugin.drawing.naming import abbreviated, shortened
from sculpt_plugin.drawing.palette import module_colour

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.tree import Tree

_MOST_MODULES, _MOST_OF_LEVEL, _MOST_LEVELS = 60, 20, 12
_LIST_ROOM, _NAME_ROOM, _MOST_LAYERS = 22, 14, 4
_GAP = 2
# What rich puts before a module: two guides.
_INDENT = 8


@dataclass(frozen=True, eq=False)
class ModuleTree:
    """The modules of a network, to be printed with rich.

    One line for each module where there is room for it, else two or more. Of a level
    with many modules the largest are shown, and how many are left out is said.

    Attributes:
        graph: The network.
        hierarchy: Its modules.

    Example:
        >>> from rich.console import Console
        >>> from sculpt_plugin.analysis.modules import detect
        >>> graph = LayeredGraph.from_edges((2, 2), [(0, 2), (1, 3)])
        >>> Console(width=75).print(ModuleTree(graph, detect(graph)))
        2 modules, none of which feeds another
        └── level 0, 2 modules
            ├── M0  2 units in inputs, layer 1  x0 → y0  input-separable
            └── M1  2 units in inputs, layer 1  x1 → y1  input-separable
        x → y: inputs that reach the module, outputs that it reaches
        input-separable: shares no input with another module of its level
    """

    graph: LayeredGraph
    hierarchy: Hierarchy

    def __rich_console__(
        self, console: "Console", options: "ConsoleOptions"
    ) -> "RenderResult":
        """Give the tree in the width and the characters that the terminal has."""
        from rich.text import Text
        from rich.tree import Tree

        tree = Tree(Text(_headline(self.hierarchy), "bold"), guide_style="dim")
        levels = _levels(self.hierarchy)
        shown = _ends(levels, _MOST_LEVELS)
        most = min(_MOST_OF_LEVEL, _MOST_MODULES // len(shown))
        alone = len(self.hierarchy.modules) == 1
        rows = {
            module.id: _cells(
                self.graph, module, alone=alone, ascii_only=options.ascii_only
            )
            for level in shown
            if level is not None
            for module in _largest(level, most)
        }
        widths = [
            max((len(row[place]) for row in rows.values()), default=0)
            for place in range(5)
        ]
        swatch = _swatch(console, options)
        room = options.max_width - _INDENT - len(swatch)
        fits = sum(width + _GAP for width in widths if width) - _GAP <= room
        for level in shown:
            if level is None:
                hidden = levels[_MOST_LEVELS - 1 : -1]
                count = sum(len(level) for level in hidden)
                text = f"{len(hidden):,} more levels with {count:,} modules"
                tree.add(Text(text, "dim"))
                continue
            branch = tree if alone else tree.add(Text(_level_line(level, most), "dim"))
            for module in _largest(level, most):
                cells = rows[module.id]
                lines = _aligned(cells, widths) if fits else _stacked(cells)
                # Assembled: names come from files, and nothing in them is markup.
                mark, name = (swatch, module_colour(module.id)), (cells[0], "bold")
                branch.add(Text.assemble(mark, name, lines.removeprefix(cells[0])))
            _add_rest(branch, level, most)
        yield tree
        for line in _legend(self.hierarchy, ascii_only=options.ascii_only):
            yield Text(line, "dim")


def _headline(hierarchy: Hierarchy) -> str:
    """Say how many modules there are, and plainly where that says nothing."""
    modules = hierarchy.modules
    if (module := hierarchy.undivided) is not None:
        said = "One module: no structure here"
        if hierarchy.is_dense:
            return f"{said}, and no edge is missing: prune the network first"
        unfed = sum(other.units for other in modules) - module.units
        outputs = f"{unfed:,} output{'' if unfed == 1 else 's'} without edges"
        return f"{said}, beside {outputs}" if unfed else said
    if not hierarchy.edges:
        return f"{len(modules):,} modules, none of which feeds another"
    depth = max(module.level for module in modules) + 1
    levels = f"{depth:,} level{'' if depth == 1 else 's'}"
    return f"{len(modules):,} modules on {levels}"


def _levels(hierarchy: Hierarchy) -> list[list[TaskModule]]:
    """Sort the modules by level, those that read inputs first."""
    found: dict[int, list[TaskModule]] = {}
    for module in hierarchy.modules:
        found.setdefault(module.level, []).append(module)
    return [found[level] for level in sorted(found)]


def _ends(
    levels: list[list[TaskModule]], most: int
) -> Sequence[list[TaskModule] | None]:
    """Give the first levels and the last; None stands for those between."""
    if len(levels) <= most:
        return levels
    return [*levels[: most - 1], None, levels[-1]]


def _largest(level: list[TaskModule], most: int) -> list[TaskModule]:
    """Give the modules of a level that are shown, in the order of their numbers."""
    if len(level) <= most:
        return level
    largest = sorted(level, key=lambda module: -module.units)[:most]
    return sorted(largest, key=lambda module: module.id)


def _level_line(level: list[TaskModule], most: int) -> str:
    """Say which level it is, and how much of it is shown."""
    count = f"{len(level):,} module{'' if len(level) == 1 else 's'}"
    largest = f", the {most} largest" if len(level) > most else ""
    return f"level {level[0].level}, {count}{largest}"


def _add_rest(branch: "Tree", level: list[TaskModule], most: int) -> None:
    """Say how many modules of a level are not shown, and how large they are."""
    from rich.text import Text

    if len(level) <= most:
        return
    sizes = sorted(module.units for module in level)[:-most]
    size = f"{sizes[0]:,} to {sizes[-1]:,}" if sizes[0] < sizes[-1] else f"{sizes[0]:,}"
    units = "unit" if sizes[-1] == 1 else "units"
    branch.add(Text(f"{len(sizes):,} more of {size} {units}; --json has all", "dim"))


def _cells(
    graph: LayeredGraph, module: TaskModule, *, alone: bool, ascii_only: bool
) -> tuple[str, ...]:
    """Say of a module its name, size, ends, users, and whether it is separable."""
    names = [_layer_name(graph.names[number]) for number in module.layers]
    if len(names) > _MOST_LAYERS:
        names = [*names[:2], f"... {names[-1]} ({len(names)} layers)"]
    units = f"{module.units:,} unit{'' if module.units == 1 else 's'}"
    arrow = "->" if ascii_only else "→"
    users = len(module.used_by)
    by = _named("M", module.used_by)
    cells = (
        f"M{module.id}",
        f"{units} in {', '.join(names)}",
        f"{_named('x', module.inputs)} {arrow} {_named('y', module.outputs)}",
        f"used by {users}: {by}" if users > 1 else f"used by {by}" if users else "",
        "input-separable" if module.input_separable and not alone else "",
    )
    if not ascii_only:
        return cells
    plain = (cell.replace("…", "..") for cell in cells)
    return tuple(x.encode("ascii", "backslashreplace").decode() for x in plain)


def _layer_name(name: str) -> str:
    """Name a layer in little room, and a bare number as what it is."""
    return shortened(f"layer {name}" if name[:1].isdigit() else name, room=_NAME_ROOM)


def _named(letter: str, numbers: Sequence[int]) -> str:
    """Name numbered things in little room: all, or the first, the last and how many."""
    names = [f"{letter}{number}" for number in numbers]
    if not names:
        return "nothing"
    every = abbreviated(names, room=sum(len(name) + 2 for name in names))
    if len(every) <= _LIST_ROOM:
        return every
    first, *_ = every.split(", ")
    return f"{first} ... {names[-1]}, {len(names):,} in all"


def _aligned(cells: tuple[str, ...], widths: list[int]) -> str:
    """Put all that is said of a module on one line, in columns."""
    padded = [
        f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True) if width
    ]
    return (" " * _GAP).join(padded).rstrip()


def _stacked(cells: tuple[str, ...]) -> str:
    """Put what a module is on one line, and what it joins on the next."""
    name, size, ends, users, separable = cells
    pairs = ((f"{name}  {size}", separable), (ends, users))
    return "\n".join("; ".join(filter(None, pair)) for pair in pairs)


def _swatch(console: "Console", options: "ConsoleOptions") -> str:
    """Give a mark for a module's colour, where the terminal can tell them apart."""
    coloured = console.color_system in ("256", "truecolor") and not console.no_color
    return "■ " if coloured and not options.ascii_only else ""


def _legend(hierarchy: Hierarchy, *, ascii_only: bool) -> Iterator[str]:
    """Say what the words of the tree mean, as far as they are in it."""
    arrow = "->" if ascii_only else "→"
    yield f"x {arrow} y: inputs that reach the module, outputs that it reaches"
    modules = hierarchy.modules
    if len(modules) > 1 and any(module.input_separable for module in modules):
        yield "input-separable: shares no input with another module of its level"
