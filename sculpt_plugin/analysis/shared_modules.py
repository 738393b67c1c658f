"""Modules that several networks share, matched by what they read and reach."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

import numpy as np
from jaxtyping import Int

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy

# The groups of inputs that a module reads, and the groups of outputs it reaches.
Signature = tuple[frozenset[int], frozenset[int]]


@dataclass(frozen=True)
class SharedModule:
    """A sub-function that most witnesses have.

    Attributes:
        id: Number of the module, by level.
        level: Longest path, in shared modules, from one that none feeds; 0 for those.
        inputs: Numbers of the network's inputs that reach it or belong to it.
        outputs: Numbers of the network's outputs that it reaches or that belong to it.
        used_by: The shared modules it feeds.
        share: Share of the witnesses that have it.
    """

    id: int
    level: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    used_by: tuple[int, ...]
    share: float


def signatures(
    graph: LayeredGraph,
    hierarchy: Hierarchy,
    *,
    inputs: Int[np.ndarray, " input"],
    outputs: Int[np.ndarray, " output"],
) -> tuple[Signature | None, ...]:
    """Tell each module of a network by what it reads and what it reaches.

    Hidden units have no numbers that mean the same in two networks, but inputs and
    outputs have. A module reads a group of inputs if it reads more than half of those
    in the group that the network uses, so a stray edge does not make another module.

    Args:
        graph: The network.
        hierarchy: Its modules.
        inputs: The group of each input, -1 for none.
        outputs: The group of each output, -1 for none.

    Returns:
        For each module its signature, or None if it reads or reaches no group.

    Example:
        >>> from sculpt_plugin.analysis.modules import detect
        >>> edges = [(0, 4), (1, 4), (2, 5), (3, 5), (4, 6), (5, 7)]
        >>> graph = LayeredGraph.from_edges((4, 2, 2), edges)
        >>> found = signatures(
        ...     graph, detect(graph),
        ...     inputs=np.array([0, 0, 1, 1]), outputs=np.array([0, 1]),
        ... )
        >>> [[sorted(groups) for groups in signature] for signature in found]
        [[[0], [0]], [[1], [1]]]
    """
    modules = hierarchy.modules
    ends = (
        (0, inputs, [module.inputs for module in modules]),
        (graph.depth - 1, outputs, [module.outputs for module in modules]),
    )
    reads, reaches = (
        _groups(graph, hierarchy, layer, groups, numbers)
        for layer, groups, numbers in ends
    )
    return tuple(
        (below, above) if below and above else None
        for below, above in zip(reads, reaches, strict=True)
    )


def shared_modules(
    hierarchies: Sequence[Hierarchy],
    told: Sequence[Sequence[Signature | None]],
    *,
    inputs: Sequence[Sequence[int]],
    outputs: Sequence[Sequence[int]],
) -> tuple[SharedModule, ...]:
    """Find the modules that more than half of the networks have, and which feeds which.

    Modules of one network that read and reach the same count as one: they are stages
    of one sub-function, and networks draw the line between stages anywhere. One shared
    module feeds another if it does so in more than half of the networks that have
    both, directly or through modules that are not shared.

    Args:
        hierarchies: The modules of each network.
        told: What `signatures` gave for each.
        inputs: Numbers of the inputs in each group.
        outputs: Numbers of the outputs in each group.

    Returns:
        The shared modules, from the lowest level up.
    """
    owners = Counter(name for names in told for name in set(names) if name)
    shared = [name for name, count in owners.items() if 2 * count > len(told)]
    both: Counter[tuple[Signature, Signature]] = Counter()
    fed: Counter[tuple[Signature, Signature]] = Counter()
    for found, names in zip(hierarchies, told, strict=True):
        there = [name for name in shared if name in names]
        both.update((one, other) for one in there for other in there)
        fed.update(_feeds(found, names, set(shared)))
    feeds = {
        pair
        for pair, count in fed.items()
        if 2 * count > both[pair] and _can_feed(*pair)
    }
    level: dict[Signature, int] = {}
    feeders = {name: [one for one, other in feeds if other == name] for name in shared}
    for name in TopologicalSorter(feeders).static_order():
        level[name] = max((level[one] + 1 for one in feeders[name]), default=0)
    order = sorted(shared, key=lambda name: (level[name], *map(sorted, name)))
    number = {name: place for place, name in enumerate(order)}
    return tuple(
        SharedModule(
            id=place,
            level=level[name],
            inputs=tuple(sorted(unit for group in name[0] for unit in inputs[group])),
            outputs=tuple(sorted(unit for group in name[1] for unit in outputs[group])),
            used_by=tuple(sorted(number[to] for one, to in feeds if one == name)),
            share=owners[name] / len(told),
        )
        for place, name in enumerate(order)
    )


def _can_feed(one: Signature, other: Signature) -> bool:
    """What a module feeds reads no less and reaches no more, so there is no circle.

    Since more than half of a group counts as all of it, links against this order exist;
    they are strays.
    """
    return one[0] <= other[0] and one[1] >= other[1]


def _groups(
    graph: LayeredGraph,
    hierarchy: Hierarchy,
    layer: int,
    groups: Int[np.ndarray, " unit"],
    numbers: Sequence[tuple[int, ...]],
) -> list[frozenset[int]]:
    """The groups of which each module has more than half of the live units."""
    units = graph.units(layer)
    group = np.where(hierarchy.label[units] >= 0, groups, -1).tolist()
    group_of = dict(zip(graph.channel[units].tolist(), group, strict=True))
    size = Counter(group)
    found = []
    for named in numbers:
        count = Counter(group_of[number] for number in named)
        found.append(frozenset(g for g in count if g >= 0 and 2 * count[g] > size[g]))
    return found


def _feeds(
    hierarchy: Hierarchy,
    names: Sequence[Signature | None],
    shared: set[Signature],
) -> set[tuple[Signature, Signature]]:
    """Which shared modules feed which, past the modules that are not shared."""
    targets: dict[int, list[int]] = {}
    for source, target in hierarchy.edges:
        targets.setdefault(source, []).append(target)
    feeds = set()
    for module, name in enumerate(names):
        if name is None or name not in shared:
            continue
        seen, ahead = {module}, list(targets.get(module, ()))
        while ahead:
            target = ahead.pop()
            if target in seen:
                continue
            seen.add(target)
            fed = names[target]
            if fed is not None and fed in shared and fed != name:
                feeds.add((name, fed))
            else:
                ahead += targets.get(target, ())
    return feeds
