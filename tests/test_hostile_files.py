"""Nothing in the corpus runs, hangs, fills the memory or gives a traceback."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hostile_files import CORPUS, write
from model_files import network, refusal, save
from safetensors.torch import save_file

from sculpt_plugin import loading
from sculpt_plugin.errors import LoadingError, UnsafeFileError
from sculpt_plugin.files import pickles, tensor_tables, unpickling
from sculpt_plugin.loading import from_factory, load_model

# Per file, on a machine that may be busy; most take a hundredth of it.
SECONDS = 20
MOST_MEMORY = 6 * 2**30

# Opens each file as the command does, within limits that end a bomb.
OPEN_ALL = f"""
import contextlib, io, json, pathlib, resource, sys, time
resource.setrlimit(resource.RLIMIT_CPU, (600, 600))
from sculpt_plugin.cli import main
for path in json.load(sys.stdin):
    sys.argv = ["sculpt", "analyze", path]
    out, errors, start = io.StringIO(), io.StringIO(), time.monotonic()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            main()
        except SystemExit as leave:
            code = leave.code
    taken = time.monotonic() - start
    print(json.dumps([code, out.getvalue(), errors.getvalue(), taken]))
    resource.setrlimit(resource.RLIMIT_AS, ({MOST_MEMORY}, {MOST_MEMORY}))
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))
"""


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sentinel") / "canary"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, canary: Path) -> dict[str, Path]:
    return write(tmp_path_factory.mktemp("corpus"), canary)


def test_corpus_is_large_and_every_file_of_its_own(corpus: dict[str, Path]) -> None:
    assert len(corpus) > 200


@pytest.mark.parametrize("name", CORPUS)
def test_file_is_refused_in_one_line_and_nothing_runs(
    corpus: dict[str, Path], canary: Path, name: str
) -> None:
    _, code, said = CORPUS[name]
    start = time.monotonic()
    with pytest.raises(LoadingError) as caught:
        load_model(corpus[name])
    assert time.monotonic() - start < SECONDS
    text = str(caught.value)
    assert said in text
    assert text.startswith(str(corpus[name]))
    assert text.isprintable()
    assert len(text) < 1200
    assert isinstance(caught.value, UnsafeFileError) == (code == 3)
    assert not canary.exists()


@pytest.mark.parametrize("name", CORPUS)
def test_file_is_refused_when_a_factory_reads_it(
    corpus: dict[str, Path], canary: Path, name: str
) -> None:
    with pytest.raises(LoadingError) as caught:
        from_factory("torch.nn:Flatten", state_path=corpus[name])
    assert str(caught.value).isprintable()
    assert not canary.exists()


@pytest.mark.parametrize(
    "variable", ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_WEIGHTS_ONLY_LOAD"]
)
def test_command_refuses_every_file_within_bounds(
    corpus: dict[str, Path], canary: Path, variable: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPEN_ALL],
        input=json.dumps([str(path) for path in corpus.values()]),
        env={**os.environ, variable: "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    *results, memory = map(json.loads, done.stdout.splitlines())
    assert not canary.exists()
    assert memory < 1.5 * 2**30
    for name, (code, out, errors, taken) in zip(corpus, results, strict=True):
        assert (name, code, out) == (name, CORPUS[name][1], "")
        assert errors.startswith("sculpt: ")
        assert errors.endswith("\n")
        assert errors[:-1].isprintable()
        assert taken < SECONDS


@pytest.mark.parametrize("name", ["code by reduce", "state of escapes"])
def test_real_command_refuses_a_file(
    corpus: dict[str, Path], canary: Path, name: str
) -> None:
    command = [sys.executable, "-m", "sculpt_plugin", "analyze", str(corpus[name])]
    forced = {**os.environ, "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}
    done = subprocess.run(command, env=forced, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (CORPUS[name][1], "")
    assert done.stderr.startswith("sculpt: ")
    assert done.stderr.count("\n") == 1
    assert not canary.exists()


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_file_that_shrinks_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = save(network().state_dict(), tmp_path / "model.pt", kind)
    recognised = loading.recognise

    def shrunk(path: Path) -> object:
        found = recognised(path)
        os.truncate(path, path.stat().st_size - 60)
        return found

    monkeypatch.setattr(loading, "recognise", shrunk)
    assert "again" in refusal(path)


@pytest.mark.parametrize(
    "module, limit, kind, said",
    [
        (unpickling, "MOST_STEPS", "zip", "a pickle of more than 9 steps"),
        (unpickling, "MOST_STEPS", "legacy", "a pickle of more than 9 steps"),
        (pickles, "LONGEST_PICKLE", "zip", "but needs more. Save the model's state"),
        (pickles, "LONGEST_PICKLE", "legacy", "but needs more. Save the model's"),
        (tensor_tables, "LONGEST_HEADER", "safetensors", "this one says"),
    ],
)
def test_limit_on_size_is_kept_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module, limit, kind, said
) -> None:
    path = save(network().state_dict(), tmp_path / "model.pt", kind)
    monkeypatch.setattr(module, limit, 9)
    assert said in refusal(path)


def test_unsafe_loading_is_needed_for_the_sentinel_to_show(
    corpus: dict[str, Path], canary: Path
) -> None:
    """The corpus is hostile in earnest: without a guard it does run."""
    with pytest.raises(LoadingError):
        load_model(corpus["code by reduce"], unsafe=True)
    assert canary.exists()
    canary.unlink()


def test_names_that_look_like_markup_are_taken_as_they_are(tmp_path: Path) -> None:
    names = ["[red]fc[/red]", "<script>alert(1)</script>", "a&b'\""]
    state = {f"{name}.weight": torch.ones(2, 2) for name in names}
    save_file(dict(list(state.items())[:1]), tmp_path / "m")
    assert "[red]fc[/red]" in dict(load_model(tmp_path / "m").model.named_modules())
    torch.save(state, tmp_path / "m.pt")
    found = dict(load_model(tmp_path / "m.pt").model.named_modules())
    assert set(names) <= set(found)
