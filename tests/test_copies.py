import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csgraph

from sculpt_plugin.analysis.agreement import in_order
from sculpt_plugin.analysis.cluster import average_linkage, cosine_distances, cut
from sculpt_plugin.analysis.copies import link_copies


@st.composite
def repeated_rows(draw: st.DrawFn) -> np.ndarray:
    """Rows of which many are equal; heights tie all the time."""
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    kinds, columns = draw(st.integers(1, 9)), draw(st.integers(1, 14))
    rows = random.random((kinds, columns)) < draw(st.floats(0.05, 0.95))
    rows[:, 0] |= ~rows.any(axis=1)
    return rows[random.integers(0, kinds, draw(st.integers(2, 40)))]


def kinds_and_distances(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    kind = in_order(np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1))
    first = np.unique(kind, return_index=True)[1]
    return kind, cosine_distances(rows)[np.ix_(first, first)]


def links(tree) -> tuple[list[int], list[int], list[float]]:
    return tree.left, tree.right, tree.height


@given(repeated_rows())
def test_tree_is_scipys_of_all_units_to_the_last_bit(rows: np.ndarray) -> None:
    kind, distances = kinds_and_distances(rows)
    found = link_copies(kind, [np.arange(len(distances))], [distances])
    assert links(found) == links(average_linkage(cosine_distances(rows)))


@given(repeated_rows())
def test_tree_is_the_same_from_blocks_that_share_nothing(rows: np.ndarray) -> None:
    kind, distances = kinds_and_distances(rows)
    part = csgraph.connected_components(distances < 1)[1]
    blocks = [np.flatnonzero(part == number) for number in range(part.max() + 1)]
    tables = [distances[np.ix_(block, block)] for block in blocks]
    found = link_copies(kind, blocks, tables)
    assert links(found) == links(average_linkage(cosine_distances(rows)))


def test_tree_of_many_kinds_is_scipys_while_the_table_shrinks() -> None:
    random = np.random.default_rng(0)
    rows = random.random((400, 30)) < 0.4
    rows[:, 0] |= ~rows.any(axis=1)
    rows = rows[random.integers(0, 400, 600)]
    kind, distances = kinds_and_distances(rows)
    found = link_copies(kind, [np.arange(len(distances))], [distances])
    assert links(found) == links(average_linkage(cosine_distances(rows)))


@pytest.mark.parametrize("count", [2, 3, 5])
def test_units_joined_beforehand_end_in_the_same_clusters(count: int) -> None:
    random = np.random.default_rng(0)
    # Without ties, so that there is one right answer.
    distances = np.triu(random.uniform(0.1, 0.9, (6, 6)), 1)
    distances += distances.T
    kind = in_order(random.integers(0, 6, 40))
    one_by_one = link_copies(kind, [np.arange(6)], [distances])
    together = link_copies(kind, [np.arange(6)], [distances], together=[0])
    assert (cut(one_by_one, count) == cut(together, count)).all()


def test_distances_are_left_as_they_were() -> None:
    distances = np.array([[0.0, 0.5], [0.5, 0.0]])
    link_copies(np.array([0, 1, 0, 1]), [np.arange(2)], [distances])
    assert distances.tolist() == [[0.0, 0.5], [0.5, 0.0]]
