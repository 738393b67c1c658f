"""
Sculpting inside a Lightning fit
================================

``SculptCallback`` prunes within ``Trainer.fit``. Your module, its steps and its
optimizer stay as they are. It needs ``pip install "sculpt_plugin[lightning]"``.
"""

import warnings

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import sculpt_plugin as sp

# Ours first: then Lightning also starts where torchvision was built for another torch.
from sculpt_plugin.lightning import SculptCallback

# isort: split
from lightning.pytorch import LightningModule, Trainer

warnings.filterwarnings("ignore", module="lightning")  # about workers and the like

# %%
# A module as you have it
# -----------------------
# It predicts heat and wear of a machine from ten sensors, of which four measure
# nothing. In validation it logs ``explained``, the share of the variance that it
# explains.


class Machine(LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2)
        )

    def forward(self, sensors):
        return self.layers(sensors)

    def training_step(self, batch, number):
        return F.mse_loss(self(batch[0]), batch[1])

    def validation_step(self, batch, number):
        sensors, wanted = batch
        self.log("explained", 1 - F.mse_loss(self(sensors), wanted) / wanted.var())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.005)


def measured(count):
    sensors = torch.rand(count, 10) * 2 - 1
    heat = (sensors[:, 0] + sensors[:, 1]).abs() - sensors[:, 2]
    wear = sensors[:, 3] * 0.8 + (sensors[:, 4] - sensors[:, 5]).relu()
    return TensorDataset(sensors, torch.stack([heat, wear], dim=1))


torch.manual_seed(0)
training = DataLoader(measured(800), batch_size=100, shuffle=True)
validation = DataLoader(measured(400), batch_size=400)

# %%
# One fit
# -------
# The trainer trains for ``max_epochs``. Then the fit goes on with the turns of the
# search, eight epochs each: remove, train, and keep the result if ``explained`` has not
# lost more than two hundredths. Precision, clipping, loggers and checkpoints are the
# trainer's.

sculpting = SculptCallback(
    monitor="explained",
    loss=F.mse_loss,
    max_drop=0.02,
    turn_epochs=8,
    units=0.25,
    edges=0.04,
)
machine = Machine()
quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar"), False)
trainer = Trainer(max_epochs=30, callbacks=[sculpting], accelerator="cpu", **quiet)
trainer.fit(machine, training, validation)
sculpture = sculpting.sculpture
print(f"{sculpture.density:.1%} of the edges explain {sculpture.score:.1%}")

# %%
# The modules of heat and of wear
# -------------------------------

report = sp.analyze(machine, torch.zeros(1, 10))
_, ax = plt.subplots(figsize=(9, 5), layout="constrained")
sp.plot.layered(report.graph, report.hierarchy, ax=ax, output_names=("heat", "wear"))
plt.show()
