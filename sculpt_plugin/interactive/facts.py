"""What was found, in words and numbers: the summary and the table of modules."""

from xml.etree.ElementTree import Element

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy, TaskModule
from sculpt_plugin.drawing.naming import abbreviated
from sculpt_plugin.drawing.palette import module_colour
from sculpt_plugin.interactive.calling import called
from sculpt_plugin.interactive.elements import child, definitions, section
from sculpt_plugin.interactive.listing import numbered
from sculpt_plugin.interactive.room import largest

_COLUMNS = (
    ("module", ""),
    ("level", "number"),
    ("units", "number"),
    ("layers", "list"),
    ("inputs", "list"),
    ("outputs", "list"),
    ("used by", "list"),
    ("input-separable", ""),
    ("density", "number"),
)
_UNPRUNED = (
    "No edge is missing: prune the network first, and what it can do without will show "
    "its parts."
)
_UNDIVIDED = (
    "Nothing that is left of the wiring sets one part of the network apart from "
    "another. It may be pruned too little, or compute a single function."
)
_ROOM = 70  # letters of a list in a cell


def counted(number: int, what: str) -> str:
    """Say a number of things.

    Example:
        >>> counted(1, "unit"), counted(1200, "unit")
        ('1 unit', '1,200 units')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def headline(hierarchy: Hierarchy) -> str:
    """Say in one sentence what was found.

    Args:
        hierarchy: The modules.

    Returns:
        The sentence; where there is one module, that there is no structure.

    Example:
        >>> import numpy as np
        >>> headline(Hierarchy((), np.array([-1]), {}))
        'No module here: no unit is alive.'
    """
    modules = hierarchy.modules
    if not modules:
        return "No module here: no unit is alive."
    if hierarchy.undivided is not None:
        beside = "" if len(modules) == 1 else ", but for outputs without edges"
        return f"No structure here: all live units are one module{beside}."
    levels = 1 + max(module.level for module in modules)
    said = f"{counted(len(modules), 'module')} on {counted(levels, 'level')}"
    reused = sum(len(module.used_by) > 1 for module in modules)
    said += f", {reused:,} of them reused" if reused else ""
    return said + "."


def summary(parent: Element, graph: LayeredGraph, hierarchy: Hierarchy) -> None:
    """Add the sentence that sums up the report, and its numbers.

    Args:
        parent: Where it goes.
        graph: The network.
        hierarchy: Its modules.

    Example:
        >>> import numpy as np
        >>> page = Element("main")
        >>> graph = LayeredGraph.from_edges((1, 1), [(0, 1)])
        >>> summary(page, graph, Hierarchy((), np.array([0, 0]), {}))
        >>> page[0].tag, page[-1].tag
        ('p', 'dl')
    """
    child(parent, "p", headline(hierarchy), attributes={"class": "headline"})
    if hierarchy.undivided is not None:
        why = _UNPRUNED if hierarchy.is_dense else _UNDIVIDED
        child(parent, "p", why, attributes={"class": "lead"})
    live = int((hierarchy.label >= 0).sum())
    numbers = {
        "module": len(hierarchy.modules),
        "live unit": live,
        "dead unit": graph.unit_count - live,
        "edge": graph.edge_count,
        "layer": graph.depth,
    }
    said = (counted(number, what).split(" ", 1) for what, number in numbers.items())
    definitions(parent, {what: number for number, what in said}, kind="numbers")


def module_table(parent: Element, graph: LayeredGraph, hierarchy: Hierarchy) -> None:
    """Add the table of the modules, the largest ones where there are very many.

    Args:
        parent: Where it goes.
        graph: The network.
        hierarchy: Its modules.

    Example:
        >>> import numpy as np
        >>> page = Element("main")
        >>> graph = LayeredGraph.from_edges((1, 1), [(0, 1)])
        >>> module_table(page, graph, Hierarchy((), np.array([0, 0]), {}))
        >>> page[0].tag
        'section'
    """
    place = section(parent, "modules", "Modules")
    shown = largest(hierarchy)
    if len(shown) < len(hierarchy.modules):
        child(
            place,
            "p",
            f"The {len(shown):,} largest of {len(hierarchy.modules):,}; the JSON "
            "report has them all.",
        )
    scroll = {"class": "scroll long", "tabindex": "0", "role": "region"}
    wide = child(place, "div", attributes=scroll | {"aria-labelledby": "modules"})
    table = child(wide, "table")
    head = child(child(table, "thead"), "tr")
    for name, kind in _COLUMNS:
        child(head, "th", name, attributes={"scope": "col", "class": kind})
    body = child(table, "tbody")
    for module in shown:
        _module_row(body, graph, module)


def _module_row(body: Element, graph: LayeredGraph, module: TaskModule) -> None:
    """Add one module to the table."""
    row = child(body, "tr", attributes={"data-module": str(module.id)})
    name = child(row, "th", attributes={"scope": "row"})
    swatch = {"class": "swatch", "viewBox": "0 0 10 10", "aria-hidden": "true"}
    icon = child(name, "svg", attributes=swatch)
    place = {"width": "10", "height": "10", "rx": "2.5"}
    child(icon, "rect", attributes=place | {"fill": module_colour(module.id)})
    child(name, "span", f"M{module.id}", attributes={"class": "name"})
    names = [called(graph.names[number]) for number in module.layers]
    lists = (
        abbreviated(names, room=160),
        numbered("x", module.inputs, room=_ROOM),
        numbered("y", module.outputs, room=_ROOM),
        numbered("M", module.used_by, room=_ROOM),
    )
    cells = (
        f"{module.level:,}",
        f"{module.units:,}",
        *lists,
        "yes" if module.input_separable else "no",
        f"{module.density:.2f}",
    )
    for (_, kind), text in zip(_COLUMNS[1:], cells, strict=True):
        child(row, "td", text or "none", attributes={"class": kind} if kind else None)
