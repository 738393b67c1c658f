"""What several networks say together, as a table for the terminal."""

from typing import TYPE_CHECKING

from sculpt_plugin.analysis.consensus import Consensus, SharedGroups
from sculpt_plugin.drawing.naming import abbreviated

if TYPE_CHECKING:
    import rich.console


def consensus_table(found: Consensus) -> "rich.console.RenderableType":
    """Show the groups of inputs and outputs, and the modules that are shared.

    Args:
        found: What `consensus` gave.

    Returns:
        Two tables for rich to print.
    """
    from rich.console import Group
    from rich.table import Table

    groups = Table(title=f"Consensus of {found.witness_count} networks")
    modules = Table(title="Modules that most of them have")
    for table in (groups, modules):
        table.title_justify, table.title_style = "left", "bold"
        # Folded where there is little room: a name cut short would be another name.
        table.add_column("", justify="right", overflow="fold")
    groups.add_column("agreement", justify="right")
    for name in ("units", "confidence"):
        groups.add_column(name, overflow="fold")
    for name in ("level", "share"):
        modules.add_column(name, justify="right")
    for name in ("inputs", "outputs", "feeds"):
        modules.add_column(name, overflow="fold")
    for letter, what, end in (
        ("x", "inputs", found.inputs),
        ("y", "outputs", found.outputs),
    ):
        for row, units in enumerate(end.groups()):
            head = ("", "") if row else (what, f"{end.agreement:.2f}")
            groups.add_row(*head, _named(letter, units), _surest(end, row))
        groups.add_section()
    for module in found.modules:
        modules.add_row(
            f"S{module.id}",
            str(module.level),
            f"{module.share:.0%}",
            _named("x", module.inputs),
            _named("y", module.outputs),
            _named("S", module.used_by),
        )
    groups.caption_justify = "left"
    last = found.witness_count - 1
    groups.caption = f"network {found.representative} of 0-{last} is nearest to all"
    return Group(groups, modules)


def _named(letter: str, numbers: tuple[int, ...]) -> str:
    """Name numbered things in little room."""
    return abbreviated([f"{letter}{number}" for number in numbers], room=24)


def _surest(end: SharedGroups, group: int) -> str:
    """Tell the confidence of a group's units, from the least to the most sure."""
    found = end.confidence[end.label == group]
    low, high = f"{found.min():.0%}", f"{found.max():.0%}"
    return low if low == high else f"{low} to {high}"
