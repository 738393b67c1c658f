"""Average linkage of rows with many copies: one distance for each two kinds of row."""

from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from sculpt_plugin.analysis.cluster import MergeTree

# A table of distances shrinks when half of it is done with, from this size.
_WORTH_SHRINKING = 128


@dataclass(eq=False)
class _Block:
    """Distances between slots; what lies in different blocks is at distance 1.

    A kind of row has a slot for its copies that are joined already and, while there
    are more, one that stands for each of the others.
    """

    slots: list[int]
    table: Float[np.ndarray, "slot slot"]
    alive: int


@dataclass(eq=False)
class _Slots:
    """What the linkage knows of each slot, by number."""

    block: list[_Block] = field(default_factory=list)
    place: list[int] = field(default_factory=list)
    copies: list[list[int]] = field(default_factory=list)
    index: list[int] = field(default_factory=list)
    size: list[int] = field(default_factory=list)
    partner: list[int] = field(default_factory=list)


def link_copies(
    kind: Int[np.ndarray, " unit"],
    blocks: list[Int[np.ndarray, " _"]],
    distances: list[Float[np.ndarray, "_ _"]],
    *,
    together: Collection[int] = (),
) -> MergeTree:
    """Join units of few kinds by average linkage, as if each had a row of its own.

    The tree is the one that scipy gives for the whole table of distances between
    units, merge by merge, also where heights tie: this follows the same chain of
    nearest neighbours, with the same rounding. But it holds only the distances between
    kinds, and of those only the ones within blocks.

    Args:
        kind: The kind of each unit, from 0, numbered in order of first appearance.
            Units of one kind are at distance 0.
        blocks: The kinds in each block. Each kind is in one block.
        distances: For each block the distances between its kinds, above 0 but on the
            diagonal, and at most 1. Kinds of different blocks are at distance 1.
        together: Blocks in which units of a kind are joined beforehand. It is quicker,
            but without the rounding of one by one, so ties may end otherwise.

    Returns:
        The tree.

    Example:
        Units 0 and 2 are alike.

        >>> far = np.array([[0.0, 0.5], [0.5, 0.0]])
        >>> link_copies(np.array([0, 1, 0]), [np.array([0, 1])], [far])
        MergeTree(left=[0, 1], right=[2, 3], height=[0.0, 0.5])
    """
    members = _members(kind)
    slots, merges = _Slots(), []
    for number, (kinds, table) in enumerate(zip(blocks, distances, strict=True)):
        own = [members[kind] for kind in kinds.tolist()]
        if number in together:
            merges += [(*pair, 0.0) for units in own for pair in pairwise(units)]
        _add_block(slots, own, table, number in together)
    return _tree(_chain(slots, len(kind), merges))


def _members(kind: Int[np.ndarray, " unit"]) -> list[list[int]]:
    """List the units of each kind."""
    order = np.argsort(kind, kind="stable")
    bounds = np.cumsum(np.bincount(kind))[:-1]
    return [found.tolist() for found in np.split(order, bounds)]


def _add_block(
    slots: _Slots,
    members: list[list[int]],
    distances: Float[np.ndarray, "_ _"],
    together: bool,
) -> None:
    """Change `slots`: add those of a block."""
    sizes = [len(units) if together else 1 for units in members]
    if together:
        members = [units[-1:] for units in members]
    repeated = [place for place, units in enumerate(members) if len(units) > 1]
    picked = np.array([*range(len(members)), *repeated])
    table = distances[np.ix_(picked, picked)] if repeated else distances.copy()
    np.fill_diagonal(table, np.inf)
    first = len(slots.index)
    numbers = list(range(first, first + len(picked)))
    block = _Block(numbers, table, len(picked))
    slots.block += [block] * len(picked)
    slots.place += range(len(picked))
    # The first copies from the back, so that the next one is at hand.
    slots.copies += [units[:0:-1] for units in members] + [[]] * len(repeated)
    slots.index += [units[0] for units in members]
    slots.index += [members[place][1] for place in repeated]
    slots.size += sizes + [1] * len(repeated)
    slots.partner += [-1] * len(picked)
    for number, place in enumerate(repeated, start=first + len(members)):
        slots.partner[first + place] = number
        slots.partner[number] = first + place


def _chain(
    slots: _Slots, unit_count: int, merges: list[tuple[int, int, float]]
) -> list[tuple[int, int, float]]:
    """Follow chains of nearest neighbours, and join each two that are nearest mutually.

    Among equally near ones the one before in the chain goes first, then the one with
    the lowest index; what is joined lives on at the higher index of the two. So it is
    in scipy, and so ties end alike.
    """
    alive = bytearray(b"\1") * unit_count
    for gone, _, _ in merges:
        alive[gone] = 0
    at = {index: slot for slot, index in enumerate(slots.index)}
    chain: list[int] = []
    start, height = 0, 1.0
    while len(merges) < unit_count - 1:
        if not chain:
            start = alive.find(1, start)
            chain.append(at[start])
        while True:
            slot = chain[-1]
            block = slots.block[slot]
            row = block.table[slots.place[slot]]
            best, height = float(row.min()), 1.0
            if len(chain) > 1:
                if slots.block[chain[-2]] is block:
                    height = float(row[slots.place[chain[-2]]])
                if not best < height:
                    break
            elif best >= 1.0:
                # All the others are equally far, in this block or not.
                other = alive.find(1, start)
                if other == slots.index[slot]:
                    other = alive.find(1, other + 1)
                chain.append(at[other])
                continue
            nearest = [block.slots[place] for place in (row == best).nonzero()[0]]
            chain.append(min(nearest, key=slots.index.__getitem__))
        last, before = chain.pop(), chain.pop()
        merges.append(_join(slots, last, before, height))
        lower, higher = merges[-1][:2]
        alive[lower] = 0
        at[higher] = last if slots.index[last] == higher else before
    return merges


def _join(slots: _Slots, one: int, other: int, height: float) -> tuple[int, int, float]:
    """Change `slots`: join two, and tell at which indices they were."""
    if slots.index[one] > slots.index[other]:
        one, other = other, one
    lower, higher = slots.index[one], slots.index[other]
    sizes = slots.size[one], slots.size[other]
    block = slots.block[other]
    if slots.partner[one] == other:
        # One more copy joins those that are together: they stay in their slot.
        left = slots.copies[one]
        left.pop()
        slots.index[one] = higher
        slots.size[one] += 1
        _average(block, slots.place[one], slots.place[other], slots.place[one], sizes)
        if left:
            block.table[slots.place[one], slots.place[other]] = 0.0
            block.table[slots.place[other], slots.place[one]] = 0.0
            slots.index[other] = left[-1]
        else:
            slots.index[other] = -1
            slots.partner[one] = -1
            _drop(slots, other)
        return lower, higher, height
    slots.size[other] += slots.size[one]
    if slots.block[one] is block:
        _average(block, slots.place[one], slots.place[other], slots.place[other], sizes)
    slots.index[one] = -1
    _drop(slots, one)
    return lower, higher, height


def _average(
    block: _Block, one: int, other: int, kept: int, sizes: tuple[int, int]
) -> None:
    """Change the block: the distances from two slots together, by size."""
    table = block.table
    mean = (sizes[0] * table[one] + sizes[1] * table[other]) / sum(sizes)
    # Infinite on the diagonal and for what is gone, and so at both own places.
    table[kept] = mean
    table[:, kept] = mean


def _drop(slots: _Slots, gone: int) -> None:
    """Change `slots`: take one out of its block."""
    block = slots.block[gone]
    block.table[:, slots.place[gone]] = np.inf
    block.alive -= 1
    if 2 * block.alive > len(block.slots) or len(block.slots) < _WORTH_SHRINKING:
        return
    kept = [slot for slot in block.slots if slots.index[slot] >= 0]
    places = np.array([slots.place[slot] for slot in kept])
    block.table = block.table[np.ix_(places, places)]
    block.slots = kept
    for place, slot in enumerate(kept):
        slots.place[slot] = place


def _tree(merges: list[tuple[int, int, float]]) -> MergeTree:
    """Order merges by height and name what each joins."""
    unit_count = len(merges) + 1
    root = list(range(2 * unit_count - 1))
    tree = MergeTree([], [], [])
    ordered = sorted(merges, key=lambda merge: merge[2])
    for number, (one, other, height) in enumerate(ordered, start=unit_count):
        left, right = sorted((_root(root, one), _root(root, other)))
        root[left] = root[right] = number
        tree.left.append(left)
        tree.right.append(right)
        tree.height.append(height)
    return tree


def _root(root: list[int], unit: int) -> int:
    """Find what a unit is part of; change `root`, so that it is near next time."""
    top = unit
    while root[top] != top:
        top = root[top]
    while root[unit] != top:
        root[unit], unit = top, root[unit]
    return top
