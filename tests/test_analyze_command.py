"""What `sculpt analyze` writes and refuses, beside the report itself (test_cli.py)."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import networkx
import pytest
import torch
from networks import mlp
from safetensors.torch import save_file
from torch import nn

import sculpt_plugin as sp
from sculpt_plugin import analyze_command, cli
from sculpt_plugin.analysis import trace
from sculpt_plugin.analysis.modules import Method


class TwoInputs(nn.Module):
    """Adds what it makes of a picture and of a number."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.number = nn.Conv2d(1, 2, 3), nn.Linear(3, 2)
        self.output = nn.Linear(2, 2)

    def forward(self, picture, number):
        return self.output(self.conv(picture).mean((2, 3)) + self.number(number))


class Tokens(nn.Module):
    """Says something about three tokens of five."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.output = nn.Embedding(5, 4), nn.Linear(4, 2)

    def forward(self, tokens):
        return self.output(self.embedding(tokens).mean(1))


class Normed(nn.Sequential):
    """Has a norm that mixes its units."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.norm = nn.Linear(4, 3), nn.LayerNorm(3)
        self.act, self.output = nn.ReLU(), nn.Linear(3, 2)


@pytest.fixture
def sculpt(capsys, monkeypatch, tmp_path):
    """Run `sculpt analyze` in a folder of its own; give exit code, stdout, stderr."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        line = ["sculpt", "analyze", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as leave:
            cli.main()
        captured = capsys.readouterr()
        return leave.value.code, captured.out, captured.err

    return run


@pytest.fixture
def halves(tmp_path):
    """A file with two functions of two inputs each, and a unit that nothing reads."""
    model = mlp(4, 3, 2)
    with torch.no_grad():
        model[0].weight.copy_(
            torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]])
        )
        model[2].weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1, 0]]))
    torch.save(model.state_dict(), tmp_path / "m.pt")
    return model


@pytest.fixture
def rough(monkeypatch):
    """A trace that covers a quarter of the model exactly and is wrong twice."""
    real = trace.read

    def read(model, inputs, *, verify):
        layers = [
            {"name": "0", "kind": "Odd", "parameters": 3, "coverage": "approximated"},
            {"name": "2", "kind": "Linear", "parameters": 1, "coverage": "exact"},
        ]
        found = {"parameters": 4, "exact": 0.25, "approximated": 0.75, "layers": layers}
        counts = {"units": 5, "columns": 6, "missed": 2, "unseen": 1, "where": ["2"]}
        checked = {"verified": counts} if verify else {}
        return replace(real(model, inputs), coverage={**found, **checked})

    monkeypatch.setattr(trace, "read", read)


def test_the_methods_are_those_of_the_analysis():
    hint = analyze_command.analyze.__annotations__["method"]
    methods, nothing = get_args(get_args(hint)[0])
    assert get_args(methods) == get_args(Method)
    assert nothing is type(None)


def test_the_graph_is_exported_in_every_format_asked_for(sculpt, halves):
    code, out, _ = sculpt("m.pt", "--export", "g.gexf", "--export", "g.graphml")
    assert (code, "M1" in out) == (0, True)
    found = networkx.read_graphml("g.graphml", node_type=int)
    assert set(found) == set(networkx.read_gexf("g.gexf", node_type=int))
    assert [found.nodes[unit].get("module") for unit in (4, 5, 6)] == [0, 1, None]


def test_masks_are_written_for_the_model_in_the_file(sculpt, halves):
    assert sculpt("m.pt", "--masks", "masks.safetensors")[0] == 0
    masks = sp.load_masks("masks.safetensors")
    assert masks.keep["0.weight"].any(1).tolist() == [True, True, False]
    assert masks.keep["0.bias"].tolist() == [True, True, False]
    assert torch.equal(masks.keep["2.weight"], halves[2].weight != 0)


def test_masks_of_a_cut_model_are_refused_with_advice(sculpt, halves):
    report = sp.analyze(halves, torch.zeros(1, 4))
    compacted = sp.compact(
        halves, torch.zeros(1, 4), masks=sp.export.masks(report, halves)
    )
    from sculpt_plugin.pruning.keeping import save_compacted

    save_compacted("small.safetensors", compacted, halves)
    code, _, err = sculpt("small.safetensors", "--masks", "masks.safetensors")
    assert (code, err.count("\n")) == (1, 1)
    assert "layer '0' (linear) has 3 units in the report and 2 in the model" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--export", "g.dot"], 1, "must end in .graphml, .gexf or .json"),
        (["--export", "no/g.gexf"], 1, "does not: make it first"),
        (["--export", "folder.gexf"], 1, "but is a folder"),
        (["--masks", "folder.safetensors"], 1, "but is a folder"),
        (["--masks", "masks.pt"], 1, "saved as .safetensors, got 'masks.pt'"),
        (["--method", "magic"], 2, "'magic'"),
        (["--input-shape", "4:integer"], 2, "one of float32, "),
        (["--input-shape", "4:"], 2, "must end in a dtype after its colon"),
        (["--input-shape", "a"], 2, "as 1,28,28 or 16:int64"),
        (["--input-shape", "4:int64"], 1, "the input of --input-shape"),
        (["--input-shape", "4", "--input-shape", "4"], 1, "and [1, 4]"),
        (["--input-shape", "7"], 1, "--input-shape makes an input of shape [1, 7]"),
        (["--html", "no/r.html"], 1, "does not: make it first"),
        (["--html", "a.html", "--export", "a.html"], 1, "must end in .graphml"),
    ],
)
def test_what_cannot_be_done_is_said_on_one_line(
    sculpt, halves, arguments, code, message
):
    Path("folder.gexf").mkdir()
    Path("folder.safetensors").mkdir()
    found, out, err = sculpt("m.pt", *arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert message in err


def test_a_place_that_cannot_be_written_is_named_before_the_model_is_opened(sculpt):
    code, _, err = sculpt("nothing.pt", "--export", "g.dot")
    assert code == 1
    assert "g.dot" in err


def test_several_inputs_are_given_in_the_order_of_their_shapes(sculpt, monkeypatch):
    save_as_module("two_inputs_for_cli", TwoInputs, monkeypatch)
    code, out, _ = sculpt(
        "m.pt", "--model", "two_inputs_for_cli:build", "--json",
        "--input-shape", "1,5,5", "--input-shape", "3",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)["layers"][0]["units"] == 4


def test_tokens_are_typed_as_whole_numbers(sculpt, monkeypatch):
    save_as_module("tokens_for_cli", Tokens, monkeypatch)
    arguments = ("m.pt", "--model", "tokens_for_cli:build", "--input-shape", "3:int64")
    assert sculpt(*arguments)[0] == 0


def save_as_module(name, kind, monkeypatch):
    """Let `--model name:build` build a model, whose weights are in m.pt."""
    module = type(sys)(name)
    module.build = kind
    monkeypatch.setitem(sys.modules, name, module)
    torch.save(kind().state_dict(), "m.pt")


def test_the_report_ends_with_what_was_covered(sculpt, halves):
    out = sculpt("m.pt")[1]
    *_, covered, chain, following = out.splitlines()
    assert covered == "covered: 100 % of 23 parameters exactly"
    assert chain.startswith("read as a chain, a ReLU between each two layers")
    assert following == "Next: sculpt analyze m.pt --html report.html"


def test_what_is_not_exact_is_listed_below_the_report(sculpt, halves, rough):
    code, out, _ = sculpt("m.pt")
    assert code == 0
    assert (
        "covered: 25.0 % of 4 parameters exactly, 75.0 % approximated\n"
        "  '0' (Odd, 3 parameters) approximated\n"
    ) in out


def test_strict_is_content_with_a_model_that_is_covered_exactly(sculpt, halves):
    assert sculpt("m.pt", "--strict")[0] == 0


def test_strict_shows_the_report_and_then_fails(sculpt, halves, rough):
    code, out, err = sculpt("m.pt", "--strict", "--json", "--export", "g.json")
    assert (code, err.count("\n")) == (1, 1)
    assert json.loads(out)["coverage"]["exact"] == 0.25
    assert "only 25.0 % of its parameters are. Not exact: '0' (Odd" in err
    assert Path("g.json").exists()


def test_a_wrong_trace_is_told_and_fails(sculpt, halves, rough):
    code, out, err = sculpt("m.pt", "--verify")
    assert (code, err.count("\n")) == (1, 1)
    assert "verified: 5 units changed, 6 layer inputs compared; 2 changed" in out
    assert "changed 2 layer inputs that no edge leads to, at '2'" in err


def test_a_right_trace_is_told_in_the_report_and_its_json(sculpt, halves):
    code, out, _ = sculpt("m.pt", "--verify")
    assert code == 0
    assert " layer inputs compared; 0 changed without an edge" in out
    counts = json.loads(sculpt("m.pt", "--verify", "--json")[1])["coverage"]["verified"]
    assert counts["missed"] == 0 < counts["columns"]


def test_strict_refuses_a_norm_that_mixes_units(sculpt, monkeypatch):
    save_as_module("normed_for_cli", Normed, monkeypatch)
    code, out, err = sculpt(
        "m.pt", "--model", "normed_for_cli:build", "--strict", "--input-shape", "4"
    )
    assert (code, err.count("\n")) == (1, 1)
    assert "covered: 79.3 % of 29 parameters exactly, 20.7 % approximated" in out
    assert "Not exact: 'norm' (LayerNorm, 6 parameters) approximated: leaves out" in err


def test_the_file_that_is_analyzed_is_never_written_over(sculpt, halves, tmp_path):
    save_file(halves.state_dict(), "m.safetensors")
    for option, name in (("--masks", "m.safetensors"), ("--plot", "m.pt")):
        before = (tmp_path / name).read_bytes()
        code, _, err = sculpt(name, option, tmp_path / name)
        assert code == 2 and "must not replace the file that is analyzed" in err
        assert (tmp_path / name).read_bytes() == before


def test_two_results_in_one_file_are_refused(sculpt, halves, tmp_path):
    name = "g.safetensors"
    code, _, err = sculpt("m.pt", "--masks", name, "--plot", name)
    assert code == 2 and "two go to the same" in err
    assert not (tmp_path / name).exists()


def test_what_the_users_own_code_prints_is_no_part_of_the_json(sculpt, tmp_path):
    Path("talking.py").write_text(
        "from torch import nn\n"
        "def make():\n"
        "    print('hello')\n"
        "    return nn.Linear(2, 1)\n"
    )
    torch.save(nn.Linear(2, 1).state_dict(), "linear.pt")
    line = ("linear.pt", "--model", "talking:make", "--input-shape", "2", "--json")
    code, out, err = sculpt(*line)
    assert code == 0 and "hello" in err
    assert json.loads(out)["schema"] == "sculpt-report/1"


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_a_real_torchscript_file_is_refused_as_a_program(sculpt):
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), "script.pt")
    code, _, err = sculpt("script.pt")
    assert code == 3 and "TorchScript archive, which is a program" in err


def test_the_page_is_written_and_the_next_command_is_another(sculpt, halves):
    code, out, _ = sculpt("m.pt", "--html", "r.html")
    assert code == 0
    assert out.endswith("Next: sculpt analyze m.pt --html r.html --verify\n")
    assert "<title>m.pt</title>" in Path("r.html").read_text()


def test_quiet_prints_nothing_and_writes_what_was_asked_for(sculpt, halves):
    assert sculpt("m.pt", "--quiet", "--export", "g.gexf") == (0, "", "")
    assert Path("g.gexf").exists()


def test_quiet_still_fails_where_strict_does(sculpt, halves, rough):
    code, out, err = sculpt("m.pt", "--quiet", "--strict")
    assert (code, out, err.count("\n")) == (1, "", 1)


def test_json_with_quiet_is_the_report_alone(sculpt, halves):
    code, out, err = sculpt("m.pt", "--json", "--quiet")
    assert (code, json.loads(out)["schema"], err) == (0, "sculpt-report/1", "")


@pytest.mark.parametrize("name", ["[/bold]x.pt", "[bold red]x.pt", ":smile:.pt"])
def test_the_warning_before_code_runs_names_the_file_as_it_is(sculpt, name):
    Path(name).parent.mkdir(exist_ok=True)
    torch.save(mlp(4, 2, 2), name)
    code, _, err = sculpt(name, "--unsafe-load")
    assert code == 0
    assert err.startswith(f"Loading {name} runs whatever code it holds.\n")


def test_an_empty_name_is_not_the_current_folder(sculpt):
    code, _, err = sculpt("")
    assert code == 2
    assert "must be a path, got an empty one" in err
