"""What the terminal shows while a run or a sweep goes on."""

import io
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from rich.console import Console

from sculpt_plugin.pruning.grid import Progress
from sculpt_plugin.pruning.record import Step
from sculpt_plugin.terminal import (
    Interrupted,
    explained,
    progress,
    resumable,
    sweep_progress,
)

STEP = Step("units", 1, 4, 6, 10, score=1.0, accepted=True, density=0.4, seconds=0.1)


@pytest.fixture
def shown() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def console(shown: io.StringIO) -> Console:
    return Console(file=shown, width=120)


def test_the_last_line_says_runs_turns_and_the_time_it_took(console, shown) -> None:
    with sweep_progress(console) as watch:
        watch(Progress(0, 8, 2, 0.1))
        watch(Progress(8, 8, 90, 1.0))
    assert "100%  90 turns  8 of 8 runs ended 0:00:00 in all" in shown.getvalue()


def test_a_sweep_that_is_stopped_says_how_far_it_was(console, shown) -> None:
    with pytest.raises(KeyboardInterrupt), sweep_progress(console) as watch:
        watch(Progress(3, 8, 40, 0.4))
        raise KeyboardInterrupt
    assert "40%  40 turns  3 of 8 runs ended" in shown.getvalue()
    assert "left" in shown.getvalue()


def test_an_error_before_the_first_training_stands_alone(console, shown) -> None:
    with pytest.raises(ValueError), sweep_progress(console):
        raise ValueError("at once")
    assert shown.getvalue() == ""


def test_run_ends_on_what_was_kept_and_not_on_the_trial_after_it(
    console, shown
) -> None:
    with progress(console) as watch:
        watch.step(STEP)
        watch.step(replace(STEP, removed=6, score=0.5, accepted=False))
    assert "units" in shown.getvalue()
    assert "6 of 10 left, score 1.000" in shown.getvalue()
    assert "undone" not in shown.getvalue()


def test_the_clock_of_a_stage_stops_when_the_next_begins(shown) -> None:
    now = [0.0]
    clock = Console(file=shown, width=120, get_time=lambda: now[0])
    with progress(clock) as watch:
        for second, stage in ((0, "units"), (60, "edges"), (90, "edges")):
            now[0] = float(second)
            watch.step(replace(STEP, stage=stage))
    times = [line.split()[-1] for line in shown.getvalue().splitlines() if line]
    assert times == ["0:01:00", "0:00:30"]


def test_run_that_fails_before_its_first_turn_shows_nothing(console, shown) -> None:
    with pytest.raises(ValueError), progress(console):
        raise ValueError("at once")
    assert shown.getvalue() == ""


def test_narrow_terminal_has_words_and_no_bar(shown) -> None:
    with progress(Console(file=shown, width=40)) as watch:
        watch.step(STEP)
    assert shown.getvalue().strip() == "units 6 of 10 left, score 1.000"


@pytest.mark.parametrize(
    ("said", "ended"), [("Is it so?", "Is it so? See:"), ("It is.", "It is. See:")]
)
def test_a_sentence_of_typer_keeps_its_own_end(said, ended, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["sculpt"])
    text, code = explained(typer.BadParameter(said))
    assert (ended in text, code) == (True, 2)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_ends_blocks_in_order_and_says_how_to_go_on(
    number, code, tmp_path
) -> None:
    ended = []
    (tmp_path / "record.jsonl").touch()
    with (
        pytest.raises(Interrupted, match=r"is in .*Resume with") as caught,
        resumable(tmp_path),
    ):
        try:
            os.kill(os.getpid(), number)
            time.sleep(60)
        finally:
            ended.append(True)
    assert (caught.value.code, ended) == (code, [True])


def test_who_is_stopped_before_anything_is_reached_is_told_so(tmp_path) -> None:
    for out in (tmp_path / "out", tmp_path):
        with pytest.raises(Interrupted, match=r"nothing was reached yet. To begin ag"):
            raise Interrupted(out, code=130)


def test_after_a_command_a_request_to_end_is_what_it_was() -> None:
    with resumable(Path("out")):
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_in_another_thread_signals_are_left_alone() -> None:
    def enter() -> object:
        with resumable(Path("out")):
            return signal.getsignal(signal.SIGTERM)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(enter).result() is signal.SIG_DFL
