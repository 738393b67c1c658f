"""How a Boolean task is learned: the recipe that sculpting a network asks for."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from sculpt_plugin.errors import TaskError
from sculpt_plugin.tasks.task import Task
from sculpt_plugin.training.recipe import Recipe

_ROWS = 32
"""Noisy rows that an epoch has at least, so that a gradient is calm."""


def learning(
    task: Task,
    *,
    first_epochs: int = 200,
    epochs: int = 40,
    learning_rate: float = 0.1,
    weight_decay: float = 1e-3,
    noise: float = 0.1,
    draws: int | None = None,
    seed: int = 0,
) -> Recipe:
    """Say how a task is learned.

    As in the paper an epoch is one step of Adam over the truth table with Gaussian
    noise on the inputs, the clean table decides which epoch is best, and the loss is
    binary cross-entropy of logits. Its learning rate was constant; here it falls, and
    a turn needs 40 epochs. The score is the share of right output bits: 1.0 says that
    every output is right in every row.

    Args:
        task: What is learned.
        first_epochs: Epochs of a dense network's first training.
        epochs: Epochs of a turn.
        learning_rate: Adam's, at first; in the last epoch a twentieth of it is left.
        weight_decay: Adam's, added to the gradient.
        noise: Standard deviation of the noise on the inputs.
        draws: How many noisy copies of the table make up an epoch. None takes enough
            for 32 rows: a calmer gradient finds sparser networks.
        seed: Names the noise.

    Returns:
        The recipe.

    Raises:
        TaskError: `first_epochs`, `epochs` or `draws` is below 1.

    Example:
        >>> from sculpt_plugin import tasks
        >>> task = tasks.get("4,2,4")
        >>> recipe = tasks.learning(task)
        >>> model = tasks.mlp(task, hidden=(24, 24), seed=0)
        >>> recipe.prepare(model)
        >>> recipe.evaluate(model)
        1.0

    Reference:
        Patil, Michael and Dovrolis, "Neural Sculpting", NeurIPS 2023,
        https://arxiv.org/abs/2305.18402
    """
    rows = len(task.graph.rows)
    draws = max(1, _ROWS // rows) if draws is None else draws
    if min(first_epochs, epochs, draws) < 1:
        raise TaskError(
            "first_epochs, epochs and draws must be 1 or more, got "
            f"{first_epochs}, {epochs} and {draws}."
        )
    return Recipe(
        inputs=torch.from_numpy(task.graph.rows).float(),
        targets=torch.from_numpy(task.graph.table).float(),
        loss=bit_loss,
        score=right_bits,
        first_epochs=first_epochs,
        epochs=epochs,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        noise=noise,
        draws=draws,
        seed=seed,
    )


def bit_loss(
    logits: Float[Tensor, "row output"], bits: Float[Tensor, "row output"]
) -> Float[Tensor, ""]:
    """Give the binary cross-entropy of logits, averaged over outputs and rows.

    Example:
        >>> bit_loss(torch.zeros(1, 1), torch.ones(1, 1))  # log 2
        tensor(0.6931)
    """
    if logits.shape != bits.shape:
        raise ValueError(f"outputs {list(logits.shape)} for bits {list(bits.shape)}")
    # torch's own takes a dozen operations where many networks are trained together.
    return (softplus(logits) - bits * logits).mean()


def right_bits(
    logits: Float[Tensor, "row output"], bits: Float[Tensor, "row output"]
) -> Float[Tensor, ""]:
    """Give the share of outputs that are right, over all rows.

    Example:
        >>> right_bits(torch.tensor([[2.0, -1.0]]), torch.ones(1, 2))
        tensor(0.5000)
    """
    return ((logits > 0) == (bits > 0)).to(logits.dtype).mean()
