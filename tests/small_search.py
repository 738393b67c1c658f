"""A search that takes a second or so: the first of four inputs decides."""

from pathlib import Path

import torch
from networks import mlp
from torch.nn import functional as F

from sculpt_plugin.pruning.sculptor import Sculpture, sculpt

INPUTS = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4)
TARGETS = torch.stack([INPUTS[:, 0], INPUTS[:, 1] != INPUTS[:, 2]], dim=1).float()


def train(model, owner=None, epochs=40):
    adam = torch.optim.Adam((owner or model).parameters(), lr=0.03)
    for _ in range(epochs):
        adam.zero_grad()
        noisy = INPUTS + 0.05 * torch.randn_like(INPUTS)
        F.binary_cross_entropy_with_logits(model(noisy), TARGETS).backward()
        adam.step()


def evaluate(model):
    with torch.no_grad():
        return ((model(INPUTS) > 0) == (TARGETS > 0)).float().mean().item()


def dense():
    torch.manual_seed(3)
    model = mlp(4, 10, 10, 2)
    train(model, epochs=200)
    return model


def search(model=None, **changes) -> Sculpture:
    settings = {
        "train": train,
        "evaluate": evaluate,
        "batches": [(INPUTS, TARGETS)],
        "loss": F.binary_cross_entropy_with_logits,
        "min_score": 1.0,
        "units": 0.3,
        "edges": 0.2,
        "seed": 5,
    }
    if model is None:
        model = dense()
    return sculpt(model, INPUTS, **{**settings, **changes})


def search_in(folder: str, ready) -> None:
    """One process's work in the test that kills it."""
    torch.set_num_threads(1)
    model = dense()
    ready.set()
    sculpture = search(model, checkpoint=Path(folder) / "checkpoint")
    state = {**sculpture.model.state_dict(), "masks": dict(sculpture.masks.keep)}
    torch.save(state, Path(folder) / "final.pt")
