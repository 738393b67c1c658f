"""What layers are called."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from sculpt_plugin.analysis.trace import trace
from sculpt_plugin.errors import TraceError


class Tied(nn.Module):
    """A head that shares its weight with an embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.table.weight

    def forward(self, x):
        return self.head(self.table(x))


def pruned() -> nn.Module:
    layer = nn.Linear(2, 2)
    prune.l1_unstructured(layer, "weight", amount=1)
    return nn.Sequential(layer)


@pytest.mark.parametrize(
    ("model", "inputs", "names"),
    [
        (nn.Linear(2, 1), torch.zeros(1, 2), ["model"]),
        (nn.Sequential(nn.Linear(2, 1)), torch.zeros(1, 2), ["0"]),
        (Tied(), torch.zeros(1, 2, dtype=torch.long), ["table", "head"]),
        (pruned(), torch.zeros(1, 2), ["0"]),
        (
            nn.Sequential(parametrizations.spectral_norm(nn.Linear(2, 2))),
            torch.zeros(1, 2),
            ["0"],
        ),
        (nn.LSTMCell(2, 3), torch.zeros(1, 2), ["weight_ih", "model sum", "outputs"]),
        (nn.GRU(2, 3), torch.zeros(1, 1, 2), ["model", "outputs"]),
    ],
)
def test_layers_are_named_after_their_modules(model, inputs, names) -> None:
    assert list(trace(model, inputs).names[1:]) == names


def test_parts_of_one_parameter_are_named_by_their_rows() -> None:
    attention = nn.MultiheadAttention(2, 1, batch_first=True)
    x = torch.zeros(1, 3, 2)
    found = trace(attention, (x, x.clone(), x.clone()))
    assert found.names[1:4] == ("in_proj[0:2]", "in_proj[2:4]", "in_proj[4:6]")


def filled(*weights: float) -> nn.Module:
    layer = nn.Linear(len(weights), 1)
    layer.weight.data[0] = torch.tensor(weights)
    return nn.Sequential(layer)


@pytest.mark.parametrize(
    "weights",
    [(1.0, torch.nan), (torch.inf, 0.0), (torch.inf, -torch.inf)],
)
def test_weights_that_are_no_numbers_are_refused(weights) -> None:
    with pytest.raises(TraceError, match="'0' must have finite numbers only"):
        trace(filled(*weights), torch.ones(1, len(weights)))


def test_weights_whose_sum_overflows_are_taken() -> None:
    assert trace(filled(3e38, 3e38), torch.zeros(1, 2)).edge_count == 2
