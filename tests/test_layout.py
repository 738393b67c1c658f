"""The picture of the house: two halves that do not know each other, a face above."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sculpt_plugin

ROOT = Path(sculpt_plugin.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in FILES]

# What each part may import, besides its own: from the ground up.
GROUND = {"claim", "errors", "finite", "inputs", "randomness", "store", "threads"}
ALLOWED = {
    "claim": GROUND,
    "errors": set(),
    "finite": set(),
    "inputs": GROUND,
    "randomness": GROUND,
    "store": GROUND,
    "threads": set(),
    "coupling": GROUND,
    "tracing": GROUND,
    "files": {"errors", "vision"},
    "loading": GROUND | {"files"},
    "tasks": GROUND | {"training", "vision"},
    "analysis": GROUND | {"tracing"},
    "training": GROUND,
    "pruning": GROUND | {"coupling", "files", "training"},
    "drawing": {"errors", "store", "analysis", "pruning"},
    "plot": {"errors", "analysis", "pruning", "drawing"},
    "report": GROUND | {"analysis", "covered", "drawing"},
    "covered": {"errors", "files"},
    "exporting": GROUND | {"analysis", "coupling", "drawing", "pruning"},
    "export": GROUND | {"analysis", "exporting", "pruning", "report"},
    "interactive": {"errors", "analysis", "covered", "drawing", "exporting"},
    "html": GROUND | {"export", "exporting", "interactive", "report"},
    "result_folder": {"html", "plot", "pruning", "report", "store"},
    "running": GROUND
    | {"analysis", "tasks", "pruning", "plot", "report", "result_folder"},
    "running_digits": GROUND
    | {"plot", "pruning", "report", "running", "tasks", "training"},
    "reproducing": GROUND
    | {"analysis", "pruning", "running_digits", "tasks", "training"},
    "vision": GROUND,
    "handover": set(),
    "lightning": GROUND | {"handover", "pruning", "vision"},
    "sweeping": GROUND
    | {"analysis", "drawing", "tasks", "pruning", "plot", "report", "result_folder"},
}
FACE = {
    "__init__",
    "__main__",
    "analyze_command",
    "arguments",
    "cli",
    "digit_options",
    "options",
    "run_command",
    "task_names",
    "tasks_command",
    "versions",
    "sweep_command",
    "terminal",
    "reproduce_command",
}


def part_of(name: str) -> str:
    return Path(name).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The parts of the package that a file imports, in any way."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            if node.module == "sculpt_plugin":
                found |= {alias.name for alias in node.names}
            elif node.module and node.module.startswith("sculpt_plugin."):
                found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found |= {parts[1] for parts in names if parts[0] == "sculpt_plugin"}
    return found


@pytest.mark.parametrize("name", [n for n in NAMES if part_of(n) not in FACE])
def test_imports_point_one_way(name):
    part = part_of(name)
    assert imported(ROOT / name) - {part} <= ALLOWED[part]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_read_in_one_sitting(name):
    assert len((ROOT / name).read_text().splitlines()) <= 400


@pytest.mark.parametrize("name", NAMES)
def test_a_file_begins_with_its_idea(name):
    assert ast.get_docstring(ast.parse((ROOT / name).read_text()))


@pytest.mark.parametrize("name", NAMES)
def test_no_file_is_a_drawer_for_everything(name):
    drawers = {"utils", "helpers", "common", "misc"}
    assert not drawers & {p.removesuffix(".py") for p in Path(name).parts}


@pytest.mark.parametrize("name", [n for n in NAMES if part_of(n) != "coupling"])
def test_only_coupling_reads_torch_prunings_internals(name):
    tree = ast.parse((ROOT / name).read_text())
    modules = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    assert not any(m and m.startswith("torch_pruning") for m in modules)


def loaded_after(statement: str) -> set[str]:
    """The modules that a fresh Python has loaded after a statement."""
    command = [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"]
    return set(subprocess.check_output(command, text=True).split())


def test_importing_the_package_loads_neither_torch_nor_pictures_nor_rich():
    loaded = loaded_after("import sculpt_plugin")
    assert not loaded & {"torch", "matplotlib", "rich", "typer"}


def test_using_both_halves_loads_neither_pictures_nor_rich():
    loaded = loaded_after("from sculpt_plugin import analyze, plot, sculpt, tasks")
    assert not loaded & {"matplotlib", "rich", "typer"}


def test_no_search_waits_for_torchs_compiler():
    # It takes seconds, and some of torch's functions import it, or sympy for it.
    loaded = loaded_after("""
import torch
from sculpt_plugin import EdgeSensitivity, sculpt, sweep, tasks

task = tasks.get("4,1,4")
build, recipe = tasks.StartNetworks(task, (6,)), tasks.learning(task, hidden=(6,))
sculpt(build(0), recipe.inputs, train=recipe.train, evaluate=recipe.evaluate,
       batches=recipe.batches, loss=recipe.loss, min_score=0.0, units=0.5, edges=0.5)
sweep(build, recipe, seeds=(0,), unit_steps=(0.5,), edge_steps=(0.5,), min_score=0.0)
batches = [(torch.randn(3, 1, 4), torch.randn(3, 2, 3))]
loss = torch.nn.functional.mse_loss
EdgeSensitivity().measure(torch.nn.Conv1d(1, 2, 2), batches, loss)
""")
    assert not loaded & {"torch._dynamo", "sympy"}


def test_the_check_for_loaded_packages_can_fail():
    assert "matplotlib" in loaded_after("import matplotlib")


@pytest.mark.parametrize("name", sculpt_plugin.__all__)
def test_every_public_name_is_there_and_documented(name):
    value = getattr(sculpt_plugin, name)
    assert value.__doc__
    assert name in dir(sculpt_plugin)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'prune'"):
        _ = sculpt_plugin.prune
