import copy
import json

import networkx
import pytest
import torch
import torch_pruning as tp
from exported import halves, random_report
from networks import Concat, Residual, mlp, warmed
from safetensors import safe_open
from torch import nn
from torch.nn.utils import prune

import sculpt_plugin as sp
from sculpt_plugin import export
from sculpt_plugin.errors import CheckpointError, ExportError, ModelError

READERS = {
    "graphml": lambda path: networkx.read_graphml(path, node_type=int),
    "gexf": lambda path: networkx.read_gexf(path, node_type=int),
    "json": lambda path: networkx.node_link_graph(
        json.loads(path.read_text()), edges="edges"
    ),
}


def sparse(model, *, share=0.6):
    """Set weights at random to zero, and cut off a few units from what they feed."""
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                layer.weight.mul_(torch.rand_like(layer.weight) > share)
                layer.weight[:, torch.rand(layer.weight.shape[1]) < 0.4] = 0
    return model


def masked_by_torch(model, path):
    """Apply a mask file with torch alone; give what can be cut out."""
    with safe_open(path, "pt") as file:
        masks = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        gone = json.loads(file.metadata()["sculpt"])["gone"]
    for name, keep in masks.items():
        layer, _, parameter = name.rpartition(".")
        prune.custom_from_mask(model.get_submodule(layer), parameter, keep)
        prune.remove(model.get_submodule(layer), parameter)
    return gone


def cut_by_torch_pruning(model, gone, example_inputs):
    """Cut units out with torch-pruning alone, where a whole group of them may go."""
    graph = tp.DependencyGraph().build_dependency(model, example_inputs)
    names = {layer: name for name, layer in model.named_modules()}
    groups = list(graph.get_all_groups(root_module_types=[nn.Linear, nn.Conv2d]))
    for group in groups:
        dead = set(range(len(group[0].idxs)))
        for item in group:
            made = graph.is_out_channel_pruning_fn(item.dep.handler)
            if made and isinstance(item.dep.layer, nn.Linear | nn.Conv2d):
                units = gone.get(names[item.dep.layer], [])
                pairs = zip(item.idxs, item.root_idxs, strict=True)
                dead &= {root for unit, root in pairs if unit in units}
        root = group[0].dep
        group = graph.get_pruning_group(root.layer, root.handler, sorted(dead))
        if graph.check_pruning_group(group):
            group.prune()


def weights_in(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("seed", range(3))
def test_networkx_gets_every_unit_and_every_edge(seed):
    graph = random_report(seed).graph
    given = graph.to_networkx()
    matrix = networkx.to_scipy_sparse_array(given, nodelist=range(graph.unit_count))
    assert (matrix.astype(bool) != graph.adjacency).nnz == 0
    assert all("weight" not in said for *_, said in given.edges(data=True))
    for unit in range(graph.unit_count):
        assert graph.units(given.nodes[unit]["layer"]).start <= unit


@pytest.mark.parametrize("suffix", READERS)
def test_the_suffix_names_the_format(suffix, tmp_path):
    report, path = halves(), tmp_path / f"graph.{suffix}"
    export.save(report, path)
    found = READERS[suffix](path)
    assert set(found.edges) == set(report.graph.to_networkx().edges)
    assert found.nodes[7]["module"] == 1


@pytest.mark.parametrize("suffix", READERS)
def test_the_same_report_gives_the_same_bytes(suffix, tmp_path):
    for name in ("a", "b"):
        export.save(halves(), tmp_path / f"{name}.{suffix}")
    assert (tmp_path / f"a.{suffix}").read_bytes() == (
        tmp_path / f"b.{suffix}"
    ).read_bytes()


def test_capital_letters_are_a_suffix_too(tmp_path):
    export.save(halves(), str(tmp_path / "graph.GEXF"))
    assert "<gexf" in (tmp_path / "graph.GEXF").read_text()


@pytest.mark.parametrize("name", ["graph", "graph.dot", "graph.gexf.gz", ".gexf"])
def test_another_suffix_is_refused(name, tmp_path):
    with pytest.raises(ExportError, match=r"must end in \.graphml, \.gexf or \.json"):
        export.save(halves(), tmp_path / name)


def test_a_folder_in_the_way_is_named(tmp_path):
    (tmp_path / "graph.gexf").mkdir()
    with pytest.raises(ExportError, match="must be a file to write, but is a folder"):
        export.save(halves(), tmp_path / "graph.gexf")


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(ExportError, match="does not: make it first"):
        export.save(halves(), tmp_path / "no" / "graph.gexf")


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "graph.json"
    path.write_text("old")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CheckpointError, match="No space left"):
        export.save(halves(), path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["graph.json"]


@pytest.mark.parametrize("kind", [Residual, Concat])
@pytest.mark.parametrize("seed", range(3))
def test_a_masked_and_cut_original_computes_what_the_sparse_model_does(
    kind, seed, tmp_path
):
    torch.manual_seed(seed)
    dense, batch = warmed(kind)
    model = kind().eval()
    model.load_state_dict(dense.state_dict())
    sparse(model)
    report = sp.analyze(model, batch[:1])
    export.save_masks(report, model, tmp_path / "masks.safetensors")

    gone = masked_by_torch(dense, tmp_path / "masks.safetensors")
    torch.testing.assert_close(dense(batch), model(batch))
    before = weights_in(dense)
    cut_by_torch_pruning(dense, gone, batch[:1])

    torch.testing.assert_close(dense(batch), model(batch))
    assert weights_in(dense) < before


def test_a_constant_unit_stays_since_its_bias_is_at_work(tmp_path):
    model = mlp(2, 2, 1)
    with torch.no_grad():
        model[0].weight[1] = 0
        model[0].bias[1] = 3
    report = sp.analyze(model, torch.zeros(1, 2))
    found = export.masks(report, model)
    assert report.hierarchy.label[3] == -1
    assert found.keep["0.weight"][1].tolist() == [False, False]
    assert "0.bias" not in found.keep
    assert found.keep["2.weight"].all()


def test_a_unit_that_a_norm_stops_still_passes_the_norms_bias_on(tmp_path):
    dense, batch = warmed(Residual)
    model = Residual().eval()
    model.load_state_dict(dense.state_dict())
    with torch.no_grad():
        model.norm2.weight[2] = 0
        model.norm2.bias[2] = 1
    report = sp.analyze(model, batch[:1])
    export.save_masks(report, model, tmp_path / "masks.safetensors")

    with torch.no_grad():
        dense.norm2.bias[2] = 1
    gone = masked_by_torch(dense, tmp_path / "masks.safetensors")

    torch.testing.assert_close(dense(batch), model(batch))
    assert gone == {}


def test_a_weight_that_two_layers_share_loses_only_its_zeros(tmp_path):
    dense = mlp(4, 4, 4, 2)
    dense[2].weight = dense[0].weight
    model = copy.deepcopy(dense)
    with torch.no_grad():
        model[0].weight[1] = 0
        model[4].weight[:, 2:] = 0
    report = sp.analyze(model, torch.zeros(1, 4))
    export.save_masks(report, model, tmp_path / "masks.safetensors")

    masked_by_torch(dense, tmp_path / "masks.safetensors")

    batch = torch.randn(5, 4)
    torch.testing.assert_close(dense(batch), model(batch))


def test_our_own_functions_read_apply_and_cut_by_the_mask_file(tmp_path):
    model, original = mlp(8, 16, 3), mlp(8, 16, 3)
    original.load_state_dict(model.state_dict())
    sparse(model, share=0.3)
    report = sp.analyze(model, torch.zeros(1, 8))
    export.save_masks(report, model, tmp_path / "masks.safetensors")

    masks = sp.load_masks(tmp_path / "masks.safetensors")
    sp.attach(original, masks)

    batch = torch.randn(5, 8)
    torch.testing.assert_close(original(batch), model(batch))
    assert masks.density == export.masks(report, model).density < 1
    small = sp.compact(original, batch[:1], masks=masks).model
    torch.testing.assert_close(small(batch), model(batch))
    assert small[0].out_features < 16


def test_masks_of_another_model_are_refused(tmp_path):
    report = sp.analyze(mlp(2, 3, 1), torch.zeros(1, 2))
    with pytest.raises(ModelError, match="has 3 units in the report and 5 in"):
        export.save_masks(report, mlp(2, 5, 1), tmp_path / "masks.safetensors")
    assert not list(tmp_path.iterdir())
