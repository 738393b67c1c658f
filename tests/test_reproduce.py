import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
from joblib.externals.loky import get_reusable_executor
from small_sweep import engine

from sculpt_plugin import tasks
from sculpt_plugin.errors import CheckpointError, TrainError
from sculpt_plugin.reproducing import outcome
from sculpt_plugin.reproducing.experiments import Cell
from sculpt_plugin.reproducing.reproduce import reproduce

CELLS = [Cell("4,1,4", (width,), (0.5,), (0.05,), seeds=(0,)) for width in (8, 9, 10)]


@pytest.fixture
def swift(monkeypatch):
    """Cut at random instead of training, and list which networks were asked for."""
    asked = []

    def swept(build, recipe, **grid):
        asked.append(build.hidden)
        return engine(build, recipe, **grid)

    monkeypatch.setattr(outcome, "sweep", swept)
    return asked


def edges(outcomes):
    return [[run.edges for run in found.runs] for found in outcomes]


def test_outcomes_come_in_the_order_of_the_cells(swift, tmp_path):
    found = reproduce(CELLS, tmp_path)
    assert [each.cell for each in found] == CELLS


def test_what_is_done_is_not_done_again(swift, tmp_path):
    first = reproduce(CELLS[:2], tmp_path)
    assert reproduce(CELLS[:2], tmp_path) == first
    assert swift == [(8,), (9,)]


def test_a_folder_grows_with_more_cells(swift, tmp_path):
    reproduce(CELLS[1:], tmp_path)
    reproduce(CELLS, tmp_path)
    assert swift == [(9,), (10,), (8,)]


def test_an_interrupt_keeps_what_is_done(swift, tmp_path):
    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reproduce(CELLS, tmp_path, on_cell=stop)
    assert swift == [(8,)]
    reproduce(CELLS, tmp_path)
    assert swift == [(8,), (9,), (10,)]


def test_progress_counts_cells_and_ends_at_one(swift, tmp_path):
    seen = []
    reproduce(CELLS, tmp_path, on_cell=seen.append)
    assert [(now.done, now.total) for now in seen] == [(1, 3), (2, 3), (3, 3)]
    shares = [now.share for now in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_cells_done_with_other_steps_are_refused(swift, tmp_path):
    reproduce(CELLS, tmp_path)
    other = Cell("4,1,4", (8,), (0.25,), (0.05,), seeds=(0,))
    with pytest.raises(
        CheckpointError,
        match=r"for 4-1-4_8 unit_steps is \(0\.5,\) there and \(0\.25,\)",
    ):
        reproduce([other], tmp_path)


def test_cells_learned_otherwise_are_refused(swift, tmp_path):
    reproduce(CELLS, tmp_path)
    with pytest.raises(CheckpointError, match=r"epochs is \d+ there and 7 here"):
        reproduce(CELLS, tmp_path, learn=partial(tasks.learning, epochs=7))


def test_a_folder_in_other_use_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(CheckpointError, match=r"holds 'thesis\.tex'"):
        reproduce(CELLS, tmp_path)


def killed_in_a_worker(task, hidden):
    if os.getpid() != int(os.environ["SCULPT_TEST_PARENT"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return tasks.learning(task, hidden=hidden)


def test_a_killed_worker_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("SCULPT_TEST_PARENT", str(os.getpid()))
    # Workers of an earlier test know nothing of it.
    get_reusable_executor().shutdown()
    with pytest.raises(TrainError, match=r"one was killed.*fewer jobs"):
        reproduce(CELLS, tmp_path, jobs=2, learn=killed_in_a_worker)


RUN = """
import sys
from functools import partial
from sculpt_plugin import tasks
from sculpt_plugin.reproducing.experiments import Cell
from sculpt_plugin.reproducing.reproduce import reproduce
cells = [Cell("4,1,4", (w,), (0.5,), (0.05,), seeds=(0,)) for w in (8, 9, 10)]
reproduce(cells, sys.argv[1], learn=partial(tasks.learning, epochs=40))
"""


def test_a_killed_run_ends_as_one_never_killed(tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen([sys.executable, "-c", RUN, killed])
    while process.poll() is None and not list(killed.glob("cells/*.json")):
        time.sleep(0.01)
    process.kill()
    process.wait()
    done = sorted(killed.glob("cells/*.json"))
    assert 1 <= len(done) < 3
    before = [path.read_bytes() for path in done]
    for out in (killed, whole):
        subprocess.run([sys.executable, "-c", RUN, out], check=True)
    assert [path.read_bytes() for path in done] == before
    for path in sorted((whole / "cells").iterdir()):
        again = killed / "cells" / path.name
        if path.suffix == ".json":
            first, second = (json.loads(p.read_text()) for p in (path, again))
            assert first["seconds"] > 0 < second["seconds"]
            assert first | {"seconds": 0} == second | {"seconds": 0}
        else:
            assert again.read_bytes() == path.read_bytes()
