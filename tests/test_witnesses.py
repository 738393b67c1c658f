import numpy as np
import pytest
import torch
from small_sweep import Start, hand_made

from sculpt_plugin import trace
from sculpt_plugin.errors import CheckpointError
from sculpt_plugin.reproducing.witnesses import (
    read_witnesses,
    save_witnesses,
    sparsest_witnesses,
)


@pytest.fixture
def swept():
    return hand_made(build=Start(hidden=(6, 5)))


def test_the_sparsest_of_each_seed_come_first(swept):
    found = sparsest_witnesses(swept, count=3)
    assert [witness.seed for witness in found] == [0, 0, 0, 1, 1, 1]
    counts = [len(witness.edges) for witness in found]
    assert counts[:3] == sorted(counts[:3])
    assert counts[0] == swept.sparsest(0).network.edge_count


def test_a_witness_has_the_graph_and_the_density_of_its_run(swept):
    run = swept.sparsest(0)
    witness = sparsest_witnesses(swept, count=1)[0]
    expected = trace(swept.model(run), torch.zeros(1, 4))
    assert witness.sizes == expected.sizes == (4, 6, 5, 4)
    found = witness.graph.adjacency.toarray()
    assert np.array_equal(found, expected.adjacency.toarray())
    assert witness.density == run.density
    assert (witness.unit_step, witness.edge_step) == (run.unit_step, run.edge_step)


def test_weights_and_biases_are_those_of_the_network(swept):
    witness = sparsest_witnesses(swept, count=1)[0]
    model = swept.model(swept.sparsest(0))
    weights = [model[place].weight.detach() for place in (0, 2, 4)]
    flat = torch.cat([table[table != 0] for table in weights]).sort().values
    assert sorted(witness.weights.tolist()) == flat.tolist()
    biases = [model[place].bias.detach() for place in (0, 2, 4)]
    assert witness.biases.tolist() == torch.cat(biases).tolist()
    source, target = witness.edges[0].tolist()
    assert witness.weights[0] == weights[0][target - 4, source]


def test_runs_with_the_same_wiring_are_one_witness(swept):
    twice = swept.__class__(
        tuple(run for run in swept.runs for _ in range(2)),
        1.0,
        swept._build,
        swept._weights,
        swept._masked,
    )
    found = sparsest_witnesses(twice, count=2)
    assert [witness.runs for witness in found] == [2, 2, 2, 2]
    assert len({witness.edges.tobytes() for witness in found}) == 4


def test_a_seed_without_results_has_no_witness():
    steps = [(0, unit, edge) for unit in (0.1, 0.2, 0.3) for edge in (0.01, 0.02)]
    found = sparsest_witnesses(hand_made(failed=steps))
    assert {witness.seed for witness in found} == {1}


def test_witnesses_come_back_from_disk_as_they_were(swept, tmp_path):
    found = sparsest_witnesses(swept)
    save_witnesses(tmp_path / "a.safetensors", found)
    for before, after in zip(
        found, read_witnesses(tmp_path / "a.safetensors"), strict=True
    ):
        assert vars(before).keys() == vars(after).keys()
        for name, value in vars(before).items():
            assert np.array_equal(value, vars(after)[name])


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match=r"a\.safetensors must hold .* damaged"):
        read_witnesses(tmp_path / "a.safetensors")
