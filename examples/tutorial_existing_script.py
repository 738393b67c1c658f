"""
Add it to a training script that you have
=========================================

You have a model, a ``DataLoader``, a function that trains and one that scores. Nothing
of it has to change: ``sculpt`` calls your functions.
"""

import matplotlib.pyplot as plt
import rich
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import sculpt_plugin as sp

# %%
# The script as it was
# --------------------
# A machine has ten sensors. The script predicts its heat and its wear. What it does not
# know: heat comes from sensors 0 to 2, wear from 3 to 5, the rest measure nothing.

torch.manual_seed(0)


def measured(count):
    sensors = torch.rand(count, 10) * 2 - 1
    heat = (sensors[:, 0] + sensors[:, 1]).abs() - sensors[:, 2]
    wear = sensors[:, 3] * 0.8 + (sensors[:, 4] - sensors[:, 5]).relu()
    return TensorDataset(sensors, torch.stack([heat, wear], dim=1))


training = DataLoader(measured(800), batch_size=100, shuffle=True)
validation = DataLoader(measured(400), batch_size=400)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(10, 32), nn.Linear(32, 32)
        self.output = nn.Linear(32, 2)

    def forward(self, sensors):
        return self.output(self.second(self.first(sensors).relu()).relu())


def train(model, epochs=10):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    for _ in range(epochs):
        for sensors, wanted in training:
            optimizer.zero_grad()
            F.mse_loss(model(sensors), wanted).backward()
            optimizer.step()


@torch.no_grad()
def evaluate(model):
    """The share of the variance that is explained; 1 is perfect."""
    sensors, wanted = next(iter(validation))
    return 1 - (F.mse_loss(model(sensors), wanted) / wanted.var()).item()


model = Network()
train(model, epochs=40)
print(f"explained: {evaluate(model):.3f}")

# %%
# The lines that are new
# ----------------------
# ``train`` runs once per turn, so it may be shorter than the first training.
# ``evaluate`` gives the score that must hold: here two hundredths of it may go.
# ``batches`` and ``loss`` tell how much the loss would notice if a unit were gone.

example = next(iter(validation))[0][:1]
sculpture = sp.sculpt(
    model,
    example,
    train=train,
    evaluate=evaluate,
    batches=validation,
    loss=F.mse_loss,
    max_drop=0.02,
    units=0.2,  # a fifth of all units per turn
    edges=0.04,
)
print(f"explained: {sculpture.score:.3f} with {sculpture.density:.1%} of the edges")

# %%
# What it shows
# -------------
# ``model`` is the same object, now with exact zeros. The sensors that measure nothing
# have lost all their edges, and heat and wear share no unit.

report = sp.analyze(model, example)
rich.print(report)
_, ax = plt.subplots(figsize=(9, 5), layout="constrained")
sp.plot.layered(report.graph, report.hierarchy, ax=ax, output_names=("heat", "wear"))
plt.show()
