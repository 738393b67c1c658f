"""Tables for a terminal that is no wider than it has to be."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def printed(
    title: str, titles: Sequence[str], rows: Iterable[Sequence[str]]
) -> "Table":
    """Give a table without lines, in which titles may break but no text does.

    Args:
        title: What stands above it.
        titles: What stands above its columns.
        rows: The texts of each row.
    """
    from rich.table import Column, Table
    from rich.text import Text

    rows = list(rows)
    columns = [
        Column(name, min_width=max((len(row[place]) for row in rows), default=0))
        for place, name in enumerate(titles)
    ]
    table = Table(
        *columns,
        title=f"\n[bold]{title}",
        title_justify="left",
        box=None,
        padding=(0, 2, 0, 0),
    )
    for row in rows:
        table.add_row(*map(Text, row))
    return table
