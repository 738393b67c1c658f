"""How much of a model a report rests on, in words for the terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from sculpt_plugin.errors import TraceError
from sculpt_plugin.files.quoting import listed, quoted

_MOST_LINES, _MOST_NAMES = 10, 3


def lines(coverage: Mapping[str, Any]) -> Iterator[str]:
    r"""Say what was covered, then which layers not exactly, ten at most.

    Names come from files, so they are quoted.

    Args:
        coverage: The coverage of a report.

    Yields:
        A line each.

    Example:
        >>> lstm = {"name": "rnn", "kind": "LSTM", "parameters": 30,
        ...         "coverage": "approximated", "reason": "one block"}
        >>> found = {"parameters": 40, "exact": 0.25, "approximated": 0.75,
        ...          "layers": [lstm]}
        >>> print(*lines(found), sep="\n")
        covered: 25.0 % of 40 parameters exactly, 75.0 % approximated
          'rnn' (LSTM, 30 parameters) approximated: one block
    """
    said = f"covered: {_per_cent(coverage['exact'])} % of {_count(coverage)} exactly"
    rough = coverage.get("approximated", 0)
    missing = 1 - coverage["exact"] - rough
    said += f", {_per_cent(rough)} % approximated" if rough else ""
    yield said + (f", {_per_cent(missing)} % not" if missing > 1e-9 else "")
    faults = inexact(coverage)
    for layer in faults[:_MOST_LINES]:
        yield f"  {_described(layer)}"
    if len(faults) > _MOST_LINES:
        yield f"  and {len(faults) - _MOST_LINES} more; --json lists them all"
    if "verified" in coverage:
        yield _verified(coverage["verified"])


def inexact(coverage: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """List the layers that are not covered exactly."""
    return [x for x in coverage.get("layers", ()) if x["coverage"] != "exact"]


def check_exact(coverage: Mapping[str, Any]) -> None:
    """Refuse a report that does not cover all of its model exactly.

    Args:
        coverage: The coverage of a report.

    Raises:
        TraceError: With the first layers that it does not.
    """
    faults = inexact(coverage)
    if coverage["exact"] == 1 and not faults:
        return
    named = ", ".join(map(_described, faults[:_MOST_NAMES]))
    more = len(faults) - _MOST_NAMES
    raise TraceError(
        f"With --strict all of the model must be covered exactly, but only "
        f"{_per_cent(coverage['exact'])} % of its parameters are. Not exact: {named}"
        f"{f' and {more} more' if more > 0 else ''}. Leave out --strict to take the "
        "report as it is."
    )


def check_verified(coverage: Mapping[str, Any]) -> None:
    """Refuse a report whose graph the model itself has contradicted.

    Args:
        coverage: The coverage of a report that was verified.

    Raises:
        TraceError: A layer input changed that no edge leads to.
    """
    found = coverage["verified"]
    if found["missed"]:
        raise TraceError(
            "With --verify the model must do what the graph says, but changing units "
            f"changed {found['missed']:,} layer inputs that no edge leads to, at "
            f"{listed(found['where'])}: the report is wrong about this model. Please "
            "report it, with the model."
        )


def _described(layer: Mapping[str, Any]) -> str:
    """Say of a layer what it is and why it is not exact."""
    reason = f": {layer['reason']}" if "reason" in layer else ""
    return (
        f"{quoted(layer['name'])} ({layer['kind']}, {_count(layer)}) "
        f"{layer['coverage']}{reason}"
    )


def _verified(counts: Mapping[str, Any]) -> str:
    """Say what the check of the graph against the model found."""
    return (
        f"verified: {counts['units']:,} units changed, {counts['columns']:,} layer "
        f"inputs compared; {counts['missed']:,} changed without an edge, "
        f"{counts['unseen']:,} did not in spite of one"
    )


def _count(counted: Mapping[str, Any]) -> str:
    """Count parameters."""
    count = counted["parameters"]
    return f"{count:,} parameter{'' if count == 1 else 's'}"


def _per_cent(share: float) -> str:
    """Give a share in per cent; only all of it is 100, only nothing is 0."""
    if share in (0, 1):
        return f"{100 * share:.0f}"
    return f"{min(max(100 * share, 0.1), 99.9):.1f}"
