"""The check finds what is wrong with a graph."""

import pytest
import torch
from torch import Tensor, nn

from sculpt_plugin.errors import TraceError
from sculpt_plugin.tracing import passing
from sculpt_plugin.tracing.verifying import verify
from sculpt_plugin.tracing.wiring import wire


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 5), nn.Linear(5, 2))


def test_a_true_graph_is_found_to_be_true() -> None:
    model, x = net(), torch.zeros(1, 4)
    assert verify(model, x, wire(model, x)) == {
        "units": 14,
        "columns": 168,
        "missed": 0,
        "unseen": 0,
        "where": [],
    }


def flipped() -> nn.Module:
    class Flipped(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return self[1](self[0](x).flip(1))

    return Flipped(nn.Linear(2, 5), nn.Linear(5, 2))


def test_a_rule_that_is_wrong_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(passing._RULES, "flip", passing.Passing._pointwise)
    model, x = flipped(), torch.zeros(1, 2)
    found = verify(model, x, wire(model, x))
    assert found["missed"] > 0 and found["unseen"] > 0
    assert found["where"] == ["1"]


def test_a_rule_that_says_too_much_is_seen_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(passing._RULES, "flip", passing.Passing._mix_all)
    model, x = flipped(), torch.zeros(1, 2)
    found = verify(model, x, wire(model, x))
    assert found["missed"] == 0 and found["unseen"] > 0


def test_a_unit_behind_a_relu_that_keeps_it_silent_is_unseen_not_missed() -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.Hardtanh(1e9, 2e9), nn.Linear(1, 1))
    found = verify(model, torch.zeros(1, 1), wire(model, torch.zeros(1, 1)))
    assert found["missed"] == 0 and found["unseen"] == 1


def test_the_same_model_is_checked_the_same_way_twice() -> None:
    model, x = net(), torch.zeros(1, 4)
    before = torch.get_rng_state()
    assert verify(model, x, wire(model, x)) == verify(model, x, wire(model, x))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_model_that_goes_another_way_for_other_inputs_cannot_be_verified() -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.a(x) if float(x.abs().sum()) == 0 else self.b(self.a(x))

    model, x = Fork(), torch.zeros(1, 2)
    with pytest.raises(TraceError, match="must take the same path for all inputs"):
        verify(model, x, wire(model, x))
