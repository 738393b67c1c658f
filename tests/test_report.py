import io
import json
from dataclasses import replace

import pytest
import torch
from networks import mlp
from rich.console import Console
from torch import nn
from torch.nn.utils import prune

from sculpt_plugin.analysis.hierarchy import Approximation
from sculpt_plugin.errors import GraphError
from sculpt_plugin.pruning.masks import Masks, attach
from sculpt_plugin.report import analyze

KEYS = ["schema", "layers", "modules", "edges", "coverage", "settings", "versions"]


def two_halves():
    """Inputs 0 and 1 feed output 0, inputs 2 and 3 output 1; unit 2 is dead."""
    model = mlp(4, 3, 2)
    with torch.no_grad():
        model[0].weight.copy_(
            torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]])
        )
        model[2].weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1, 1]]))
    return model


def printed(report):
    console = Console(width=100, color_system=None, file=io.StringIO())
    console.print(report)
    return console.file.getvalue()


def test_what_is_printed_ends_with_what_was_covered():
    *_, last = printed(analyze(two_halves(), torch.zeros(1, 4))).splitlines()
    assert last == "covered: 100 % of 23 parameters exactly"


def test_the_report_has_the_keys_of_its_format():
    report = analyze(two_halves(), torch.zeros(1, 4)).to_dict()
    assert list(report) == KEYS
    assert report["schema"] == "sculpt-report/1"
    assert json.loads(json.dumps(report)) == report


def test_layers_and_modules_are_told_by_hand_worked_values():
    report = analyze(two_halves(), torch.zeros(1, 4)).to_dict()
    assert report["layers"] == [
        {"name": "inputs", "kind": "input", "units": 4, "module": [0, 0, 1, 1]},
        {"name": "0", "kind": "linear", "units": 3, "module": [0, 1, None]},
        {"name": "2", "kind": "linear", "units": 2, "module": [0, 1]},
    ]
    assert report["modules"][0] == {
        "id": 0,
        "level": 0,
        "layers": [0, 1, 2],
        "units": 4,
        "inputs": ["x0", "x1"],
        "outputs": ["y0"],
        "used_by": [],
        "input_separable": True,
        "density": 1.0,
    }
    assert report["edges"] == []
    assert report["settings"] == {"method": "bidirectional"}


def test_settings_of_the_papers_method_are_told_as_they_were_taken():
    report = analyze(two_halves(), torch.zeros(1, 4), merge_threshold=0.6)
    assert report.settings == {
        "hops": None,
        "merge_threshold": 0.6,
        "modularity_threshold": 0.2,
        "method": "agglomerative",
    }


@pytest.mark.parametrize("how", ["zeroed", "masked by torch", "masked by us", "cut"])
def test_however_the_network_became_sparse_its_modules_are_the_same(how):
    model = two_halves()
    if how == "masked by torch":
        for layer in (model[0], model[2]):
            mask = layer.weight != 0
            with torch.no_grad():
                layer.weight[~mask] = 7.0
            prune.custom_from_mask(layer, "weight", mask)
    if how == "masked by us":
        keep = {f"{n}.weight": model[n].weight != 0 for n in (0, 2)}
        attach(model, Masks(keep, tuple(keep)))
        with torch.no_grad():
            for name, kept in keep.items():
                model.get_parameter(name)[~kept] = 7.0
    if how == "cut":
        small = mlp(4, 2, 2)
        with torch.no_grad():
            small[0].weight.copy_(model[0].weight[:2])
            small[2].weight.copy_(model[2].weight[:, :2])
        model = small
    found = analyze(model, torch.zeros(1, 4)).to_dict()["modules"]
    assert [module["inputs"] for module in found] == [["x0", "x1"], ["x2", "x3"]]


def test_the_table_names_every_module():
    text = printed(analyze(two_halves(), torch.zeros(1, 4)))
    assert "M0" in text and "M1" in text
    assert "x0, x1" in text
    assert "8 live units, 1 dead; 7 edges" in text


def test_names_from_a_model_are_no_markup():
    model = nn.Sequential()
    model.add_module("[bold red]x[/]", nn.Linear(2, 2))
    assert "[bold r" in printed(analyze(model, torch.zeros(1, 2)))


def test_a_network_without_hidden_layer_is_analyzed():
    model = nn.Sequential(nn.Linear(2, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(2))
    assert len(analyze(model, torch.zeros(1, 2)).hierarchy.modules) == 2


def test_an_all_dead_network_is_refused_with_advice():
    model = mlp(3, 4, 2)
    with torch.no_grad():
        model[2].weight.zero_()
    with pytest.raises(GraphError, match="every hidden unit is dead"):
        analyze(model, torch.zeros(1, 3))


def test_what_is_not_exact_is_named_in_the_report():
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    found = analyze(model, torch.zeros(1, 3), verify=True).to_dict()["coverage"]
    assert found["layers"][1]["coverage"] == "approximated"
    assert found["approximated"] == 8 / (16 + 8 + 10)
    assert found["verified"]["missed"] == 0


def test_coverage_is_complete_where_a_model_is_traced():
    coverage = analyze(two_halves(), torch.zeros(1, 4)).to_dict()["coverage"]
    assert coverage["exact"] == 1.0
    assert coverage["parameters"] == 4 * 3 + 3 + 3 * 2 + 2


def test_louvain_is_set_beside_the_papers_method():
    report = analyze(two_halves(), torch.zeros(1, 4), method="louvain")
    found = report.to_dict()["second_opinion"]
    # Two parts of three live edges each: all inside, and 1/4 + 1/4 by chance.
    assert found["modularity"] == {"louvain": 0.5, "agglomerative": 0.5}
    assert found["adjusted_rand_index"] == 1.0
    assert json.loads(report.to_json())["settings"]["method"] == "louvain"
    text = " ".join(printed(report).split())
    assert "modularity: louvain 0.500, agglomerative 0.500 adjusted" in text
    assert "adjusted Rand index of the two: 1.000" in text


def test_seed_and_restarts_of_louvain_are_recorded():
    settings = analyze(two_halves(), torch.zeros(1, 4), method="louvain").settings
    assert (settings["seed"], settings["restarts"]) == (0, 10)


def test_settings_of_the_paper_count_for_its_side_of_the_comparison():
    model, example = two_halves(), torch.zeros(1, 4)
    report = analyze(model, example, method="louvain", hops=1, merge_threshold=0.5)
    assert report.settings["hops"] == 1
    assert report.to_dict()["second_opinion"]["modules"]["agglomerative"] == 2


def test_other_methods_have_no_second_opinion():
    assert "second_opinion" not in analyze(two_halves(), torch.zeros(1, 4)).to_dict()


def test_an_approximation_is_told_in_the_data_and_in_the_table():
    report = analyze(two_halves(), torch.zeros(1, 4), method="agglomerative")
    first, *others = report.hierarchy.clusters
    rough = replace(first, approximation=Approximation(9000, 1024, 2048, 7000))
    hierarchy = replace(report.hierarchy, clusters=(rough, *others))
    report = replace(report, hierarchy=hierarchy)
    found = report.to_dict()
    assert found["approximations"] == [
        {
            "layer": "inputs",
            "rows": 9000,
            "groups": 1024,
            "columns": 2048,
            "differing": 7000,
        }
    ]
    assert json.loads(report.to_json()) == found
    text = " ".join(printed(report).split())
    assert "approximated: 1 of 3 layers, with up to 9,000 different rows" in text
