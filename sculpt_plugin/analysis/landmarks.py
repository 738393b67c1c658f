"""Rows grouped by the landmark row that is nearest, in time linear in the rows."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int, UInt64
from scipy import sparse

from sculpt_plugin.analysis.bit_rows import take, varying

# Rows that are unpacked at once.
_BLOCK = 512
# Landmarks are taken in so many goes, each from the rows that are farthest by then.
_ROUNDS = 4


@dataclass(frozen=True, eq=False)
class Groups:
    """Rows in groups, and how far the groups are apart.

    Attributes:
        group: The group of each row.
        distances: The mean distance of the rows of two groups; 0 within a group.
        nearest: The row and the landmark that look most alike.
        likeness: Their cosine.
        columns: How many columns were looked at.
        differing: In how many columns rows differ.
    """

    group: Int[np.ndarray, " row"]
    distances: Float[np.ndarray, "group group"]
    nearest: tuple[int, int]
    likeness: float
    columns: int
    differing: int


def group_by_landmarks(
    packed: UInt64[np.ndarray, "row word"],
    copies: Int[np.ndarray, " row"],
    *,
    landmarks: int,
    columns: int,
) -> Groups:
    """Put rows into groups by the landmark that looks most like them.

    Average linkage needs the distance of each two rows. For very many rows, near ones
    are first put together; from there on average linkage is exact, since the mean
    cosine distance between two groups is one minus the product of their mean rows.

    Args:
        packed: Different rows of bits, more than there are landmarks.
        copies: How many units have each row.
        landmarks: How many groups to make, at most; some rows that no landmark shares a
            column with make one more.
        columns: How many columns to look at, at most, of those in which rows differ;
            others are left out by chance, always the same ones.

    Returns:
        The groups.
    """
    random = np.random.default_rng(0)
    looked_at, common = varying(packed)
    differing = len(looked_at)
    if differing > columns:
        looked_at = np.sort(random.choice(looked_at, columns, replace=False))
        common *= columns / differing
    rows = _unit_rows(packed, looked_at, common)
    likeness = np.zeros(len(packed), dtype=np.float32)
    group = np.full(len(packed), -1)
    chosen: list[int] = []
    nearest, closest = (0, 1), -1.0
    for turn in range(1, _ROUNDS + 1):
        new = _far_ones(random, likeness, chosen, turn * landmarks // _ROUNDS)
        like = rows @ rows[new].T
        best = like.argmax(axis=1)
        value = like[np.arange(len(rows)), best]
        nearer = value > likeness
        likeness[nearer] = value[nearer]
        group[nearer] = len(chosen) + best[nearer]
        chosen += new.tolist()
        value[chosen] = -1.0
        if value.max() > closest:
            top, closest = int(value.argmax()), float(value.max())
            nearest = (int(new[best[top]]), top)
    group = np.unique(group, return_inverse=True)[1].reshape(-1)
    distances = _mean_distances(rows, group, copies)
    return Groups(group, distances, nearest, closest, len(looked_at), differing)


def _unit_rows(
    packed: UInt64[np.ndarray, "row word"],
    columns: Int[np.ndarray, " column"],
    common: float,
) -> Float32[np.ndarray, "row wider"]:
    """Give rows of length 1; the last column stands for those that all rows have."""
    rows = np.empty((len(packed), len(columns) + 1), dtype=np.float32)
    for begin in range(0, len(packed), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        found = take(packed[block], columns)
        length = np.sqrt(found.sum(axis=1, dtype=np.float32) + common)
        scale = (1 / np.maximum(length, 1e-9)).astype(np.float32)[:, None]
        np.multiply(found, scale, out=rows[block, :-1])
        rows[block, -1:] = common**0.5 * scale
    return rows


def _far_ones(
    random: np.random.Generator,
    likeness: Float32[np.ndarray, " row"],
    chosen: list[int],
    wanted: int,
) -> Int[np.ndarray, " new"]:
    """Choose further landmarks by chance from the farther half of the other rows."""
    others = np.setdiff1d(np.arange(len(likeness)), chosen)
    count = wanted - len(chosen)
    far = others[np.argsort(likeness[others], kind="stable")]
    return np.sort(random.choice(far[: max(count, len(far) // 2)], count, False))


def _mean_distances(
    rows: Float32[np.ndarray, "row wider"],
    group: Int[np.ndarray, " row"],
    copies: Int[np.ndarray, " row"],
) -> Float[np.ndarray, "group group"]:
    """Give the mean distance of the rows of two groups, 0 within a group."""
    place = (group, np.arange(len(group)))
    members = sparse.coo_array((copies.astype(np.float32), place)).tocsr()
    mean = (members @ rows) / np.bincount(group, copies)[:, None]
    # Above 0, so that groups are never taken for one.
    distances = np.clip(1.0 - mean @ mean.T, 1e-9, 1.0)
    np.fill_diagonal(distances, 0.0)
    return distances
