"""What a sweep has found out, on disk: killed at any moment, it goes on from there."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sculpt_plugin import store
from sculpt_plugin.errors import CheckpointError
from sculpt_plugin.pruning.lanes.layout import Layout
from sculpt_plugin.pruning.lanes.state import Outcome, State, Trial
from sculpt_plugin.pruning.lanes.walking import Known

_SUFFIX = ".safetensors"
_SECONDS = 2.0
"""A kill loses no more work than this; writing more often would cost time."""


class Journal:
    """Writes down what is found out, every few seconds."""

    def __init__(self, folder: Path | None, known: Known) -> None:
        """Begin to write.

        Args:
            folder: Where; None to keep nothing.
            known: What the sweep finds out.
        """
        self._folder, self._known = folder, known
        self._trials: list[Trial] = []
        self._written = time.monotonic()

    def add(self, trials: Sequence[Trial]) -> None:
        """Take the trials of a round; write if the last time was long ago."""
        self._trials += trials
        if time.monotonic() - self._written >= _SECONDS:
            self.close()

    def close(self) -> None:
        """Write what has not been written."""
        if self._folder is not None and self._trials:
            write_entry(self._folder, self._known, self._trials)
        self._trials = []
        self._written = time.monotonic()


def write_entry(folder: Path, known: Known, trials: Sequence[Trial]) -> None:
    """Write down what came of trials, as one file that is whole or not there.

    Only what is kept of a network is written: its masks as bits, and its values.

    Raises:
        CheckpointError: The disk is full or gone; what was there before stays whole.
    """
    lines = [[*trial, *known.outcomes[trial]] for trial in trials]
    found = {known.outcomes[trial].state for trial in trials}
    # A dense network that scores too little is no new state, yet what its run ends at.
    found |= {trial.parent for trial in trials if trial.stage == "dense"}
    numbers = sorted(number for number in found if number in known.states)
    tensors: dict[str, Tensor] = {}
    if numbers:
        states = [known.states[number] for number in numbers]
        tensors = {
            "values": torch.cat([state.values[state.keep] for state in states]),
            "keep": _packed(torch.stack([state.keep for state in states])),
            "alive": _packed(torch.stack([state.alive for state in states])),
        }
    metadata = {"trials": lines, "states": numbers}
    path = folder / f"{len(entries(folder)):06d}{_SUFFIX}"
    store.write_tensors(path, tensors, metadata=metadata)


def entries(folder: Path) -> list[Path]:
    """List what was written, in order."""
    return sorted(folder.glob(f"[0-9]*{_SUFFIX}"))


def read_entries(folder: Path, layout: Layout) -> Known:
    """Read back all that was written.

    Raises:
        CheckpointError: A file is missing or damaged.
    """
    known = Known()
    for number, path in enumerate(entries(folder)):
        tensors, metadata = store.read_tensors(path)
        try:
            if int(path.stem) != number:
                raise ValueError("a file before it is missing")
            _read(known, tensors, metadata, layout)
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"{path} is damaged ({error}): restore it from a copy, or start again "
                "in another folder."
            ) from error
    return known


def _read(
    known: Known, tensors: dict[str, Tensor], metadata: dict, layout: Layout
) -> None:
    """Read one file's trials and states."""
    for line in metadata["trials"]:
        known.outcomes[Trial(*line[:4])] = Outcome(*line[4:])
    numbers = metadata["states"]
    if not numbers:
        return
    keep = _unpacked(tensors["keep"], layout.size)
    alive = _unpacked(tensors["alive"], layout.unit_count)
    values = torch.zeros(len(numbers), layout.size, dtype=tensors["values"].dtype)
    values[keep] = tensors["values"]
    counts = (keep & layout.is_edge).sum(1).tolist()
    for place, number in enumerate(numbers):
        known.states[number] = State(
            values[place], keep[place], alive[place], counts[place]
        )


def _packed(rows: Tensor) -> Tensor:
    """Write booleans as bits."""
    return torch.from_numpy(np.packbits(rows.numpy(), axis=1))


def _unpacked(rows: Tensor, size: int) -> Tensor:
    """Read bits as booleans."""
    bits = np.unpackbits(rows.numpy(), axis=1, count=size)
    return torch.from_numpy(bits.astype(bool))
