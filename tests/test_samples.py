"""Whether a loss is the mean or the sum, whatever holds the samples."""

import pytest
import torch
from holders import ByAttribute, Held, KeptInStep, Pair
from torch.nn import functional as F

from sculpt_plugin.errors import DataError
from sculpt_plugin.pruning.samples import reduction

HOLDERS = [ByAttribute, Held, KeptInStep, Pair]


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("kind", ["mean", "sum"])
def test_samples_are_found_in_what_holds_them(kind, holder):
    def loss(outputs, targets):
        return F.mse_loss(outputs.logits, targets.logits, reduction=kind)

    outputs, targets = (holder(logits=torch.randn(5, 1), scale=1) for _ in range(2))

    assert reduction(loss, outputs, targets, 5) == kind


def cross_entropy(dtype=torch.float32, **settings):
    weight = torch.tensor([1.0, 10.0, 3.0], dtype=dtype)
    return torch.nn.CrossEntropyLoss(weight=weight, **settings)


def outputs_for(targets):
    """Outputs by which each class has a loss of its own."""
    return torch.stack([targets * 0.5, 1 - targets * 2.0, targets * 0.0], dim=1)


RARE = {
    "in a later batch": [[0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1]],
    "beyond the first eight": [[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    "as often in both halves": [[0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0]],
    "one of thousand": [[0] * 8 + [0] * 991 + [1]],
    "beside two others": [[2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 2, 1, 0]],
}


@pytest.mark.parametrize("case", RARE)
def test_class_weights_are_refused_in_whatever_order_the_samples_come(case):
    *first, last = (torch.tensor(batch) for batch in RARE[case])
    loss, known = cross_entropy(), None
    for targets in first:
        known = reduction(loss, outputs_for(targets), targets, len(targets))

    with pytest.raises(DataError, match=r"class weights .* reduction='sum'"):
        reduction(loss, outputs_for(last), last, len(last), known=known)


@pytest.mark.parametrize("case", RARE)
def test_a_sum_with_class_weights_is_a_sum(case):
    known = None
    for batch in RARE[case]:
        targets = torch.tensor(batch)
        loss = cross_entropy(reduction="sum")
        known = reduction(loss, outputs_for(targets), targets, len(targets))
        assert known == "sum"


def test_pixels_of_a_weighted_class_are_found_in_a_later_batch():
    targets = torch.zeros(4, 5, 5, dtype=torch.long)
    targets[3, :2] = 1
    outputs = outputs_for(targets)

    with pytest.raises(DataError, match="must be the mean of its samples' losses"):
        reduction(cross_entropy(), outputs, targets, 4, known="mean")


def test_tokens_that_are_ignored_are_found_in_a_later_batch():
    targets = torch.tensor([[0, 1, 2], [1, 0, 2], [2, 1, 0], [1, -100, -100]])
    loss = torch.nn.CrossEntropyLoss()

    with pytest.raises(DataError, match="leave out class weights and ignore_index"):
        reduction(loss, torch.randn(4, 3, 3), targets, 4, known="mean")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("count", [2, 3, 9, 700, 4001])
@pytest.mark.parametrize("kind", ["mean", "sum"])
def test_means_and_sums_are_told_apart_in_every_batch(kind, count, dtype):
    outputs, targets = torch.randn(count, 5).to(dtype), torch.randint(0, 5, (count,))
    smooth = torch.nn.CrossEntropyLoss(reduction=kind, label_smoothing=0.1)

    known = reduction(smooth, outputs, targets, count)

    assert known == kind
    assert reduction(smooth, outputs, targets, count, known=known) == kind


@pytest.mark.parametrize("kind", ["mean", "sum"])
def test_parts_are_taken_of_outputs_and_targets_in_dicts_and_tuples(kind):
    def loss(outputs, targets):
        return F.cross_entropy(
            outputs["deep"][0], targets[1], reduction=kind
        ) + F.mse_loss(outputs["side"], targets[0]["wanted"], reduction=kind)

    outputs = {"deep": (torch.randn(9, 3),), "side": torch.randn(9)}
    targets = ({"wanted": torch.randn(9)}, torch.randint(0, 3, (9,)))

    assert reduction(loss, outputs, targets, 9) == kind
    assert reduction(loss, outputs, targets, 9, known=kind) == kind


def test_a_mean_is_no_sum_in_a_later_batch():
    outputs, targets = torch.randn(4, 3), torch.randint(0, 3, (4,))

    with pytest.raises(DataError, match="must be the sum of its samples' losses"):
        reduction(F.cross_entropy, outputs, targets, 4, known="sum")
