"""
A model that someone else pruned
================================

``analyze`` does not care what made a network sparse. Here a colleague pruned with
``torch.nn.utils.prune`` and sent a file. We open it, look at its modules, and read how
far the picture can be trusted.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import rich
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune

import sculpt_plugin as sp

# %%
# What the colleague did
# ----------------------
# He predicts heat and wear from eight sensors, with a layer norm in between, and prunes
# a quarter of what is left by magnitude, eight times, training after each. The masks
# stay in the model, as ``torch.nn.utils.prune`` leaves them, and the model goes into a
# file.

torch.manual_seed(3)
sensors = torch.rand(800, 8) * 2 - 1
heat = (sensors[:, 0] + sensors[:, 1]).abs() - sensors[:, 2]
wear = sensors[:, 3] * 0.8 + (sensors[:, 4] - sensors[:, 5]).relu()
wanted = torch.stack([heat, wear], dim=1)

theirs = nn.Sequential(
    nn.Linear(8, 24), nn.LayerNorm(24), nn.ReLU(),
    nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 2),
)  # fmt: skip
weights = [(layer, "weight") for layer in theirs if isinstance(layer, nn.Linear)]
for turn in range(9):
    if turn > 0:
        prune.global_unstructured(weights, prune.L1Unstructured, amount=0.25)
    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        loss = F.mse_loss(theirs(sensors), wanted)
        loss.backward()
        optimizer.step()
print(f"loss {loss.item():.4f}")

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "model.pt"
torch.save(theirs, path)

# %%
# Open the file
# -------------
# A pickled model is a program, and ``torch.load`` would have to run it. ``load_model``
# reads it without running anything: layers of ``torch.nn`` are rebuilt from plain data,
# and all else is refused. The masks are multiplied into the weights.

loaded = sp.load_model(path)
folder.cleanup()
print(loaded.model)

# %%
# Look at it
# ----------
# The report has the modules. No edge leads from sensors 0 to 2 to the wear, none from
# sensors 3 to 5 to the heat, and sensors 6 and 7 are not read at all.

example = torch.zeros(loaded.input_shape)
report = sp.analyze(loaded.model, example, verify=True)
rich.print(report)

_, ax = plt.subplots(figsize=(9, 5), layout="constrained")
sp.plot.layered(report.graph, report.hierarchy, ax=ax, output_names=("heat", "wear"))
plt.show()

# %%
# How far to trust it
# -------------------
# The coverage says how much of the model the graph stands for. A layer norm divides all
# its units by one number that depends on all of them. Followed, this would tie every
# unit to every other, so the graph leaves it out, and the coverage says so. ``verify``
# changed units in the model and compared: ``missed`` counts changes that no edge leads
# to.

coverage = report.evidence["coverage"]
print(f"{coverage['exact']:.1%} of {coverage['parameters']} parameters exactly")
for layer in coverage["layers"]:
    print(layer["name"], layer["kind"], layer["coverage"], layer.get("reason", ""))
print(coverage["verified"])
