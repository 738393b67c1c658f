import json
from functools import partial

import pytest
import torch
from small_sweep import engine, hand_made

from sculpt_plugin import tasks
from sculpt_plugin.errors import CheckpointError, ThresholdError
from sculpt_plugin.reproducing import outcome
from sculpt_plugin.reproducing.experiments import Cell
from sculpt_plugin.reproducing.outcome import (
    described,
    find_outcome,
    read_networks,
    run_cell,
)

CELL = Cell("4,1,4", (6,), (0.1, 0.2), (0.01,), seeds=(0, 1))


@pytest.fixture
def swift(monkeypatch):
    monkeypatch.setattr(outcome, "sweep", engine)


@pytest.mark.usefixtures("swift")
def test_an_outcome_comes_back_from_disk_as_it_was(tmp_path):
    made = run_cell(CELL, tmp_path, tasks.learning)
    assert find_outcome(tmp_path, CELL) == made
    assert made.cell == CELL
    assert len(made.runs) == 4
    assert {witness.seed for witness in read_networks(tmp_path, made)} == {0, 1}


@pytest.mark.usefixtures("swift")
def test_a_density_is_that_of_the_sparsest_network_of_a_seed(tmp_path):
    made = run_cell(CELL, tmp_path, tasks.learning)
    sparsest = read_networks(tmp_path, made)[0]
    assert made.edge_total == 4 * 6 + 6 * 4
    assert made.density(0) == sparsest.density
    assert made.density(7) is None


@pytest.mark.usefixtures("swift")
def test_a_cell_whose_networks_are_lost_is_not_done(tmp_path):
    made = run_cell(CELL, tmp_path, tasks.learning)
    (networks,) = tmp_path.glob("*.safetensors")
    networks.unlink()
    assert find_outcome(tmp_path, CELL) is None
    with pytest.raises(CheckpointError, match="missing or damaged: delete it and run"):
        read_networks(tmp_path, made)


@pytest.mark.usefixtures("swift")
def test_the_recipe_is_written_down_but_for_the_seed(tmp_path):
    learn = partial(tasks.learning, epochs=7)
    made = run_cell(CELL, tmp_path, learn)
    assert made.recipe == described(learn(tasks.get("4,1,4"), hidden=CELL.hidden))
    assert made.recipe["epochs"] == 7
    assert "seed" not in made.recipe


@pytest.mark.usefixtures("swift")
def test_torch_has_its_threads_back_afterwards(tmp_path):
    torch.set_num_threads(2)
    run_cell(CELL, tmp_path, tasks.learning)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)


def test_a_cell_that_nothing_learns_says_so(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise ThresholdError("none learns.")

    monkeypatch.setattr(outcome, "sweep", fails)
    made = run_cell(CELL, tmp_path, tasks.learning)
    assert made.problem == "none learns"
    assert made.runs == ()
    assert made.density(0) is None
    assert find_outcome(tmp_path, CELL) == made
    assert read_networks(tmp_path, made) == ()


def test_runs_that_failed_have_no_density(tmp_path, monkeypatch):
    failed = [(1, 0.1, 0.01), (1, 0.2, 0.01)]

    def swept(build, recipe, *, seeds, unit_steps, edge_steps, min_score):
        return hand_made(
            seeds=seeds,
            unit_steps=unit_steps,
            edge_steps=edge_steps,
            failed=failed,
            build=build,
        )

    monkeypatch.setattr(outcome, "sweep", swept)
    made = run_cell(CELL, tmp_path, tasks.learning)
    assert made.density(0) is not None
    assert made.density(1) is None
    assert {run.seed for run in made.runs if run.problem} == {1}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[",
        pytest.param("[" * 10**5, id="deep"),
        "{}",
        '{"schema": "other/1"}',
    ],
)
@pytest.mark.usefixtures("swift")
def test_a_damaged_outcome_is_named(tmp_path, content):
    run_cell(CELL, tmp_path, tasks.learning)
    (tmp_path / f"{CELL.name}.json").write_text(content)
    with pytest.raises(CheckpointError, match="must hold the outcome of a cell"):
        find_outcome(tmp_path, CELL)


@pytest.mark.usefixtures("swift")
def test_an_outcome_with_a_part_missing_is_damaged(tmp_path):
    run_cell(CELL, tmp_path, tasks.learning)
    path = tmp_path / f"{CELL.name}.json"
    data = json.loads(path.read_text())
    del data["runs"]
    path.write_text(json.dumps(data))
    with pytest.raises(CheckpointError, match="damaged"):
        find_outcome(tmp_path, CELL)
