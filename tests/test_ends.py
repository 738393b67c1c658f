import numpy as np
import pytest
from layered_graphs import random_graph

from sculpt_plugin.analysis import describe as described
from sculpt_plugin.analysis.describe import describe
from sculpt_plugin.analysis.ends import listed, module_ends, separable


@pytest.mark.parametrize("seed", range(12))
def test_many_modules_are_described_as_few_are(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = random_graph(seed, skipping=True)
    module = np.random.default_rng(seed).integers(0, 9, graph.unit_count)
    module[:9] = np.arange(9)
    plain = describe(graph, module)
    monkeypatch.setattr(described, "_MANY", 0)
    assert describe(graph, module) == plain


def test_marks_travel_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = random_graph(3)
    module = np.arange(graph.unit_count)
    whole = module_ends(graph, module, 0)
    monkeypatch.setattr("sculpt_plugin.analysis.ends._WIDTH", 1)
    monkeypatch.setattr("sculpt_plugin.analysis.ends._BLOCK", 3)
    assert graph.sizes[0] > 0
    assert (module_ends(graph, module, 0) == whole).all()


def test_modules_with_the_same_ends_share_one_list() -> None:
    found = listed(np.array([[3], [1], [3]], dtype="<u8"), np.array([4, 7]))
    assert found == [(4, 7), (4,), (4, 7)]
    assert found[0] is found[2]


def test_shared_marks_matter_only_within_a_level() -> None:
    rows = np.array([[1], [1], [8], [2], [6]], dtype="<u8")
    assert separable(rows, [0, 1, 2, 2, 2]) == [True, True, True, False, False]
