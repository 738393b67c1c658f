"""Whose a folder is, and that only one process writes in it."""

import pytest

from sculpt_plugin import store, tasks
from sculpt_plugin.claim import claimed
from sculpt_plugin.errors import CheckpointError
from sculpt_plugin.reproducing.experiments import Cell
from sculpt_plugin.reproducing.reproduce import reproduce
from sculpt_plugin.running import run_task
from sculpt_plugin.sweeping import sweep_task

TASK = tasks.get("4,1,4")
WORK = {
    "run.json": lambda folder: run_task(TASK, folder, hidden=(12,)),
    "settings.json": lambda folder: sweep_task(TASK, folder, hidden=(12,)),
    "reproduce.json": lambda folder: reproduce(
        [Cell("4,1,4", (12,), (0.5,), (0.05,))], folder
    ),
}


def claimed_for(folder, *, seed, name="run.json"):
    """Take a folder for a run that has reached something once `work` is there."""
    settings = {"format": "sculpt-run/1", "seed": seed}
    return claimed(folder, name, settings, reached=["work"], kind="a run's")


@pytest.mark.parametrize("name", WORK)
def test_a_second_process_is_refused_and_writes_nothing(tmp_path, name):
    with claimed_for(tmp_path, seed=7, name=name):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(CheckpointError, match="in use by another run"):
            WORK[name](tmp_path)
    assert (tmp_path / name).read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {name, store.LOCK}


def test_a_folder_is_free_again_after_the_run(tmp_path):
    with claimed_for(tmp_path, seed=0):
        pass
    with claimed_for(tmp_path, seed=1):
        (tmp_path / "work").write_text("")
    with (
        pytest.raises(CheckpointError, match="there seed is 1, here it is 0"),
        claimed_for(tmp_path, seed=0),
    ):
        pass


def test_a_folder_with_other_things_gets_no_lock(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with (
        pytest.raises(CheckpointError, match=r"holds 'thesis\.tex'"),
        claimed_for(tmp_path, seed=0),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("name", WORK)
@pytest.mark.parametrize("content", ["{}", '{"editor": 4}', '{"format": "A4"}'])
def test_what_another_program_wrote_is_not_written_over(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(CheckpointError, match=f"it holds a {name} of something else"):
        WORK[name](tmp_path)
    assert (tmp_path / name).read_text() == content
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_settings_of_an_earlier_version_that_reached_nothing_give_way(tmp_path):
    (tmp_path / "run.json").write_text('{"format": "sculpt-run/0", "seed": 0}')
    with claimed_for(tmp_path, seed=1):
        assert '"sculpt-run/1"' in (tmp_path / "run.json").read_text()
