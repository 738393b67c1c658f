"""What a unit of a recurrent layer hears of, against gradients through many steps."""

import pytest
import torch
from torch import nn

from sculpt_plugin.tracing.recurrent import directions


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("seed", range(3))
def test_a_unit_hears_of_what_its_gradient_reaches(kind, seed: int) -> None:
    torch.manual_seed(seed)
    layer = kind(4, 5).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            if parameter.ndim > 1:
                parameter.mul_(torch.rand(parameter.shape) < 0.15)
    (way,) = directions(layer)
    x = torch.randn(9, 1, 4, dtype=torch.float64, requires_grad=True)
    last = layer(x)[0][-1, 0]
    for unit in range(5):
        (slope,) = torch.autograd.grad(last[unit], x, retain_graph=True)
        heard = (slope[:, 0] != 0).any(0)
        assert way.kept[unit, :4].tolist() == heard.tolist()


def test_a_projection_makes_the_units_and_carries_the_state() -> None:
    layer = nn.LSTM(2, 3, proj_size=1)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.weight_ih_l0[0, 1] = 1.0  # the first cell reads column 1
        layer.weight_hr_l0[0, 0] = 1.0  # and makes the only unit
    (way,) = directions(layer)
    assert way.kept.tolist() == [[False, True, False]]
    assert way.units == 1


def test_a_stack_lists_its_layers_from_the_inputs_up() -> None:
    ways = list(directions(nn.LSTM(3, 2, num_layers=2, bidirectional=True)))
    assert [way.name for way in ways] == ["l0", "l0_reverse", "l1", "l1_reverse"]
    assert [way.kept.shape for way in ways] == [(2, 5), (2, 5), (2, 6), (2, 6)]
