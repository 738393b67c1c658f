"""What the commands for digits ask for, before anything is computed."""

import os
from io import StringIO

import pytest
import torch
import typer
from fake_mnist import make_small, write_mnist
from rich.console import Console

from sculpt_plugin.digit_options import (
    DIGIT_TASKS,
    digit_folder,
    digit_task,
    for_digits,
    only_for,
)
from sculpt_plugin.errors import TaskError
from sculpt_plugin.tasks import digit_names


@pytest.fixture
def console():
    return Console(file=StringIO(), width=100)


@pytest.fixture
def data(monkeypatch, tmp_path):
    make_small(monkeypatch, tmp_path / "cache", training=1, validation=1)
    return write_mnist(tmp_path / "data", each=1)


def test_the_names_are_those_of_the_tasks():
    assert digit_names() == DIGIT_TASKS


def test_options_that_were_not_given_are_fine():
    only_for("digits", {"--data": None, "--device": None})


def test_the_first_option_that_says_nothing_to_a_task_is_refused():
    with pytest.raises(typer.BadParameter, match="--device is only for digits: leave"):
        only_for("digits", {"--data": None, "--device": "cpu", "--download": True})


def test_a_number_that_counts_as_nothing_was_given_all_the_same():
    with pytest.raises(typer.BadParameter, match="--unit-step is only for"):
        only_for("others", {"--unit-step": 0.0})


def test_a_task_is_made(console, data):
    task = digit_task(console, "digits-pair", data, download=False)
    assert (task.name, len(task.training.bits)) == ("digits-pair", 100)


def test_without_a_folder_the_option_is_asked_for(console):
    with pytest.raises(typer.BadParameter, match="--data must name the folder"):
        digit_task(console, "digits-pair", None, download=True)


def test_a_folder_without_mnist_is_refused(console, tmp_path):
    with pytest.raises(TaskError, match="must hold MNIST"):
        digit_folder(console, tmp_path, download=False)


def test_a_folder_is_given_with_all_tasks_put_together(console, data, tmp_path):
    assert digit_folder(console, data, download=False) == data
    kept = (tmp_path / "cache" / "sculpt").iterdir()
    assert sorted(path.name.rsplit("-", 2)[0] for path in kept) == list(DIGIT_TASKS)


@pytest.fixture
def restored():
    """Torch as it was, whatever a test sets."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


def smallest() -> float:
    """A number that is too small to be a normal one, halved."""
    return float(torch.tensor([1e-39]).mul(0.5))


def test_numbers_too_small_to_be_normal_are_zero(restored):
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot")
    torch.set_flush_denormal(False)
    assert smallest() > 0
    for_digits()
    assert smallest() == 0


@pytest.mark.parametrize(("cores", "threads"), [(2, 2), (64, 4), (None, 1)])
def test_few_threads_share_the_work(restored, monkeypatch, cores, threads):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    for_digits()
    assert torch.get_num_threads() == threads


def test_a_number_of_threads_that_was_asked_for_stays(restored, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    for_digits()
    assert torch.get_num_threads() == 1
