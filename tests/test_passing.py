"""Operations between layers, each checked by changing units in the real model."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sculpt_plugin.analysis.trace import read
from sculpt_plugin.tracing.verifying import verify
from sculpt_plugin.tracing.wiring import wire


class Between(nn.Module):
    """A convolution of 2 to 4 channels, an operation, and a layer that reads it."""

    def __init__(self, run: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 1)
        self.run = run
        self.last = nn.LazyLinear(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.run(self.conv(x)))


def between(run: Callable[[Tensor], Tensor]) -> nn.Module:
    """Half of the weights are zero, so that a wrong column shows."""
    torch.manual_seed(0)
    model = Between(run)
    model(torch.zeros(2, 2, 2, 2))
    with torch.no_grad():
        for parameter in model.double().parameters():
            parameter.normal_()
        model.last.weight.mul_(torch.rand(model.last.weight.shape) < 0.5)
    return model


def written(h: Tensor) -> Tensor:
    buffer = torch.zeros(2, 6, 2, 2, dtype=h.dtype)
    buffer[:, 1:5] = h
    buffer[:, 2] += h[:, 0]
    buffer[:, 3].zero_()
    return buffer.flatten(1)


EXACT = {
    "relu in place": lambda h: nn.Tanh()(h).mul_(2).flatten(1),
    "max pool": lambda h: functional.max_pool2d(h, 2).flatten(1),
    "adaptive pool": lambda h: functional.adaptive_avg_pool2d(h, 1).squeeze(-1).mT,
    "sum": lambda h: functional.gelu(h).sum((-1, -2)),
    "amax": lambda h: h.amax((2, 3)) ** 2 / 3 - 1,
    "factor": lambda h: (h.reshape(2, 4, 4) * torch.ones(4, 1)).mean(-1),
    "dtype": lambda h: h.double().to(h.dtype).flatten(1),
    "unsqueeze": lambda h: h.unsqueeze(2).flatten(2).mean(2),
    "zeros like": lambda h: (h + torch.zeros_like(h) - h.new_ones(1)).flatten(1),
    "permute": lambda h: h.permute(0, 2, 3, 1).flatten(1),
    "transpose": lambda h: h.transpose(1, 2).flatten(1),
    "slice": lambda h: h[:, 1:].flatten(1),
    "select": lambda h: h[:, 0].flatten(1),
    "chunk": lambda h: h.flatten(1).chunk(2, 1)[0],
    "mean of units": lambda h: h.mean(1).flatten(1),
    "constant matrix": lambda h: h.flatten(1) @ torch.eye(16, dtype=h.dtype),
    "constant on the left": lambda h: (
        torch.tril(torch.ones(4, 4, dtype=h.dtype)).matmul(h.flatten(2)).flatten(1)
    ),
    "product": lambda h: h.flatten(2).bmm(h.flatten(2).mT),
    "view": lambda h: h.view(2, 8, 2).flatten(1),
    "stack": lambda h: torch.stack([h, h.flip(1)], 1).flatten(1),
    "cat with a constant": lambda h: torch.cat([h, h.new_ones(2, 1, 2, 2)], 1).flatten(
        1
    ),
    "index": lambda h: h[:, [1, 0, 3, 3]].flatten(1),
    "gate": lambda h: (h * h[:, :1]).flatten(1),
    "repeat": lambda h: h.repeat(1, 2, 1, 1).flatten(1),
    "roll": lambda h: h.roll(1, 1).flatten(1),
    "pad": lambda h: functional.pad(h.flatten(1), (1, 2), value=1.0),
    "reflect": lambda h: functional.pad(h.flatten(2), (1, 1), mode="reflect").flatten(
        1
    ),
    "zero factor": lambda h: (h * torch.tensor([0.0, 1, 0, 2]).view(4, 1, 1)).flatten(
        1
    ),
    "masked": lambda h: h.masked_fill(torch.eye(2).bool(), 0.5).flatten(1),
    "where": lambda h: torch.where(torch.tensor([True, False]), h, h.flip(1)).flatten(
        1
    ),
    "glu": lambda h: functional.glu(h, 1).flatten(1),
    "pixel shuffle": lambda h: functional.pixel_shuffle(h, 2).flatten(1),
    "channel shuffle": lambda h: nn.ChannelShuffle(2)(h).flatten(1),
    "unfold": lambda h: functional.unfold(h, 2).flatten(1),
    "bilinear upsampling": lambda h: functional.interpolate(
        h, scale_factor=2, mode="bilinear"
    ).flatten(1),
    "nearest upsampling": lambda h: functional.interpolate(h, scale_factor=2).flatten(
        1
    ),
    "einsum": lambda h: torch.einsum("bchw,bdhw->bcd", h, h[:, :2]),
    "detach": lambda h: (h.detach() + h.roll(1, 1)).flatten(1),
    "written into": written,
    "gather": lambda h: h.gather(1, torch.ones(2, 2, 2, 2).long()).flatten(1),
    "scatter": lambda h: (
        torch.zeros(2, 4, 2, 2, dtype=h.dtype)
        .scatter(1, torch.full((2, 1, 2, 2), 2), h[:, 1:2])
        .flatten(1)
    ),
}


@pytest.mark.parametrize("run", EXACT.values(), ids=EXACT)
def test_units_pass_exactly_as_they_do_in_the_real_model(run: Callable) -> None:
    model = between(run)
    found = read(model, torch.zeros(2, 2, 2, 2, dtype=torch.float64), verify=True)
    assert all(x["coverage"] == "exact" for x in found.coverage["layers"])
    assert found.coverage["verified"]["missed"] == 0
    assert found.coverage["verified"]["unseen"] == 0


NEARLY = {
    "softmax": lambda h: h.flatten(1).softmax(1),
    "layer norm": lambda h: functional.layer_norm(h, h.shape[1:]).flatten(1),
    "group norm": lambda h: functional.group_norm(h, 2).flatten(1),
}


@pytest.mark.parametrize("run", NEARLY.values(), ids=NEARLY)
def test_statistics_that_units_share_are_left_out_of_the_graph(run: Callable) -> None:
    model, x = between(run), torch.zeros(2, 2, 2, 2, dtype=torch.float64)
    found = read(model, x, verify=True)
    faults = [x for x in found.coverage["layers"] if x["coverage"] != "exact"]
    assert [x["reason"] for x in faults] == [
        "leaves out the statistics that its units share"
    ]
    assert found.coverage["verified"]["missed"] == 0
    assert found.coverage["verified"]["unseen"] == 0
    # Each column carries one unit, as if there were no statistics.
    plain = read(between(lambda h: h.flatten(1)), x).graph
    assert (found.graph.adjacency != plain.adjacency).nnz == 0


def own_weights(h: Tensor) -> Tensor:
    scale, shift = h[0, :, 0, 0], h[1, :, 0, 0]
    return functional.group_norm(h, 4, scale, shift).flatten(1)


def own_kernel(h: Tensor) -> Tensor:
    return functional.conv2d(h, h[:, :, :1, :1], h[0, :2, 0, 0]).flatten(1)


HIDING = {
    "running sum": lambda h: h.mean(2).cumsum(2).flatten(1),
    "weights of a norm from the inputs": own_weights,
    "kernel from the inputs": own_kernel,
    "bias from the inputs": lambda h: functional.conv2d(
        h, torch.ones(2, 4, 1, 1, dtype=h.dtype), h[0, :2, 0, 0]
    ).flatten(1),
    "max": lambda h: h.max(1).values.flatten(1),
    "complex": lambda h: torch.complex(h, h.roll(1, 1)).imag.flatten(1),
    "where by value": lambda h: torch.where(h > 0, h, h.roll(1, 1)).flatten(1),
    "fft": lambda h: torch.fft.rfft(h.flatten(2)).real.flatten(1),
    "sort": lambda h: h.flatten(1).sort(1).values,
    "index by value": lambda h: h.flatten(1)[:, h.flatten(1)[0].argsort()],
    "scatter add": lambda h: (
        torch.zeros(2, 4, 2, 2, dtype=h.dtype)
        .scatter_add(1, torch.zeros(2, 4, 2, 2).long(), h)
        .flatten(1)
    ),
    "window": lambda h: functional.avg_pool2d(h.mT.reshape(2, 1, 4, 4), 3, 1).flatten(
        1
    ),
}


@pytest.mark.parametrize("run", HIDING.values(), ids=HIDING)
def test_an_operation_that_hides_some_of_its_operands_misses_nothing(
    run: Callable,
) -> None:
    model, x = between(run), torch.zeros(2, 2, 2, 2, dtype=torch.float64)
    verified = verify(model, x, wire(model, x))
    assert verified["missed"] == 0
