"""A folder of experiments whose networks are drawn by hand."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sculpt_plugin import store
from sculpt_plugin.reproducing import reproduce
from sculpt_plugin.reproducing.experiments import Cell
from sculpt_plugin.reproducing.outcome import Outcome, RunOutcome
from sculpt_plugin.reproducing.witnesses import Witness, save_witnesses

CELL = Cell("4,2,4", (4,), (0.1,), (0.01,), seeds=(0, 1, 2))
# Two hidden units for each half of the task 4,2,4.
RIGHT = [
    *[(x, h) for x in (0, 1) for h in (4, 5)],
    *[(x, h) for x in (2, 3) for h in (6, 7)],
    *[(h, y) for h in (4, 5) for y in (8, 9)],
    *[(h, y) for h in (6, 7) for y in (10, 11)],
]
# All outputs read one hidden unit, which reads all inputs.
WRONG = [*[(x, 4) for x in range(4)], *[(4, y) for y in range(8, 12)]]
# As wrong, and with one edge less than the right one.
NEARLY = [
    *[(x, h) for h in (4, 5, 6) for x in range(4) if (x, h) != (3, 6)],
    *((4, 8), (4, 9), (5, 10), (6, 11)),
]


def witness(seed, edges):
    return Witness(
        seed=seed,
        unit_step=0.1,
        edge_step=0.01,
        runs=1,
        sizes=(4, 4, 4),
        edges=np.array(edges, dtype=np.int32),
        weights=np.ones(len(edges), dtype=np.float32),
        biases=np.zeros(8, dtype=np.float32),
    )


# Of seed 1 the sparsest is wrong and the next two are right; seed 2 learned nothing.
WITNESSES = (witness(0, RIGHT), *[witness(1, x) for x in (WRONG, RIGHT, RIGHT)])


def run(seed, edges, problem=None):
    return RunOutcome(seed, 0.1, 0.01, edges, 9, 1.0, problem)


def fill(out: Path, witnesses: Sequence[Witness] = WITNESSES) -> None:
    """Write what `reproduce` would have written."""
    cells = out / reproduce.CELLS
    cells.mkdir(parents=True)
    runs = (run(0, 16), run(1, 8), run(2, 32, "scores 0.75"))
    outcome = Outcome(CELL, {"epochs": 9}, 1.5, 32, runs)
    save_witnesses(cells / f"{CELL.name}.safetensors", witnesses)
    store.write_bytes(
        cells / f"{CELL.name}.json", json.dumps(outcome.to_dict()).encode()
    )
