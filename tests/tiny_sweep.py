"""Sweeps that take a second or so, over networks of several kinds.

What processes pass on to each other is at the top of this file.
"""

from dataclasses import dataclass, replace

import torch
from networks import Concat
from torch import Tensor, nn

from sculpt_plugin import tasks
from sculpt_plugin.pruning.grid import Run
from sculpt_plugin.pruning.record import Step
from sculpt_plugin.pruning.sculptor import Sculpture, sculpt
from sculpt_plugin.tasks import FunctionGraph, Task, and_, xor
from sculpt_plugin.tasks.learning import bit_loss, right_bits
from sculpt_plugin.training.recipe import Recipe

OWN = Task(
    "a task of one's own",
    FunctionGraph(
        inputs=("a", "b", "c"),
        functions={"odd": xor("a", "b"), "both": and_("b", "c")},
        outputs=("odd", "both", "odd"),
    ),
)


class Image(nn.Sequential):
    """A convolution, a flatten and two Linear layers."""

    shape = (1, 4, 4)

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(16, 6),
            nn.ReLU(),
            nn.Linear(6, 3),
        )


class Tokens(nn.Sequential):
    """Four words out of five, each of which has a vector."""

    shape = (4,)

    def __init__(self) -> None:
        super().__init__(
            nn.Embedding(5, 3),
            nn.Flatten(),
            nn.Linear(12, 6),
            nn.ReLU(),
            nn.Linear(6, 3),
        )


class Added(nn.Module):
    """Two convolutions that are added, without a norm."""

    shape = (1, 4, 4)

    def __init__(self) -> None:
        super().__init__()
        self.below = nn.Conv2d(1, 3, 3, padding=1)
        self.above = nn.Conv2d(3, 3, 3, padding=1)
        self.hidden = nn.Linear(48, 6)
        self.output = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        below = self.below(x).relu()
        both = (self.above(below) + below).relu()
        return self.output(self.hidden(both.flatten(1)).relu())


class Normed(nn.Module):
    """A hidden layer whose units are normed together, which knows its own width."""

    shape = (4,)

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(4, 8)
        self.norm = nn.LayerNorm(8)
        self.output = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.norm(self.hidden(x)).relu())


class Scaled(Normed):
    """A hidden layer that is scaled by its width, as attention is."""

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.hidden(x)
        return self.output(hidden.relu() / hidden.shape[1] ** 0.5)


class Shared(nn.Module):
    """One layer that is run twice, on the two halves of the input."""

    shape = (4,)

    def __init__(self) -> None:
        super().__init__()
        self.piece = nn.Linear(2, 5)
        self.upper = nn.Linear(5, 4)
        self.output = nn.Linear(8, 3)
        self.gain = nn.Parameter(torch.tensor(1.5))

    def forward(self, x: Tensor) -> Tensor:
        halves = [self.upper(self.piece(part).relu()) for part in x.split(2, dim=1)]
        return self.output((self.gain * torch.cat(halves, dim=1)).relu())


class Warmed(nn.Module):
    """A hidden layer with batch norm, which keeps numbers besides its parameters."""

    shape = (4,)

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(4, 8)
        self.norm = nn.BatchNorm1d(8)
        self.output = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.norm(self.hidden(x)).relu())


class Dropping(nn.Sequential):
    """A hidden layer with dropout, which draws random numbers."""

    shape = (4,)

    def __init__(self) -> None:
        super().__init__(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.02), nn.Linear(8, 3))


class Frozen(Normed):
    """A hidden layer whose biases are not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden.bias.requires_grad_(False)


class Branching(Normed):
    """A forward that looks at numbers to decide where to go."""

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.hidden(x).relu()
        return self.output(hidden if bool((hidden < 1e9).all()) else 2 * hidden)


class Folding(nn.Module):
    """Positions that are folded into the batch."""

    shape = (2, 4)

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(4, 5)
        self.upper = nn.Linear(5, 4)
        self.output = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        each = self.upper(self.hidden(x.reshape(-1, 4)).relu()).relu()
        return self.output(each.reshape(-1, 8))


KINDS = (Image, Added, Concat, Normed, Scaled, Shared)
"""What can be trained in lanes, besides chains of Linear layers."""


@dataclass(frozen=True)
class Kind:
    """Start networks of a kind; the seed decides their weights."""

    kind: type[nn.Module]
    dtype: torch.dtype = torch.float64

    def __call__(self, seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.kind().to(self.dtype)


@dataclass(frozen=True)
class OnTask:
    """Start networks for a Boolean task."""

    task: Task | str = "4,1,4"
    hidden: tuple[int, ...] = (12,)
    dtype: torch.dtype = torch.float64

    def __call__(self, seed: int) -> nn.Module:
        task = tasks.get(self.task) if isinstance(self.task, str) else self.task
        return tasks.mlp(task, hidden=self.hidden, seed=seed).to(self.dtype)


def for_kind(kind: type[nn.Module], **changes) -> Recipe:
    """Ten samples with three bits each, which follow from their first numbers."""
    source = torch.Generator().manual_seed(1)
    inputs = torch.randn(10, *kind.shape, generator=source, dtype=torch.float64)
    flat = inputs.flatten(1)
    bits = torch.stack([flat[:, 0] > 0, flat[:, 1] > 0, flat[:, 0] > flat[:, 2]], 1)
    settings = {
        "first_epochs": 150,
        "epochs": 20,
        "learning_rate": 0.05,
        "noise": 0.02,
    }
    return Recipe(inputs, bits.double(), bit_loss, right_bits, **settings | changes)


def for_task(start: OnTask, **changes) -> Recipe:
    """A Boolean task, learned in a hurry, with weight decay and an L1 penalty."""
    task = tasks.get(start.task) if isinstance(start.task, str) else start.task
    recipe = tasks.learning(task, **{"first_epochs": 100, "epochs": 20} | changes)
    inputs, targets = recipe.inputs.to(start.dtype), recipe.targets.to(start.dtype)
    return replace(recipe, inputs=inputs, targets=targets, weight_decay=1.5e-3)


def sculpted_alone(
    build, recipe: Recipe, run: Run, *, min_score: float = 1.0, **search
) -> Sculpture:
    """Do one run of a sweep by `sculpt`."""
    model = build(run.seed)
    recipe = replace(recipe, seed=run.seed)
    recipe.prepare(model)
    return sculpt(
        model,
        recipe.inputs,
        train=recipe.train,
        evaluate=recipe.evaluate,
        batches=recipe.batches,
        loss=recipe.loss,
        min_score=min_score,
        units=run.unit_step,
        edges=run.edge_step,
        seed=run.seed,
        **search,
    )


def differences(found, build, recipe, *, digits, **search) -> list:
    """Name the runs that `sculpt` alone ends otherwise."""
    wrong = []
    for run in found.runs:
        assert run.problem is None
        sculpture = sculpted_alone(build, recipe, run, **search)
        masks, expected = found.masks(run).keep, sculpture.masks.keep
        model = found.model(run)
        if (
            timeless(run.record) != timeless(sculpture.record)
            or list(masks) != list(expected)
            or not all(torch.equal(masks[name], expected[name]) for name in masks)
            or not all(
                torch.allclose(a, b, rtol=10**-digits, atol=10**-digits)
                for a, b in zip(
                    model.parameters(), sculpture.model.parameters(), strict=True
                )
            )
        ):
            wrong.append(run)
    return wrong


def timeless(record) -> list[Step]:
    """A record without what differs from one time to the next."""
    return [replace(step, seconds=0.0) for step in record]


def same_runs(some, others) -> bool:
    """Tell whether runs are the same to the last bit."""
    return len(some) == len(others) and all(
        (one.seed, one.unit_step, one.edge_step, one.problem)
        == (two.seed, two.unit_step, two.edge_step, two.problem)
        and timeless(one.record) == timeless(two.record)
        and torch.equal(one.network.values, two.network.values)
        and torch.equal(one.network.keep, two.network.keep)
        for one, two in zip(some, others, strict=True)
    )
