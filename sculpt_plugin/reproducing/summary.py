"""What the rates come to beside the paper's, over all cells."""

from dataclasses import dataclass
from typing import Any, cast

from sculpt_plugin.analysis.modules import Method
from sculpt_plugin.reproducing.published import published_count
from sculpt_plugin.reproducing.results import Rate, Results, Row
from sculpt_plugin.reproducing.verdicts import Voice

HIGH = 0.95
"""A rate that leaves little to wish for."""

# The paper's rates are rounded to two decimals.
_ROUNDING = 0.005
_CHANCE = 0.05


@dataclass(frozen=True)
class Summary:
    """All rates of one method and voice, beside the paper's.

    Attributes:
        method: How modules were detected.
        voice: Who was heard.
        reached: In how many cells the rate is the paper's or more.
        high: In how many it is `HIGH` or more.
        below: In how many it is below the paper's by more than chance.
        above: In how many it is above it by more than chance.
        more_edges: How many edges more than the sparsest network the one that was heard
            has, in the mean, as a share; None where several were heard.
    """

    method: Method
    voice: Voice
    reached: int
    high: int
    below: int
    above: int
    more_edges: float | None


def summaries(results: Results) -> tuple[int, list[Summary]]:
    """Sum up the rates of the cells for which the paper gives one.

    More than chance is by Fisher's exact test: were the networks drawn from one urn, so
    great a difference would come up less often than once in twenty times.

    Args:
        results: The rates.

    Returns:
        How many such cells there are, and the sums in the order of the rates.
    """
    rows = [row for row in results.rows if row.published is not None]
    found = []
    for place, rate in enumerate(results.rows[0].rates):
        rates = [row.rates[place] for row in rows]
        pairs = list(zip(rows, rates, strict=True))
        beyond = [_beyond_chance(row, own) for row, own in pairs]
        found.append(
            Summary(
                method=rate.method,
                voice=rate.voice,
                reached=sum(not is_below(row, own) for row, own in pairs),
                high=sum(own.share >= HIGH for own in rates),
                below=beyond.count(-1),
                above=beyond.count(1),
                more_edges=_more_edges(results, rate),
            )
        )
    return len(rows), found


def summary_titles(count: int) -> list[str]:
    """Name the columns of `summary_texts`; `count` is how many cells there are."""
    return [
        f"at least the paper's, of {count} cells",
        f"{HIGH:g} or more",
        "below it by more than chance",
        "above it by more than chance",
        "more edges",
    ]


def summary_texts(summary: Summary) -> list[str]:
    """Give a sum as one row of a table."""
    more = summary.more_edges
    counts = (summary.reached, summary.high, summary.below, summary.above)
    return [*map(str, counts), "" if more is None else f"{more:+.2%}"]


def is_below(row: Row, rate: Rate) -> bool:
    """Tell whether a rate is below the paper's, however little."""
    return row.published is not None and rate.share < row.published - _ROUNDING


def _beyond_chance(row: Row, rate: Rate) -> int:
    """Give -1 for a rate below the paper's by more than chance, 1 for one above."""
    # It takes a second to import, which a long run shall not begin with.
    from scipy.stats import fisher_exact

    published = row.published or 0.0
    total = published_count(depth=row.depth)
    right = round(published * total)
    table = [[rate.right, rate.total - rate.right], [right, total - right]]
    if cast(Any, fisher_exact(table)).pvalue >= _CHANCE:
        return 0
    return 1 if rate.share > published else -1


def _more_edges(results: Results, rate: Rate) -> float | None:
    """Give how many edges more than the sparsest the networks have, in the mean."""
    ratios = [
        found.edge_count / sparsest.edge_count
        for cell in results.cells
        for found, sparsest in zip(
            cell.verdicts[rate.method][rate.voice],
            cell.verdicts[rate.method]["single"],
            strict=False,
        )
        if found and sparsest and found.edge_count and sparsest.edge_count
    ]
    return sum(ratios) / len(ratios) - 1 if ratios else None
