"""What a search tries next: a pure function of what it has tried so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sculpt_plugin.pruning.record import StageName, Step
from sculpt_plugin.pruning.schedule import Schedule, last_count, next_count


class Attempt(NamedTuple):
    """What to try next.

    Attributes:
        stage: What goes.
        gone: How many units or edges are to be gone.
        spared: How many of the lowest scores stay, for they were tried one by one.
    """

    stage: StageName
    gone: int
    spared: int = 0


@dataclass(frozen=True)
class Plan:
    """How a search shall go.

    Attributes:
        units: Schedule of the units, None to leave them alone.
        edges: Schedule of the edges, None to leave them alone.
        unit_total: How many units may be pruned.
        unit_limit: How many of them may be gone at most.
        edge_total: How many edges the unpruned model has.
        finest: The smallest step worth a turn, as a share of what is left.
        one_by_one: Whether the search ends only where no edge can go by itself.
    """

    units: Schedule | None
    edges: Schedule | None
    unit_total: int
    unit_limit: int
    edge_total: int
    finest: float = 0.0
    one_by_one: bool = False


def next_attempt(
    plan: Plan, record: Sequence[Step], *, edges_gone: int
) -> Attempt | None:
    """Say what to try next.

    Units go first, then comes one training without a removal, then edges go. One by
    one they go until none can, and one more training is the end.

    Args:
        plan: How the search shall go.
        record: Every turn so far.
        edges_gone: How many edges are gone in the last accepted state.

    Returns:
        The attempt, or None where the search ends.

    Example:
        >>> plan = Plan(0.5, None, unit_total=4, unit_limit=3, edge_total=8)
        >>> dense = Step("dense", 0, 0, 8, 8, 1.0, True, 1.0, 0.1)
        >>> next_attempt(plan, [], edges_gone=0)
        Attempt(stage='dense', gone=0, spared=0)
        >>> next_attempt(plan, [dense], edges_gone=0)
        Attempt(stage='units', gone=2, spared=0)
    """
    if not record:
        return Attempt("dense", 0)
    retrain = next((step for step in record if step.stage == "retrain"), None)
    if plan.units is not None and retrain is None:
        count = next_count(
            plan.units,
            _counts(record, "units"),
            total=plan.unit_total,
            limit=plan.unit_limit,
            finest=plan.finest,
        )
        if count is not None:
            return Attempt("units", count)
        if plan.edges is not None:
            return Attempt("retrain", edges_gone)
    if plan.edges is None:
        return None
    attempts = _counts(record, "edges")
    if attempts and record[-1].stage == "retrain":
        return None
    start = retrain.removed if retrain else 0
    count = next_count(
        plan.edges,
        attempts,
        total=plan.edge_total,
        start=start,
        limit=plan.edge_total - 1,
        finest=plan.finest,
    )
    if count is not None:
        return Attempt("edges", count)
    if not plan.one_by_one or not attempts:
        return None
    limit = min(last_count(plan.edges, total=plan.edge_total), plan.edge_total - 1)
    one = _one_edge(attempts, total=plan.edge_total, start=start, limit=limit)
    # A large edge that went last leaves more to learn than one turn may teach.
    return one or Attempt("retrain", edges_gone)


def _counts(record: Sequence[Step], stage: StageName) -> list[tuple[int, bool]]:
    """Give each count that was tried in a stage, and whether it held."""
    return [(step.removed, step.accepted) for step in record if step.stage == stage]


def _one_edge(
    attempts: Sequence[tuple[int, bool]], *, total: int, start: int, limit: int
) -> Attempt | None:
    """Say which single edge to try where the smallest one could not go.

    After the smallest the next one, round and round, whichever of them goes; it ends
    where each of those that are left was tried in vain.
    """
    accepted, spared, in_vain = start, 0, 0
    for count, held in attempts:
        if held:
            accepted, in_vain = count, 0
        elif count == accepted + 1:
            spared, in_vain = spared + 1, in_vain + 1
        # Past the largest edge the smallest is next.
        if spared >= total - accepted:
            spared = 0
    if accepted >= limit or in_vain == total - accepted:
        return None
    return Attempt("edges", accepted + 1, spared)
