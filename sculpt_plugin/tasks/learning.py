"""How a Boolean task is learned: the functions that sculpting a network asks for."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from sculpt_plugin.errors import ModelError, TaskError, TrainError
from sculpt_plugin.tasks.flat_adam import flattened, start_adam, step_adam
from sculpt_plugin.tasks.task import Task


@dataclass(frozen=True, eq=False)
class Learning:
    """A task's own `train`, `evaluate`, `batches` and `loss`, ready for `sculpt`.

    Attributes:
        train: Trains a model and leaves it with the weights of its best epoch.
        evaluate: Gives the share of right output bits on the clean truth table:
            1.0 says that every output is right in every row.
        batches: The clean truth table, as one batch of inputs and targets.
        loss: Binary cross-entropy of logits, averaged over outputs and samples.
    """

    train: Callable[[nn.Module], None]
    evaluate: Callable[[nn.Module], float]
    batches: tuple[tuple[Tensor, Tensor], ...]
    loss: Callable[[Tensor, Tensor], Tensor]


def learning(
    task: Task,
    *,
    epochs: int = 300,
    learning_rate: float = 0.05,
    draws: int = 4,
    noise: float = 0.1,
    weight_decay: float = 1e-4,
) -> Learning:
    """Say how a task is learned, as the paper does it.

    An epoch is one step of Adam over the whole truth table with Gaussian noise added
    to the inputs afresh; after it the clean table is looked at, and the weights of
    the best epoch are kept: more bits right wins, then the lower loss, then the later
    epoch. Every call of `train` starts a fresh optimizer. All randomness is torch's
    global one, so seeding it fixes the result. Noisy and clean rows share a forward
    pass: a model must treat each row by itself, so batch norm and dropout are out.

    Args:
        task: What is learned.
        epochs: Steps of one call of `train`.
        learning_rate: Adam's.
        draws: How many noisy copies of the table make up an epoch. On tables this
            small they cost next to nothing, and a calmer gradient finds sparser
            networks.
        noise: Standard deviation of the noise on the inputs.
        weight_decay: Adam's, added to the gradient.

    Returns:
        The functions and data that `sculpt` asks for.

    Raises:
        TaskError: `epochs` or `draws` is below 1.

    Example:
        >>> from sculpt_plugin import tasks
        >>> task = tasks.get("4,2,4")
        >>> how = tasks.learning(task)
        >>> model = tasks.mlp(task, hidden=(24, 24), seed=0)
        >>> _ = torch.manual_seed(0)
        >>> how.train(model)
        >>> how.evaluate(model)
        1.0

    Reference:
        Patil, Michael and Dovrolis, "Neural Sculpting", NeurIPS 2023,
        https://arxiv.org/abs/2305.18402
    """
    if epochs < 1 or draws < 1:
        raise TaskError(
            f"epochs and draws must be 1 or more, got {epochs} and {draws}."
        )
    inputs = torch.from_numpy(task.graph.rows).float()
    targets = torch.from_numpy(task.graph.table).float()

    def train(model: nn.Module) -> None:
        """Train a model on the noisy table and keep its best epoch's weights."""
        clean, wanted = _on_device(model, inputs), _on_device(model, targets)
        with torch.no_grad():
            _check_outputs(model(clean), wanted, task=task)
        _fit(
            model,
            clean,
            wanted,
            epochs=epochs,
            learning_rate=learning_rate,
            draws=draws,
            noise=noise,
            weight_decay=weight_decay,
        )

    def evaluate(model: nn.Module) -> float:
        """Give the share of right output bits on the clean table."""
        wanted = _on_device(model, targets)
        with torch.no_grad():
            logits = model(_on_device(model, inputs))
        _check_outputs(logits, wanted, task=task)
        return _right_bits(logits, wanted) / wanted.numel()

    return Learning(
        train=train,
        evaluate=evaluate,
        batches=((inputs, targets),),
        loss=binary_cross_entropy_with_logits,
    )


def _fit(
    model: nn.Module,
    clean: Float[Tensor, "row input"],
    wanted: Float[Tensor, "row output"],
    *,
    epochs: int,
    learning_rate: float,
    draws: int,
    noise: float,
    weight_decay: float,
) -> None:
    """Train the model, and leave it with the weights of its best epoch."""
    copies, targets = clean.repeat(draws, 1), wanted.repeat(draws, 1)
    noisy_count = len(copies)
    best_score: tuple[int, float] | None = None
    with torch.enable_grad(), flattened(model) as flat:
        moments = start_adam(flat)
        best = flat.values.clone()
        for epoch in range(epochs + 1):
            # One forward pass serves this epoch's step and the look at the clean
            # table after the one before. Masks act in the forward pass, so the
            # copy taken after it has zeros where the model does.
            noisy = copies + noise * torch.randn_like(copies)
            logits = model(torch.cat([noisy, clean]))
            if epoch > 0:
                score = _score(logits.detach()[noisy_count:], wanted)
                if best_score is None or score >= best_score:
                    best_score = score
                    best.copy_(flat.values)
            if epoch < epochs:
                loss = binary_cross_entropy_with_logits(logits[:noisy_count], targets)
                loss.backward()
                step_adam(
                    flat,
                    moments,
                    step=epoch + 1,
                    learning_rate=learning_rate,
                    weight_decay=weight_decay,
                )
        flat.values.copy_(best)


def _score(
    logits: Float[Tensor, "row output"], wanted: Float[Tensor, "row output"]
) -> tuple[int, float]:
    """What makes an epoch better: more right bits, then a lower loss."""
    loss = binary_cross_entropy_with_logits(logits, wanted).item()
    if not math.isfinite(loss):
        raise TrainError(
            f"The loss must stay finite, got {loss}: lower learning_rate, or look for "
            "weights that are not finite."
        )
    return _right_bits(logits, wanted), -loss


def _right_bits(
    logits: Float[Tensor, "row output"], wanted: Float[Tensor, "row output"]
) -> int:
    """How many outputs are right, over all rows."""
    return int(((logits > 0) == (wanted > 0)).sum())


def _on_device(model: nn.Module, data: Tensor) -> Tensor:
    """The data on the device and of the dtype of a model's parameters."""
    first = next(model.parameters(), None)
    return data if first is None else data.to(first)


def _check_outputs(logits: Tensor, wanted: Tensor, *, task: Task) -> None:
    """Refuse a model whose outputs are not the task's."""
    if logits.shape != wanted.shape:
        raise ModelError(
            f"Task {task.name} needs {wanted.shape[1]} outputs for each of "
            f"{wanted.shape[0]} rows, but the model gives {tuple(logits.shape)}: "
            "change its last layer."
        )
