"""What is repeated from a tape is what would be done anew, to the last bit."""

import random
from dataclasses import replace

import pytest
import torch
from networks import Concat
from test_lanes_training import Mixing
from tiny_sweep import Added, Image, Kind, Normed, Scaled, Shared, for_kind
from torch import Tensor, nn

from sculpt_plugin.pruning.lanes import tape, training
from sculpt_plugin.pruning.lanes.alone import row_of
from sculpt_plugin.pruning.lanes.program import program
from sculpt_plugin.pruning.lanes.refilling import refill
from sculpt_plugin.pruning.lanes.tape import repeated, repeats
from sculpt_plugin.pruning.lanes.training import train_lanes


class Curved(nn.Sequential):
    """Hidden layers with other bends than a ReLU."""

    shape = (4,)

    def __init__(self) -> None:
        super().__init__(
            nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 3)
        )


class Plain(nn.Sequential):
    """Hidden layers with a ReLU."""

    shape = (4,)

    def __init__(self) -> None:
        super().__init__(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


class Filling(Plain):
    """A forward that makes memory of its own and changes it in place."""

    def forward(self, input: Tensor) -> Tensor:
        sums = torch.zeros_like(input)
        sums += input
        sums[:, 0] *= 2
        return super().forward(sums).mul_(2)


class Wavering(Plain):
    """A forward that draws random numbers which torch does not know of."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) + 1e-9 * random.random()


class Viewing(Plain):
    """A forward that views what a product made as only its usual order can be."""

    def forward(self, input: Tensor) -> Tensor:
        return self[2](self[0](input).view(-1).view(len(input), 8).relu())


class Striding(Plain):
    """A forward that reads what a product made by its place in memory."""

    def forward(self, input: Tensor) -> Tensor:
        made = self[0](input)
        return self[2](made.as_strided(made.shape, (8, 1)).relu())


def trained(kind, *, noise=0.0, dtype=torch.float64, again=True, loss=None):
    """Three lanes of a kind, two with the same noise, parts of them pruned."""
    recipe = for_kind(kind, noise=noise)
    inputs, targets = recipe.inputs.to(dtype), recipe.targets.to(dtype)
    recipe = replace(recipe, inputs=inputs, targets=targets, loss=loss or recipe.loss)
    models = [Kind(kind, dtype)(seed) for seed in (0, 1, 2)]
    rows = torch.stack([row_of(model) for model in models])
    keep = torch.rand(rows.shape, generator=torch.Generator().manual_seed(3)) < 0.8
    shapes = [tuple(p.shape) for p in models[0].parameters()]
    made = program(models[0], recipe)
    if not again:
        made = replace(made, steady=False)
    return train_lanes(made, rows, keep, (4, 4, 9), shapes, epochs=21)


KINDS = [
    Plain, Curved, Filling, Image, Added, Concat, Normed, Scaled, Shared, Mixing,
]  # fmt: skip


def anew(step, *, fixed=()):
    """Do a step as it is noted, each time."""
    return lambda: tape._first_time(step)[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("kind", KINDS)
def test_training_is_the_same_to_the_last_bit(kind, noise, dtype, monkeypatch):
    found = trained(kind, noise=noise, dtype=dtype)

    monkeypatch.setattr(training, "repeated", anew)
    expected = trained(kind, noise=noise, dtype=dtype)

    assert torch.equal(found.values, expected.values)
    assert torch.equal(found.score, expected.score)


@pytest.mark.parametrize("kind", [*KINDS, Viewing, Striding])
def test_turned_products_change_nothing_but_rounding(kind):
    expected = trained(kind, noise=0.1, again=False)

    found = trained(kind, noise=0.1)

    torch.testing.assert_close(found.values, expected.values, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(found.score, expected.score, rtol=0, atol=0)


@pytest.mark.parametrize(
    "loss",
    [nn.functional.mse_loss, nn.functional.binary_cross_entropy_with_logits],
)
def test_other_losses_are_the_same_too(loss, monkeypatch):
    found = trained(Plain, noise=0.1, loss=loss).values

    monkeypatch.setattr(training, "repeated", anew)

    assert torch.equal(found, trained(Plain, noise=0.1, loss=loss).values)


@pytest.mark.parametrize("kind", [Plain, Image, Filling])
def test_model_is_not_called_again(kind, monkeypatch):
    calls = []
    forward = kind.forward
    monkeypatch.setattr(
        kind, "forward", lambda self, x: calls.append(x) or forward(self, x)
    )

    trained(kind, noise=0.1)
    few = len(calls)
    calls.clear()
    trained(kind, noise=0.1, again=False)

    # Every epoch runs it on noisy samples, and ten are looked at on clean ones.
    assert len(calls) - few == 21 + 11 - 2


@pytest.mark.parametrize(("kind", "steady"), [(Plain, True), (Wavering, False)])
def test_only_what_is_the_same_each_time_is_repeated(kind, steady):
    assert program(Kind(kind)(0), for_kind(kind)).steady == steady


def test_score_of_a_part_of_the_validation_set_is_repeated():
    """A score may count on more samples than there are to train on."""

    def of_rest(outputs, targets):
        return -(outputs[7] - targets[7]).abs().mean()

    inputs, targets = torch.rand(5, 4), torch.rand(5, 3)
    more = torch.cat([inputs, inputs]), torch.cat([targets, targets])
    recipe = for_kind(Plain)
    recipe = replace(
        recipe, inputs=inputs, targets=targets, validation=more, score=of_rest
    )

    assert program(Kind(Plain)(0), recipe).steady


def test_what_is_never_a_number_is_the_same_each_time():
    x = torch.zeros(2)

    assert repeats(lambda: (x / x) + x.log())


@pytest.mark.parametrize(
    "step",
    [
        lambda x: torch.rand(3),
        lambda x: torch.dropout(x, 0.5, True),
        lambda x: x.nonzero(),
        lambda x: x * float(x.sum()),
        lambda x: x * random.random(),
        lambda x: x + torch.tensor(random.random()),
    ],
)
def test_chance_and_looks_at_numbers_are_not_repeated(step):
    x = torch.ones(3)

    assert not repeats(lambda: step(x))


def test_products_are_turned_where_what_follows_allows_it():
    tall, small = torch.rand(3, 20, 4), torch.rand(3, 4, 2)
    (made,), _ = tape._first_time(lambda: (tall @ small,))
    assert made.stride() == (40, 1, 20)
    torch.testing.assert_close(made, tall @ small)

    (viewed,), _ = tape._first_time(lambda: ((tall @ small).view(-1),))
    assert torch.equal(viewed, (tall @ small).view(-1))

    (wide,), _ = tape._first_time(lambda: (small.mT @ tall.mT,))
    assert wide.is_contiguous()


def test_gradients_are_repeated_where_a_sum_reaches_a_number_twice():
    x = torch.randn(4)
    leaf = x.detach().requires_grad_()

    def step():
        with torch.enable_grad():
            return torch.autograd.grad((leaf * leaf.exp() + leaf).sum(), leaf)

    again = repeated(step)
    again()
    x.add_(1)

    assert torch.equal(again()[0], step()[0])


def test_step_that_fills_much_memory_is_done_as_it_is(monkeypatch):
    monkeypatch.setattr(tape, "_MUCH", 8)
    calls, x = [], torch.ones(4)

    def step():
        calls.append("step")
        return (x + len(calls),)

    again = repeated(step)

    assert [again()[0][0].item() for _ in range(3)] == [2, 3, 4]
    assert len(calls) == 3


def test_what_nobody_uses_is_left_out():
    x = torch.ones(3)

    def step():
        x.exp().sin()
        return (x + 1,)

    made, done = tape._record(step)

    assert done is not None
    assert [str(x.call.func) for x in done] == [
        "aten.exp.default", "aten.sin.default", "aten.add.Tensor",
    ]  # fmt: skip
    (needed,) = tape._needed(done, made)
    assert str(needed.call.func) == "aten.add.Tensor"


def test_what_follows_from_fixed_tensors_alone_is_done_once(monkeypatch):
    x, fixed, played = torch.randn(3), torch.randn(3), []
    monkeypatch.setattr(
        tape, "refill", lambda call: played.append(str(call.func)) or refill(call)
    )

    def step():
        grown = fixed.exp()
        counted = torch.zeros(3).add_(2)
        return (x * grown.sin() + counted,)

    again = repeated(step, fixed=(fixed,))
    again()
    x.normal_()

    assert torch.equal(again()[0], step()[0])
    # What is changed in place would not be what it was.
    assert played == [
        "aten.zeros.default", "aten.add_.Tensor", "aten.mul.Tensor", "aten.add.Tensor",
    ]  # fmt: skip


def test_gradient_is_found_without_the_loss(monkeypatch):
    x, targets, played = torch.randn(3, requires_grad=True), torch.randn(3), []
    monkeypatch.setattr(
        tape, "refill", lambda call: played.append(str(call.func)) or refill(call)
    )

    def step():
        loss = (torch.nn.functional.softplus(x) - targets * x).sum()
        return torch.autograd.grad(loss, x)

    again = repeated(step, fixed=(targets,))
    again()
    with torch.no_grad():
        x.normal_()

    assert torch.equal(again()[0], step()[0])
    assert played == ["aten.softplus_backward.default", "aten.add.Tensor"]


def test_result_that_follows_from_fixed_tensors_may_be_changed_by_who_gets_it():
    fixed = torch.randn(3)
    again = repeated(lambda: (fixed.exp(),), fixed=(fixed,))

    for _ in range(3):
        (found,) = again()
        assert torch.equal(found, fixed.exp())
        found.zero_()
