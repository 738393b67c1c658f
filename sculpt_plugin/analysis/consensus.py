"""What several sparse networks of one task say together about its modules."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from sculpt_plugin.analysis.agreement import (
    co_membership,
    confidence,
    in_order,
    majority_partition,
    pairwise_agreement,
)
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy
from sculpt_plugin.analysis.shared_modules import (
    SharedModule,
    Signature,
    shared_modules,
    signatures,
)
from sculpt_plugin.analysis.spread import mark, spread, unmark
from sculpt_plugin.errors import GraphError

Witness = tuple[LayeredGraph, Hierarchy]

SPARE = 0.3
"""How many edges more than the sparsest a typical network may have, as a share."""

# How much agreement it is worth that hidden units serve one group of outputs only.
_APART = 0.2

_PAIRS = "pass [(report.graph, report.hierarchy) for report in reports]"


@dataclass(frozen=True, eq=False)
class SharedGroups:
    """How the witnesses group the inputs, or the outputs, and what most stand for.

    Attributes:
        channel: The original number of each unit.
        votes: The module of each unit in each witness, numbered anew in each in order
            of first appearance; -1 where the unit is dead.
        label: The group of each unit by majority (`majority_partition`), -1 for a unit
            that is dead in more than half of the witnesses.
        confidence: From 0 to 1 for each unit, how far the witnesses bear out its group:
            the mean overlap (Jaccard) of its module in a witness with its group here.
        agreement: Mean adjusted Rand index of two witnesses, 1 if there is but one.
    """

    channel: Int[np.ndarray, " unit"]
    votes: Int[np.ndarray, "witness unit"]
    label: Int[np.ndarray, " unit"]
    confidence: Float[np.ndarray, " unit"]
    agreement: float

    @cached_property
    def together(self) -> Float[np.ndarray, "unit unit"]:
        """Share of the witnesses in which two units share a module.

        A witness in which one of them is dead says nothing about the two and is not
        counted; where none is left, the share is NaN.
        """
        together, counted = co_membership(self.votes)
        return np.where(counted > 0, together / np.maximum(counted, 1), np.nan)

    def groups(self) -> tuple[tuple[int, ...], ...]:
        """List the numbers of the units in each group."""
        return tuple(
            tuple(self.channel[self.label == number].tolist())
            for number in range(self.label.max(initial=-1) + 1)
        )


@dataclass(frozen=True, eq=False, repr=False)
class Consensus:
    """What the witnesses have in common.

    Attributes:
        witness_count: How many networks were heard.
        inputs: What they say about the inputs.
        outputs: What they say about the outputs.
        modules: The modules that more than half of them have, hidden ones included;
            `modules[m].id == m`.
        nearness: How far each witness agrees with all, 1 where all are the same: the
            mean over the witnesses of the adjusted Rand indices of the inputs and of
            the outputs and of the share of modules that both have.
        edge_counts: How many edges each witness has.
        sharing: The share of each witness's hidden units from which paths lead to more
            than one of the groups of outputs.
    """

    witness_count: int
    inputs: SharedGroups
    outputs: SharedGroups
    modules: tuple[SharedModule, ...]
    nearness: Float[np.ndarray, " witness"]
    edge_counts: Int[np.ndarray, " witness"]
    sharing: Float[np.ndarray, " witness"]

    def __repr__(self) -> str:
        """Say how much was found."""
        inputs, outputs = (len(x.groups()) for x in (self.inputs, self.outputs))
        return (
            f"Consensus({self.witness_count} networks, {inputs} groups of inputs, "
            f"{outputs} of outputs, {len(self.modules)} modules)"
        )

    @property
    def representative(self) -> int:
        """Which witness agrees best with all, of equally near ones the sparsest."""
        return self._best(np.arange(self.witness_count), self.nearness)

    def typical(
        self, *, spare: float = SPARE, among: Sequence[int] | None = None
    ) -> int:
        """Choose the witness to look at: like all, and with units of its own for each.

        The sparsest network is where pruning went furthest: for an edge or two it has
        often left the structure that most networks share, and a unit that serves two
        functions is cheaper than two units. So of the sparser witnesses the one is
        taken that agrees best with all, less a fifth of the share of its hidden units
        that serve more than one group of outputs.

        Args:
            spare: How many edges more than the sparsest to choose from it may have, as
                a share of the sparsest's.
            among: Which witnesses to choose from, such as those of one start network.
                None: all.

        Returns:
            The witness; of equally good ones the sparsest, then the first.

        Raises:
            GraphError: There is no witness to choose from.

        Example:
            Most networks keep two halves apart; the sparsest, for one edge less, not.

            >>> from sculpt_plugin.analysis.modules import detect
            >>> edges = [(0, 4), (1, 4), (2, 5), (3, 5), (4, 6), (5, 7)]
            >>> halves = LayeredGraph.from_edges((4, 2, 2), edges)
            >>> edges = [(0, 4), (1, 4), (2, 4), (4, 5), (4, 6)]
            >>> whole = LayeredGraph.from_edges((4, 1, 2), edges)
            >>> found = consensus([(g, detect(g)) for g in (whole, halves, halves)])
            >>> found.typical(spare=0), found.typical(spare=0.2)
            (0, 1)
        """
        chosen = range(self.witness_count) if among is None else among
        places = np.array(list(chosen), dtype=np.int64)
        if not len(places) or not set(places) <= set(range(self.witness_count)):
            raise GraphError(
                f"among must name some of the {self.witness_count} witnesses, counted "
                f"from 0, got {list(chosen)}."
            )
        edges = self.edge_counts[places]
        # Rounded, for 1.15 * 20 may come out below 23.
        most = round((1 + spare) * int(edges.min()), 6)
        good = self.nearness - _APART * self.sharing
        return self._best(places[edges <= most], good)

    def _best(
        self,
        among: Int[np.ndarray, " place"],
        good: Float[np.ndarray, " witness"],
    ) -> int:
        """Of some witnesses the best one, then the sparsest."""
        # Rounded, since sums in another order would break ties by their noise.
        order = np.lexsort((self.edge_counts[among], -good[among].round(9)))
        return int(among[order[0]])

    def to_dict(self) -> dict[str, Any]:
        """Give the consensus as plain dicts, lists, numbers and strings.

        The co-module shares are left out, since they follow from `votes`, the modules
        of the units in each witness, and are far larger where there are many units.
        """
        return {
            "witnesses": self.witness_count,
            "representative": self.representative,
            "inputs": _told(self.inputs, letter="x"),
            "outputs": _told(self.outputs, letter="y"),
            "modules": [
                {
                    "id": module.id,
                    "level": module.level,
                    "inputs": [f"x{number}" for number in module.inputs],
                    "outputs": [f"y{number}" for number in module.outputs],
                    "used_by": list(module.used_by),
                    "share": module.share,
                }
                for module in self.modules
            ],
        }


def consensus(witnesses: Sequence[Witness]) -> Consensus:
    """Find what several sparse networks of one task say together about its modules.

    One sparse network is one witness: a stray edge, or a wrong choice of the training,
    can hide a boundary or make one up. The networks of a sweep make such mistakes in
    different places, so what most of them say is right more often than what any one of
    them says. No threshold is to be chosen: a majority decides everywhere.

    Args:
        witnesses: Each network with its modules. They must have the same inputs and
            outputs; hidden layers may differ in number and size. Every network counts
            the same, so give the best of each run rather than many of one.

    Returns:
        Groups of inputs and outputs with a confidence for each, the shared modules,
        and the witness nearest to all. The order of the witnesses does not matter,
        but that of two equally near ones the one with fewer edges, then the first, is
        the representative.

    Raises:
        GraphError: There is no witness, one is no graph with its modules, or they do
            not have the same inputs and outputs.

    Example:
        Two networks keep two halves apart, a third has one hidden unit for all.

        >>> from sculpt_plugin.analysis.modules import detect
        >>> edges = [(0, 4), (1, 4), (2, 5), (3, 5), (4, 6), (5, 7)]
        >>> halves = LayeredGraph.from_edges((4, 2, 2), edges)
        >>> edges = [(0, 4), (1, 4), (2, 4), (3, 4), (4, 5), (4, 6)]
        >>> whole = LayeredGraph.from_edges((4, 1, 2), edges)
        >>> found = consensus([(g, detect(g)) for g in (halves, halves, whole)])
        >>> found.inputs.groups(), found.outputs.groups()
        (((0, 1), (2, 3)), ((0,), (1,)))
        >>> found.inputs.confidence.round(2).tolist()
        [0.83, 0.83, 0.83, 0.83]
        >>> [(module.inputs, module.outputs) for module in found.modules]
        [((0, 1), (0,)), ((2, 3), (1,))]
    """
    _check_kinds(witnesses)
    _check(witnesses)
    below, above = (_ends(witnesses, first=first) for first in (True, False))
    inputs, outputs = (_shared_groups(*end) for end in (below, above))
    hierarchies = [found for _, found in witnesses]
    told = [
        signatures(graph, found, inputs=inputs.label, outputs=outputs.label)
        for graph, found in witnesses
    ]
    agreement = (
        pairwise_agreement(inputs.votes)
        + pairwise_agreement(outputs.votes)
        + _common_share(told)
    ) / 3
    return Consensus(
        witness_count=len(witnesses),
        inputs=inputs,
        outputs=outputs,
        modules=shared_modules(
            hierarchies, told, inputs=inputs.groups(), outputs=outputs.groups()
        ),
        nearness=agreement.mean(axis=1),
        edge_counts=np.array([graph.edge_count for graph, _ in witnesses]),
        sharing=np.array([_sharing(graph, outputs.label) for graph, _ in witnesses]),
    )


def _sharing(graph: LayeredGraph, groups: Int[np.ndarray, " output"]) -> float:
    """Give the share of the live hidden units that serve several groups of outputs."""
    last = graph.units(graph.depth - 1)
    served = np.full(graph.unit_count, -1)
    served[last] = groups
    count = int(groups.max(initial=-1)) + 1
    reached = unmark(spread(graph, mark(served, count)), count).sum(axis=1)
    hidden = reached[graph.units(0).stop : last.start]
    return float((hidden > 1).sum() / max(np.count_nonzero(hidden), 1))


def _check_kinds(witnesses: Any) -> None:
    """Refuse what are no graphs with their modules."""
    if not isinstance(witnesses, Sequence):
        raise GraphError(
            "witnesses must be a list of networks with their modules, got "
            f"{type(witnesses).__name__}: {_PAIRS}."
        )
    for place, witness in enumerate(witnesses):
        kinds = [type(part) for part in witness] if isinstance(witness, tuple) else None
        if kinds != [LayeredGraph, Hierarchy]:
            raise GraphError(
                "Each of witnesses must be a pair of a LayeredGraph and its Hierarchy, "
                f"but witness {place} is a {type(witness).__name__}: {_PAIRS}."
            )


def _check(witnesses: Sequence[Witness]) -> None:
    """Refuse witnesses that cannot be compared."""
    if not len(witnesses):
        raise GraphError(
            "witnesses must hold at least one network and its modules, it is empty: "
            "give the sparsest networks of a sweep."
        )
    first = witnesses[0][0]
    for place, (graph, found) in enumerate(witnesses):
        if len(found.label) != graph.unit_count:
            raise GraphError(
                f"The modules of witness {place} must be about its {graph.unit_count} "
                f"units, but they are about {len(found.label)}: detect them in the "
                "same graph."
            )
        for what, layer, known in (
            ("inputs", 0, 0),
            ("outputs", graph.depth - 1, first.depth - 1),
        ):
            numbers = graph.channel[graph.units(layer)]
            expected = first.channel[first.units(known)]
            if not np.array_equal(numbers, expected):
                raise GraphError(
                    f"witnesses must have the same {what}, but witness {place} has "
                    f"{len(numbers)} where witness 0 has {len(expected)}, or other "
                    "numbers: keep dead units in the graphs, and compare networks of "
                    "one task only."
                )


def _ends(
    witnesses: Sequence[Witness], *, first: bool
) -> tuple[Int[np.ndarray, " unit"], Int[np.ndarray, "witness unit"]]:
    """The numbers of the inputs or outputs, and their modules in each witness."""
    graphs = [graph for graph, _ in witnesses]
    units = [graph.units(0 if first else graph.depth - 1) for graph in graphs]
    votes = [
        in_order(found.label[span])
        for (_, found), span in zip(witnesses, units, strict=True)
    ]
    return graphs[0].channel[units[0]], np.stack(votes)


def _shared_groups(
    channel: Int[np.ndarray, " unit"], votes: Int[np.ndarray, "witness unit"]
) -> SharedGroups:
    """Sum up what the witnesses say about the inputs or the outputs."""
    label = majority_partition(votes)
    pairs = pairwise_agreement(votes)
    others = pairs[~np.eye(len(votes), dtype=bool)]
    return SharedGroups(
        channel=channel,
        votes=votes,
        label=label,
        confidence=confidence(votes, label),
        agreement=float(others.mean()) if len(others) else 1.0,
    )


def _common_share(
    told: Sequence[Sequence[Signature | None]],
) -> Float[np.ndarray, "witness witness"]:
    """Share of the modules of two witnesses that both have."""
    sets = [{name for name in names if name} for names in told]
    known = {name: place for place, name in enumerate(set().union(*sets))}
    has = np.zeros((len(told), len(known)), dtype=bool)
    for place, names in enumerate(sets):
        has[place, [known[name] for name in names]] = True
    common = has.astype(int) @ has.T.astype(int)
    either = has.sum(axis=1)[:, None] + has.sum(axis=1) - common
    return np.where(either > 0, common / np.maximum(either, 1), 1.0)


def _told(found: SharedGroups, *, letter: str) -> dict[str, Any]:
    """Give one end of the networks as plain data."""
    return {
        "names": [f"{letter}{number}" for number in found.channel.tolist()],
        "module": [None if label < 0 else label for label in found.label.tolist()],
        "confidence": found.confidence.tolist(),
        "agreement": found.agreement,
        "votes": [
            [None if label < 0 else label for label in labels]
            for labels in found.votes.tolist()
        ],
    }
