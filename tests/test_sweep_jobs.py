"""A sweep over several processes, here or on a Dask cluster, is the same sweep."""

import contextlib
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

import dask
import distributed
import joblib
import pytest
import torch
from tiny_sweep import OnTask, for_task, timeless

from sculpt_plugin.errors import LaneError, TrainError
from sculpt_plugin.pruning.sweep import sweep

START = OnTask("4,1,4", (12,))
STEPS = {"seeds": (1, 2), "unit_steps": (0.2, 0.4), "edge_steps": (0.1,)}


def small(build=START, **changes):
    return sweep(build, for_task(START), **{**STEPS, **changes})


@pytest.fixture(scope="module")
def here():
    with torch.random.fork_rng(devices=[]):
        return small()


def same(some, others) -> bool:
    """Compare all but the last bits: how many lanes there are decides these."""
    return all(
        (one.seed, one.unit_step, one.edge_step)
        == (two.seed, two.unit_step, two.edge_step)
        and timeless(one.record) == timeless(two.record)
        and torch.equal(one.network.keep, two.network.keep)
        for one, two in zip(some, others, strict=True)
    )


@dataclass(frozen=True)
class Elsewhere:
    """Start networks that make trouble in every process but the first, for a seed."""

    process: int
    trouble: str = "none"
    wait_for: str = ""

    def __call__(self, seed):
        if os.getpid() == self.process or seed != 2:
            return START(seed)
        deadline = time.monotonic() + 30
        while self.wait_for and not Path(self.wait_for).exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        if self.trouble == "exit":
            os._exit(3)
        if self.trouble == "lane":
            raise LaneError("this model has no lanes")
        raise RuntimeError("out of\npaper")


@dataclass(frozen=True)
class SignedIn:
    """Start networks that leave the name of the Dask worker that asked for them."""

    folder: Path

    def __call__(self, seed):
        with contextlib.suppress(ValueError):
            (self.folder / str(distributed.get_worker().name)).touch()
        return START(seed)


@pytest.mark.parametrize("jobs", [2, 4])
def test_jobs_change_nothing_but_who_does_them(here, jobs):
    seen = []

    found = small(jobs=jobs, on_progress=seen.append)

    assert same(found.runs, here.runs)
    assert (seen[-1].done, seen[-1].total, seen[-1].share) == (4, 4, 1.0)
    assert len(seen) == jobs


def test_lost_worker_is_one_line_and_what_was_finished_is_kept(here, tmp_path):
    finished = tmp_path / "part-000" / "000000.safetensors"
    deadly = Elsewhere(os.getpid(), "exit", str(finished))

    with pytest.raises(TrainError, match="A worker process was lost; what") as caught:
        small(deadly, jobs=2, checkpoint=tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    written = finished.stat().st_mtime_ns

    found = small(jobs=2, checkpoint=tmp_path)

    assert same(found.runs, here.runs)
    assert finished.stat().st_mtime_ns == written


def test_what_a_worker_raises_is_one_line():
    with pytest.raises(TrainError, match=r"raised RuntimeError \(out of paper\); noth"):
        small(Elsewhere(os.getpid()), jobs=2)


def test_own_errors_come_through_from_workers():
    with pytest.raises(LaneError, match="this model has no lanes"):
        small(Elsewhere(os.getpid(), "lane"), jobs=2)


@dataclass(frozen=True)
class Counted:
    """Start networks that leave the number of the process that asked for them."""

    folder: Path

    def __call__(self, seed):
        (self.folder / str(os.getpid())).touch()
        return START(seed)


def test_no_more_processes_than_asked_for(tmp_path):
    """Three jobs for two seeds make four parts."""
    small(Counted(tmp_path), jobs=3)

    assert len({found.name for found in tmp_path.iterdir()} - {str(os.getpid())}) <= 3


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    place = str(tmp_path_factory.mktemp("dask"))
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(
            n_workers=2,
            processes=True,
            threads_per_worker=1,
            dashboard_address=None,
            local_directory=place,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster),
    ):
        yield


def test_workers_of_a_dask_cluster_find_the_same_runs(here, tmp_path, cluster):
    with joblib.parallel_config(backend="dask"):
        found = small(SignedIn(tmp_path), jobs=2)

    assert same(found.runs, here.runs)
    assert (tmp_path / "0").exists()
    assert (tmp_path / "1").exists()


def test_lost_dask_worker_is_one_line(cluster):
    with (
        joblib.parallel_config(backend="dask"),
        pytest.raises(TrainError, match="A worker process was lost; nothing was kept"),
    ):
        small(Elsewhere(os.getpid(), "exit"), jobs=2)
