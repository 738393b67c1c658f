"""The clusters of one layer, cut from one average-linkage tree."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.cluster import hierarchy

from sculpt_plugin.analysis.hierarchy import LayerClusters, Rule


@dataclass(frozen=True, eq=False)
class MergeTree:
    """The order in which units that look alike are joined.

    Attributes:
        left: One side of each merge: a unit, or `unit_count + m` for the outcome of
            merge `m`.
        right: The other side.
        height: Mean distance between the two sides, never falling.
    """

    left: list[int]
    right: list[int]
    height: list[float]

    @property
    def unit_count(self) -> int:
        """Number of units that the tree joins."""
        return len(self.left) + 1


def cluster(
    features: Bool[np.ndarray, "unit later"], *, modularity_threshold: float = 0.2
) -> LayerClusters:
    """Group the units of a layer by what they influence.

    One tree over the cosine distances of the rows gives every possible number of
    clusters and its score. Where the best score is weak, or lies at an end of the
    scan, two tests against chance may decide that the units are all apart or all one.

    Args:
        features: What `reach` gives for the layer, over the layers in sight: with a
            bounded number of steps the columns beyond them must be left out, because
            the tests against chance count columns.
        modularity_threshold: The scan is trusted without a test only where its score
            is at most the negative of this. From 0 (trust most) to 1 (trust none).

    Returns:
        Clusters numbered in order of first appearance.

    Example:
        Two units feed one pair of later units, two the other.

        >>> import numpy as np
        >>> rows = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1]])
        >>> found = cluster(rows.astype(bool))
        >>> found.labels.tolist(), found.modularity, found.rule
        ([0, 1, 0, 1], {2: -0.5, 3: -0.375}, 'scan')

    Reference:
        Patil, Michael and Dovrolis, "Neural Sculpting", NeurIPS 2023,
        https://arxiv.org/abs/2305.18402
    """
    unit_count = len(features)
    if unit_count < 2:
        return LayerClusters(np.zeros(unit_count, dtype=np.int64), {}, "single")
    distances = cosine_distances(features)
    tree = average_linkage(distances)
    return choose_cut(
        tree,
        distances.sum(axis=1),
        features.__getitem__,
        lambda side: np.logical_or.reduce(features[side]),
        modularity_threshold=modularity_threshold,
    )


def choose_cut(
    tree: MergeTree,
    distance_sums: Float[np.ndarray, " unit"],
    row: Callable[[int], Bool[np.ndarray, " later"]],
    union: Callable[[Bool[np.ndarray, " unit"]], Bool[np.ndarray, " later"]],
    *,
    modularity_threshold: float = 0.2,
    nearest: tuple[int, int] | None = None,
) -> LayerClusters:
    """Cut the tree of a layer by the best score, or as the tests against chance say.

    Args:
        tree: What `average_linkage` or `link_copies` gave.
        distance_sums: For each unit the sum of its distances to all others.
        row: Gives the columns that a unit has.
        union: Gives the columns that any unit of one side has.
        modularity_threshold: As for `cluster`.
        nearest: The two units that look most alike. None: those that the tree joins
            first.

    Returns:
        As for `cluster`.

    Example:
        >>> import numpy as np
        >>> rows = np.eye(2, dtype=bool)
        >>> tree = average_linkage(cosine_distances(rows))
        >>> any_of = lambda side: rows[side].any(axis=0)
        >>> choose_cut(tree, np.ones(2), rows.__getitem__, any_of).rule
        'all apart'
    """
    unit_count = tree.unit_count
    scores = score_cuts(tree, distance_sums)
    # The lowest score wins, on a tie the larger number of clusters.
    chosen = min(scores, key=lambda count: (scores[count], -count), default=2)
    rule: Rule = "scan"
    doubtful = chosen in (2, unit_count - 1)
    if doubtful or scores[chosen] > -modularity_threshold:
        first, second = nearest or (tree.left[0], tree.right[0])
        side = cut(tree, 2) == 0
        rule = _overrule((row(first), row(second)), (union(side), union(~side)))
        chosen = {"all apart": unit_count, "all one": 1, "scan": chosen}[rule]
    return LayerClusters(cut(tree, chosen), scores, rule)


def cosine_distances(
    features: Bool[np.ndarray, "unit later"],
) -> Float[np.ndarray, "unit unit"]:
    """Give the cosine distance of each pair of rows, exactly 0 for equal rows.

    Args:
        features: One row per unit; no row may be empty.

    Returns:
        The distances, from 0 to 1.

    Example:
        >>> import numpy as np
        >>> cosine_distances(np.array([[True, True], [True, False]])).round(3)
        array([[0.   , 0.293],
               [0.293, 0.   ]])
    """
    # Counts are whole numbers below 2**24, so single precision holds them, and the root
    # of a square is exact: equal rows come out at 0, not at noise that looks like more.
    rows = features.astype(np.float32)
    overlap = (rows @ rows.T).astype(np.float64)
    counts = overlap.diagonal()
    overlap /= np.sqrt(counts[:, None] * counts)
    return np.subtract(1.0, overlap, out=overlap)


def average_linkage(distances: Float[np.ndarray, "unit unit"]) -> MergeTree:
    """Join the closest two groups, over and over, by their mean distance.

    Args:
        distances: Symmetric, for at least two units.

    Returns:
        The whole tree. Equal heights keep the order in which scipy finds them, which
        is scikit-learn's too.

    Example:
        >>> import numpy as np
        >>> tree = average_linkage(np.array([[0.0, 3, 4], [3, 0, 1], [4, 1, 0]]))
        >>> tree
        MergeTree(left=[1, 0], right=[2, 3], height=[1.0, 3.5])
    """
    unit_count = len(distances)
    upper = ~np.tri(unit_count, dtype=bool)
    merges = hierarchy.linkage(distances[upper], method="average")
    left, right = merges[:, :2].astype(np.int64).T.tolist()
    return MergeTree(left, right, merges[:, 2].tolist())


def cut(tree: MergeTree, cluster_count: int) -> Int[np.ndarray, " unit"]:
    """Replay merges of the tree until so many clusters are left.

    scipy's `fcluster` and `cut_tree` are no substitute: where heights tie, they give
    fewer clusters than asked for, or others.

    Args:
        tree: What `average_linkage` gave.
        cluster_count: From 1 to the number of units.

    Returns:
        The cluster of each unit, numbered in order of first appearance.

    Example:
        >>> cut(MergeTree(left=[1, 0], right=[2, 3], height=[1.0, 3.5]), 2)
        array([0, 1, 1])
    """
    unit_count = tree.unit_count
    replayed = unit_count - cluster_count
    root = list(range(unit_count + replayed))
    for merge in reversed(range(replayed)):
        top = root[unit_count + merge]
        root[tree.left[merge]] = root[tree.right[merge]] = top
    number: dict[int, int] = {}
    return np.array([number.setdefault(top, len(number)) for top in root[:unit_count]])


def score_cuts(
    tree: MergeTree, distance_sums: Float[np.ndarray, " unit"]
) -> dict[int, float]:
    """Score every cut of the tree in one pass, low is good (the paper's `q_k`).

    With the distances scaled to sum 1, the score of a cut is the distance inside its
    clusters minus what chance would put there, the sum of the clusters' squared
    shares. A merge adds the summed distance of its two sides, which in average linkage
    is height times both sizes, to the first term; and twice the product of their
    shares to the second.

    Args:
        tree: What `average_linkage` gave.
        distance_sums: For each unit the sum of its distances to all others.

    Returns:
        The score of each number of clusters from 2 to one less than the units, rounded
        to 8 decimals so that ties are ties.

    Example:
        >>> import numpy as np
        >>> distances = np.array([[0.0, 3, 4], [3, 0, 1], [4, 1, 0]])
        >>> score_cuts(average_linkage(distances), distances.sum(axis=1))
        {2: -0.38281...}
    """
    unit_count = tree.unit_count
    total = float(distance_sums.sum()) or 1.0
    share = (distance_sums / total).tolist()
    size = [1] * unit_count
    inside = 0.0
    chance = sum(part * part for part in share)
    scores = {}
    merges = zip(tree.left, tree.right, tree.height, strict=True)
    for left_clusters, (left, right, height) in zip(
        range(unit_count - 1, 1, -1), merges, strict=False
    ):
        inside += 2 * height * size[left] * size[right] / total
        chance += 2 * share[left] * share[right]
        size.append(size[left] + size[right])
        share.append(share[left] + share[right])
        scores[left_clusters] = round(inside - chance, 8)
    return dict(sorted(scores.items()))


_Two = tuple[Bool[np.ndarray, " later"], Bool[np.ndarray, " later"]]


def _overrule(nearest: _Two, sides: _Two) -> Rule:
    """Decide by chance: all units apart, all of them one, or neither."""
    apart, apart_strength = _below_chance(*nearest)
    whole, whole_strength = _above_chance(*sides)
    if apart and (not whole or apart_strength > whole_strength):
        return "all apart"
    return "all one" if whole else "scan"


def _below_chance(
    first: Bool[np.ndarray, " later"], second: Bool[np.ndarray, " later"]
) -> tuple[bool, float]:
    """Whether two rows overlap no more than chance would have it, and how clearly."""
    larger, common, excess, strength = _against_chance(first, second)
    return (common < larger and excess <= 0) or common < 1, -strength


def _above_chance(
    first: Bool[np.ndarray, " later"], second: Bool[np.ndarray, " later"]
) -> tuple[bool, float]:
    """Whether two rows overlap no less than chance would have it, and how clearly."""
    larger, common, excess, strength = _against_chance(first, second)
    return (common >= 1 and excess >= 0) or common >= larger, strength


def _against_chance(
    first: Bool[np.ndarray, " later"], second: Bool[np.ndarray, " later"]
) -> tuple[int, int, float, float]:
    """The larger count, the common count, its excess over chance, plain and scaled."""
    columns = len(first)
    counts = int(first.sum()), int(second.sum())
    common = int((first & second).sum())
    # Whole numbers until the division, so that no excess is exactly 0.
    product = counts[0] * counts[1]
    excess = (common * columns - product) / columns
    deviation = (product * (columns**2 - product)) ** 0.5 / columns**1.5
    return max(counts), common, excess, excess / (deviation or 1.0)
