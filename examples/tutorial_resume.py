"""
Going on after a crash
======================

Sculpting a large network takes hours, and machines fail. With ``checkpoint=`` every
turn is written down; the same call goes on where the last one stopped, and ends with
the same weights, bit for bit. Here we pull the plug ourselves.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import sculpt_plugin as sp

# %%
# A search to interrupt
# ---------------------
# A task of the paper and its recipe: the data, how to train, how to score.

task = sp.tasks.get("4,2,4")
recipe = sp.tasks.learning(task, hidden=(24, 24))


def search(checkpoint=None, on_step=None):
    """Sculpt the same start network, with or without a checkpoint."""
    model = sp.tasks.mlp(task, hidden=(24, 24), seed=0)
    recipe.prepare(model)
    return sp.sculpt(
        model,
        recipe.inputs,
        train=recipe.train,
        evaluate=recipe.evaluate,
        batches=recipe.batches,
        loss=recipe.loss,
        min_score=1.0,
        units=0.35,
        edges=0.02,
        checkpoint=checkpoint,
        on_step=on_step,
    )


# %%
# The plug is pulled
# ------------------
# ``on_step`` is called after each turn. Ours stops everything after turn 9, as Ctrl-C,
# a full disk or a power cut would. (Anything may happen at any moment: files are
# written whole, and a torn last line is dropped.)


def pull_the_plug(step):
    if step.turn == 9:
        raise KeyboardInterrupt


temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name) / "sculpting"
try:
    search(folder, on_step=pull_the_plug)
except KeyboardInterrupt:
    print("stopped; in the folder are", *sorted(path.name for path in folder.iterdir()))

# %%
# The record is one line of JSON per turn, so it can be watched while a search runs.

print(*(folder / "record.jsonl").read_text().splitlines()[-2:], sep="\n")

# %%
# The same call again
# -------------------
# Nothing else is needed. ``on_step`` is called for new turns only. With other settings,
# say another ``units``, the call would be refused: the folder belongs to one search.

turns = []
resumed = search(folder, on_step=lambda step: turns.append(step.turn))
print(f"went on with turn {turns[0]}, ended with turn {turns[-1]}")

# %%
# And it is what would have come without the crash.

whole = search()
pairs = zip(resumed.model.parameters(), whole.model.parameters(), strict=True)
print("the same bits:", all(torch.equal(one, other) for one, other in pairs))

# %%
# The record of both halves as one curve. The line shows where the plug was pulled.

_, ax = plt.subplots(figsize=(8, 4), layout="constrained")
sp.plot.curve(resumed.record, ax=ax, threshold=resumed.min_score)
ax.axvline(9.5, color="black", linestyle=":")
plt.show()

# %%
# Bit for bit asks two things of a ``train`` of your own: a fresh optimizer at each
# call, and no random numbers but torch's, NumPy's and Python's global ones. A
# ``DataLoader`` with a generator of its own goes on elsewhere.
