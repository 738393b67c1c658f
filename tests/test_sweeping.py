"""A sweep's folder: the typical network of each seed, all runs, and a picture."""

import io
import json
from dataclasses import replace

import pytest
import torch
from rich.console import Console
from small_sweep import PROBLEM, Start, engine, hand_made

from sculpt_plugin import sweeping, tasks
from sculpt_plugin.analysis.consensus import Consensus
from sculpt_plugin.errors import CheckpointError, DataError, ThresholdError
from sculpt_plugin.loading import load_model
from sculpt_plugin.pruning.keeping import load_masks
from sculpt_plugin.sweeping import sweep_task

SMALL = {"hidden": (6,), "unit_steps": (10, 7), "edge_steps": (0.5,), "seeds": (0, 3)}


@pytest.fixture
def fake(monkeypatch):
    """Sweeps that are made by hand instead of being trained."""
    monkeypatch.setattr(sweeping, "sweep", engine)


def _sweep(folder, **changes):
    return sweep_task(tasks.get("4,1,4"), folder, **{**SMALL, **changes})


@pytest.fixture
def finished(fake, tmp_path):
    return _sweep(tmp_path / "out")


def _shown(finished) -> str:
    file = io.StringIO()
    Console(file=file, width=120).print(finished)
    return file.getvalue()


def test_the_folder_has_all_runs_a_picture_and_a_folder_for_each_seed(
    finished, tmp_path
):
    out = tmp_path / "out"
    inside = {"hierarchy.png", "layers.png", "masks.safetensors", "model.safetensors"}
    assert {path.name for path in out.iterdir()} == {
        *(".lock", "settings.json", "sweep.json", "grid.png", "comodules.png"),
        *("seed-0", "seed-3"),
    }
    for seed in ("seed-0", "seed-3"):
        files = {path.name for path in (out / seed).iterdir()}
        assert files == {*inside, "report.json", "report.html"}
        page = (out / seed / "report.html").read_text()
        assert "networks; they agree on the inputs by" in page
    pictures = {"grid.png", "comodules.png"}
    assert set(finished.files) == {"sweep.json", *pictures, "seed-0", "seed-3"}


@pytest.mark.parametrize("place", [0, 1])
def test_the_network_in_a_seeds_folder_is_its_typical_one(
    fake, monkeypatch, tmp_path, place
):
    monkeypatch.setattr(Consensus, "typical", lambda consensus, *, among: among[place])
    finished = _sweep(tmp_path / "out")
    inside = tmp_path / "out" / "seed-3"
    chosen = finished.sweep.sparsest_networks(3, count=2)[place]
    assert finished.typical[3] == chosen
    state = load_model(inside / "model.safetensors").model.state_dict()
    wanted = finished.sweep.model(chosen).state_dict()
    assert all(torch.equal(state[name], wanted[name]) for name in wanted)
    assert load_masks(inside / "masks.safetensors").edge_count == (
        chosen.network.edge_count
    )
    report = json.loads((inside / "report.json").read_text())
    assert report["modules"] == finished.reports[3].to_dict()["modules"]


def test_the_written_sweep_has_every_run_with_steps_as_they_were_given(
    finished, tmp_path
):
    found = json.loads((tmp_path / "out" / "sweep.json").read_text())
    assert found == json.loads(finished.to_json())
    assert found["schema"] == "sculpt-sweep/1"
    assert found["settings"] == {
        "task": "4,1,4",
        **{name: list(value) for name, value in SMALL.items()},
        "one_by_one": False,
    }
    steps = [(run["seed"], run["unit_step"], run["edge_step"]) for run in found["runs"]]
    assert steps == [(0, 10, 0.5), (0, 7, 0.5), (3, 10, 0.5), (3, 7, 0.5)]


def test_each_typical_one_is_one_of_the_runs_with_what_was_found_in_it(finished):
    found = finished.to_dict()
    assert all(told in found["runs"] for told in found["sparsest"])
    for told in found["typical"]:
        report = finished.reports[told["seed"]]
        assert told["modules"] == len(report.hierarchy.modules)
        assert told["live_units"] == (report.hierarchy.label >= 0).sum()
        assert told["folder"] == f"seed-{told['seed']}"
        rest = ("modules", "live_units", "folder")
        assert {k: v for k, v in told.items() if k not in rest} in found["runs"]


def test_a_seed_without_a_result_has_no_folder_and_an_empty_row(monkeypatch, tmp_path):
    failed = {(3, step / 100, 0.005) for step in SMALL["unit_steps"]}
    monkeypatch.setattr(
        sweeping,
        "sweep",
        lambda build, recipe, *, seeds, unit_steps, edge_steps, **_: hand_made(
            seeds=seeds,
            unit_steps=unit_steps,
            edge_steps=edge_steps,
            build=build,
            failed=failed,
        ),
    )
    finished = _sweep(tmp_path)
    assert not (tmp_path / "seed-3").exists()
    assert set(finished.reports) == {0}
    assert finished.to_dict()["runs"][2]["problem"] == PROBLEM
    row = next(line for line in _shown(finished).splitlines() if "3 │" in line)
    assert row.count("-") == 7


def test_the_table_says_density_edges_and_steps_of_the_typical_one(finished):
    best, shown = finished.typical[0], _shown(finished)
    row = next(line for line in shown.splitlines() if "│    0 │" in line)
    assert f"{best.density:.2%}" in row
    assert f"{finished.sweep.sparsest(0).density:.2%}" in row
    assert f" {best.network.edge_count} " in row
    assert f"{100 * best.unit_step:.3g} %" in row and "0.5 %" in row
    assert "4 of 4 runs ended with a result" in shown


def test_steps_reach_the_engine_as_shares_and_the_rest_as_it_is(monkeypatch, tmp_path):
    seen = {}

    def watched(build, recipe, **settings):
        seen.update(settings, build=build)
        del settings["checkpoint"]
        return engine(build, recipe, **settings)

    monkeypatch.setattr(sweeping, "sweep", watched)
    progress = []
    _sweep(tmp_path, jobs=2, one_by_one=True, on_progress=progress.append)
    assert (seen["unit_steps"], seen["edge_steps"]) == ([0.1, 0.07], [0.005])
    assert (seen["seeds"], seen["jobs"], seen["min_score"]) == ((0, 3), 2, 1.0)
    assert seen["one_by_one"] is True
    assert seen["checkpoint"] == tmp_path / "checkpoint"
    assert seen["build"].hidden == (6,)
    assert seen["build"].task.name == "4,1,4"
    assert progress[-1].share == 1.0


def test_start_networks_are_those_of_a_single_run() -> None:
    task = tasks.get("4,1,4")
    made = tasks.StartNetworks(task, (6,))(4).state_dict()
    wanted = tasks.mlp(task, hidden=(6,), seed=4).state_dict()
    assert all(torch.equal(made[name], wanted[name]) for name in wanted)


def test_the_folder_of_another_sweep_is_refused(finished, tmp_path):
    (tmp_path / "out" / "checkpoint").mkdir()
    with pytest.raises(CheckpointError, match=r"there seeds is \[0, 3\], here it is"):
        _sweep(tmp_path / "out", seeds=(0,))


@pytest.mark.parametrize("name", ["notes.txt", "checkpoint"])
def test_the_folder_of_something_else_is_refused(fake, tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(CheckpointError, match=f"earlier sweep's, but it holds '{name}"):
        _sweep(tmp_path)


def test_a_sweep_that_learned_nothing_leaves_its_folder_to_the_next(tmp_path):
    with pytest.raises(ThresholdError, match=r"none with hidden layers of 1 does"):
        _sweep(tmp_path, hidden=(1,))
    assert {path.name for path in tmp_path.iterdir()} == {"settings.json", ".lock"}
    small = {"unit_steps": (60,), "edge_steps": (5,), "seeds": (0,)}
    assert _sweep(tmp_path, hidden=(12,), **small).reports


@pytest.mark.parametrize("name", ["unit_steps", "edge_steps", "seeds"])
def test_an_empty_grid_is_refused(tmp_path, name):
    with pytest.raises(DataError, match=f"{name} must hold"):
        _sweep(tmp_path, **{name: ()})


def test_a_finished_sweep_trains_no_more_and_ends_the_same(tmp_path, monkeypatch):
    small = {"hidden": (12,), "unit_steps": (60,), "edge_steps": (5,), "seeds": (0,)}
    _sweep(tmp_path, **small)
    names = ("sweep.json", "seed-0/model.safetensors", "seed-0/masks.safetensors")
    before = [(tmp_path / name).read_bytes() for name in names]
    monkeypatch.setattr(
        "sculpt_plugin.pruning.sweep.try_together", pytest.fail, raising=True
    )
    _sweep(tmp_path, **small)
    assert [(tmp_path / name).read_bytes() for name in names] == before


def test_the_hand_made_engine_takes_what_the_real_one_takes() -> None:
    import inspect

    from sculpt_plugin.pruning.sweep import sweep

    mine, real = (inspect.signature(it).parameters for it in (engine, sweep))
    assert set(mine) <= set(real)
    assert Start()(0)[0].in_features == 4


def test_consensus_of_the_sparsest_networks_is_told_everywhere(finished, tmp_path):
    together = json.loads((tmp_path / "out" / "sweep.json").read_text())["consensus"]
    report = json.loads((tmp_path / "out" / "seed-0" / "report.json").read_text())

    assert together == finished.consensus.to_dict() == report["consensus"]
    assert 2 <= finished.consensus.witness_count <= len(finished.sweep.runs)


def test_networks_that_keep_the_same_edges_are_asked_once():
    sweep = hand_made()
    seed = sweep.seeds[0]

    found = sweep.sparsest_networks(seed, count=100)

    kept = [run.network.keep.tolist() for run in found]
    assert all(keep not in kept[:place] for place, keep in enumerate(kept))
    assert {str(run.network.keep.tolist()) for run in sweep.ranked(seed)} == {
        str(keep) for keep in kept
    }
    assert sweep.sparsest_networks(seed, count=1) == [sweep.sparsest(seed)]


def test_networks_that_differ_in_masks_of_biases_only_are_one():
    sweep = hand_made(seeds=(0,), unit_steps=(0.1,))
    first, second = sweep.runs
    other = first.network.keep.clone()
    place = first.network.keep.numel() - 1  # the last bias
    other[place] = ~other[place]
    network = replace(first.network, keep=other)
    sweep = replace(sweep, runs=(first, replace(second, network=network)))

    assert len(sweep.sparsest_networks(0, count=2)) == 1
