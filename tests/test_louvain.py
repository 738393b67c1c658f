import subprocess
import sys

import community
import networkx
import numpy as np
import pytest
from layered_graphs import halves, random_graph
from sklearn.metrics import adjusted_rand_score

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.louvain import communities, compared, modularity
from sculpt_plugin.analysis.modules import detect


def undirected(graph: LayeredGraph) -> networkx.Graph:
    found = networkx.Graph()
    found.add_nodes_from(range(graph.unit_count))
    found.add_edges_from(zip(graph.edge_sources, graph.adjacency.indices, strict=True))
    return found


def test_halves_without_an_edge_between_them_are_never_mixed() -> None:
    graph = halves(10)
    label = communities(graph)
    pairs = set(zip(label.tolist(), (graph.channel % 2).tolist(), strict=True))
    assert len(pairs) == label.max() + 1


@pytest.mark.parametrize("seed", range(5))
def test_modularity_is_that_of_networkx(seed: int) -> None:
    graph = random_graph(seed, skipping=True)
    label = np.random.default_rng(seed).integers(0, 4, graph.unit_count)
    parts = [set(np.flatnonzero(label == part).tolist()) for part in range(4)]
    expected = networkx.community.modularity(undirected(graph), parts)
    assert modularity(graph, label) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(3))
def test_best_of_several_starts_is_taken(seed: int) -> None:
    graph = random_graph(seed)
    network = undirected(graph)
    scores = [
        community.modularity(community.best_partition(network, random_state=s), network)
        for s in range(seed, seed + 4)
    ]
    found = communities(graph, seed=seed, restarts=4)
    assert modularity(graph, found) == pytest.approx(max(scores))


def test_order_in_which_edges_were_given_changes_nothing() -> None:
    graph = random_graph(1)
    edges = np.stack([graph.edge_sources, graph.adjacency.indices], axis=1)
    turned = LayeredGraph.from_edges(graph.sizes, edges[::-1])
    assert (communities(graph) == communities(turned)).all()


def test_seed_of_pythons_hashes_changes_nothing() -> None:
    code = (
        "import numpy as np\n"
        "from sculpt_plugin.analysis.graph import LayeredGraph\n"
        "from sculpt_plugin.analysis.louvain import communities\n"
        "random = np.random.default_rng(0)\n"
        "edges = [(a, 30 + b) for a, b in random.integers(0, 30, (60, 2))]\n"
        "print(communities(LayeredGraph.from_edges((30, 30), edges)).tolist())\n"
    )
    found = [
        subprocess.check_output([sys.executable, "-c", code], env={"PYTHONHASHSEED": s})
        for s in ("1", "2")
    ]
    assert found[0] == found[1]


def test_communities_are_numbered_from_the_inputs_up_and_dead_units_have_none() -> None:
    edges = [(0, 3), (1, 4), (2, 3), (3, 6), (5, 6)]
    graph = LayeredGraph.from_edges((3, 3, 1), edges)
    found = detect(graph, method="louvain")
    assert found.label.tolist() == [0, -1, 0, 0, -1, -1, 0]
    assert found.clusters == ()


def test_communities_that_feed_each_other_share_a_level() -> None:
    # Two dense blocks, side by side; unit 0 feeds the second, unit 3 the first.
    block = [(a, b) for a in range(3) for b in range(6, 9)]
    block += [(a, b) for a in range(6, 9) for b in range(12, 15)]
    edges = block + [(a + 3, b + 3) for a, b in block] + [(0, 9), (3, 6)]
    found = detect(LayeredGraph.from_edges((6, 6, 6), edges), method="louvain")
    assert set(found.edges) == {(0, 1), (1, 0)}
    assert [module.level for module in found.modules] == [0, 0]


@pytest.mark.parametrize("seed", range(3))
def test_agreement_is_scikit_learns_adjusted_rand_index(seed: int) -> None:
    graph = random_graph(seed)
    louvain, paper = detect(graph, method="louvain"), detect(graph)
    found = compared(graph, louvain, paper)
    expected = adjusted_rand_score(paper.label, louvain.label)
    assert found["adjusted_rand_index"] == pytest.approx(expected)
    assert found["modules"] == {
        "louvain": len(louvain.modules),
        "agglomerative": len(paper.modules),
    }
