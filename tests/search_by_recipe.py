"""A search whose `train` is that of a recipe, in float64."""

import torch
from networks import mlp
from small_search import INPUTS, TARGETS
from torch.nn import functional as F

from sculpt_plugin.pruning.sculptor import sculpt
from sculpt_plugin.training.recipe import Recipe

WIDE = INPUTS.double()
RIGHT = TARGETS.double()


def right(outputs, targets):
    return ((outputs > 0) == (targets > 0.5)).double().mean()


def recipe(**changes):
    settings = {"first_epochs": 150, "epochs": 12, "learning_rate": 0.05, "noise": 0.05}
    return Recipe(
        WIDE, RIGHT, F.binary_cross_entropy_with_logits, right, **settings | changes
    )


def learned(how, *sizes):
    torch.manual_seed(how.seed)
    model = mlp(*sizes).double()
    how.prepare(model)
    return model


def by_recipe(model, how, **changes):
    settings = {"train": how.train, "evaluate": how.evaluate, "batches": how.batches}
    return sculpt(
        model, how.inputs,
        **{
            **settings, "loss": how.loss, "min_score": 1.0, "units": 0.3, "edges": 0.2,
            "seed": how.seed, **changes,
        },
    )  # fmt: skip
