"""How a Boolean task is learned: the recipe that sculpting a network asks for."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from sculpt_plugin.errors import TaskError
from sculpt_plugin.tasks.mlp import checked_widths
from sculpt_plugin.tasks.task import Task
from sculpt_plugin.training.recipe import Recipe


def learning(
    task: Task,
    *,
    hidden: Sequence[int] = (24, 24),
    first_epochs: int = 400,
    epochs: int | None = None,
    learning_rate: float | None = None,
    l1_decay: float = 1e-3,
    noise: float = 0.1,
    seed: int = 0,
) -> Recipe:
    """Say how a task is learned.

    As in the paper an epoch is one step of Adam over the truth table with Gaussian
    noise on the inputs, the clean table decides which epoch is best, and the loss is
    binary cross-entropy of logits. Its learning rate was constant; here it falls, and
    a turn needs few epochs. In turns an L1 penalty, and no weight decay, holds at zero
    what the task does not need. The score is the share of right output bits: 1.0 says
    that every output is right in every row.

    Args:
        task: What is learned.
        hidden: Units of each hidden layer of the network that will learn it.
        first_epochs: Epochs of a dense network's first training.
        epochs: Epochs of a turn. None: 20 for each hidden layer, 40 at least.
        learning_rate: Adam's, at first; in the last epoch a twentieth of it is left.
            None: 4.8 divided by the number of hidden units, 0.1 at most. At a higher
            rate wide and deep networks lose the task at their first removals and are
            left dense.
        l1_decay: Strength of the L1 penalty of the turns.
        noise: Standard deviation of the noise on the inputs.
        seed: Names the noise.

    Returns:
        The recipe.

    Raises:
        TaskError: `first_epochs` or `epochs` is below 1, or `hidden` no widths.

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
    hidden = checked_widths(hidden)
    if epochs is None:
        epochs = max(40, 20 * len(hidden))
    if learning_rate is None:
        learning_rate = min(0.1, 4.8 / sum(hidden))
    if min(first_epochs, epochs) < 1:
        raise TaskError(
            "first_epochs and epochs must be 1 or more, got "
            f"{first_epochs} and {epochs}."
        )
    return Recipe(
        inputs=torch.from_numpy(task.graph.rows).float(),
        targets=torch.from_numpy(task.graph.table).float(),
        loss=bit_loss,
        score=right_bits,
        first_epochs=first_epochs,
        epochs=epochs,
        learning_rate=learning_rate,
        weight_decay=0.0,
        l1_decay=l1_decay,
        noise=noise,
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
