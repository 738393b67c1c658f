import numpy as np
import pytest
from layered_graphs import halves, random_graph

from sculpt_plugin.analysis import modules
from sculpt_plugin.analysis.cluster import cluster
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Approximation
from sculpt_plugin.analysis.large_layers import Limits, cluster_large
from sculpt_plugin.analysis.modules import detect

FEW = Limits(rows=16, landmarks=8, columns=32)


@pytest.mark.parametrize("hops", [None, 1, 2])
@pytest.mark.parametrize("skipping", [False, True])
@pytest.mark.parametrize("seed", range(15))
def test_clusters_are_those_of_the_plain_way(
    seed: int, skipping: bool, hops: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = random_graph(seed, skipping=skipping)
    plain = detect(graph, hops=hops, method="agglomerative")
    monkeypatch.setattr(modules, "_LARGE", 0)
    large = detect(graph, hops=hops, method="agglomerative")
    assert large.label.tolist() == plain.label.tolist()
    for one, other in zip(large.clusters, plain.clusters, strict=True):
        assert one.labels.tolist() == other.labels.tolist()
        assert (one.modularity, one.rule) == (other.modularity, other.rule)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_threshold_counts_as_in_the_plain_way(threshold: float) -> None:
    graph = halves(40)
    found = cluster_large(graph, modularity_threshold=threshold)[0]
    rows = modules.reach_by_layer(graph)[0]
    plain = cluster(rows, modularity_threshold=threshold)
    assert (found.labels.tolist(), found.rule) == (plain.labels.tolist(), plain.rule)


def test_exact_clusters_claim_no_approximation() -> None:
    assert [found.approximation for found in cluster_large(halves(40))] == [None] * 3


def test_too_many_rows_are_grouped_and_the_halves_still_found() -> None:
    graph = halves(120)
    first = cluster_large(graph, limits=FEW)[0]
    parity = graph.channel[graph.units(0)] % 2
    assert len(set(zip(first.labels.tolist(), parity.tolist(), strict=True))) == 2


def test_grouped_rows_are_told() -> None:
    graph = halves(120)
    found = cluster_large(graph, limits=FEW)[0].approximation
    assert found is not None
    assert found.rows > found.groups > 8
    assert found.differing > found.columns == 64


def test_work_that_is_too_much_is_saved_on_the_dearest_layer_first() -> None:
    # The first layer has more columns to compare than the others.
    limits = Limits(landmarks=8, columns=32, work=1.1e7)
    found = cluster_large(random_graph(4), limits=limits)
    told = [layer.approximation is not None for layer in found]
    assert 0 < sum(told) < len(told)


def test_columns_left_out_are_told() -> None:
    graph = halves(40)
    found = cluster_large(graph, limits=Limits(bits=2000))[0].approximation
    assert found is not None
    assert found == Approximation(found.rows, found.rows, found.columns, 120)
    assert 40 <= found.columns < 120


def test_layer_without_live_units_has_no_cluster() -> None:
    graph = LayeredGraph.from_edges((2, 1, 2), [(0, 3), (1, 4)]).live()
    found = cluster_large(graph)
    assert [len(layer.labels) for layer in found] == [2, 0]


def test_approximated_answer_is_the_same_each_time() -> None:
    graph = halves(120)
    labels = [cluster_large(graph, limits=FEW)[1].labels.tolist() for _ in range(2)]
    assert labels[0] == labels[1]


def test_detect_takes_the_large_way_by_itself() -> None:
    graph = halves(400)
    assert graph.unit_count > modules._LARGE
    found = detect(graph, method="agglomerative").clusters
    assert len(found) == 4
    assert np.unique(found[0].labels).tolist() == [0, 1]
