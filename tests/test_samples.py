"""Whether a loss is the mean or the sum, whatever holds the samples."""

import pytest
import torch
from holders import ByAttribute, Held, KeptInStep, Pair
from torch.nn import functional as F

from sculpt_plugin.pruning.samples import reduction

HOLDERS = [ByAttribute, Held, KeptInStep, Pair]


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("kind", ["mean", "sum"])
def test_samples_are_found_in_what_holds_them(kind, holder):
    def loss(outputs, targets):
        return F.mse_loss(outputs.logits, targets.logits, reduction=kind)

    outputs, targets = (holder(logits=torch.randn(5, 1), scale=1) for _ in range(2))

    assert reduction(loss, outputs, targets, 5) == kind
