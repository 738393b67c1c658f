"""How a task on digits is learned: mini-batches, few epochs, an L1 penalty."""

from jaxtyping import Float
from torch import Tensor

from sculpt_plugin.tasks.digits import DigitTask
from sculpt_plugin.tasks.learning import bit_loss, right_bits
from sculpt_plugin.training.recipe import Recipe

L1_DECAY = 9e-5
"""The strength of the L1 penalty of the turns, divided among the outputs."""


def digit_learning(
    task: DigitTask,
    *,
    early_accept: float | None = None,
    first_epochs: int = 6,
    epochs: int = 6,
    batch_size: int = 128,
    learning_rate: float = 5e-3,
    warm_up: int = 200,
    weight_decay: float = 1e-4,
    l1_decay: float | None = None,
    seed: int = 0,
) -> Recipe:
    """Say how a task on digits is learned.

    The loss is binary cross-entropy of logits. The score is the share of right output
    bits for the hierarchical task, and for the pair task the share of digits that are
    told right: with 20 outputs of which two are 1, most bits are right for nothing.

    The paper trains 40 to 120 epochs at a constant rate of 0.001 and without weight
    decay. A high rate that falls needs few epochs; and a pull towards zero is what
    makes separation show, since it takes away edges that do no harm but serve nothing:
    of small weights an L1 penalty takes away more than weight decay. A dense network
    wants the paper's lower rate at first.

    Args:
        task: What is learned.
        early_accept: A score at which a turn's training ends.
        first_epochs: Epochs of a dense network's first training.
        epochs: Epochs of a turn, at most.
        batch_size: Samples of a mini-batch.
        learning_rate: Adam's, at first; in the last step a fiftieth of it is left.
        warm_up: Steps in which the learning rate rises to that. Without, one in two
            networks with five hidden layers does not outlive its first turn.
        weight_decay: Adam's, added to the gradient.
        l1_decay: Strength of the L1 penalty of the turns. None: `L1_DECAY` divided by
            the number of outputs, for the loss is their mean, and so the more outputs
            there are the less each one has to hold its edges with.
        seed: Names the order of the samples.

    Returns:
        The recipe, with all pixels from 0 to 1 in memory.

    Reference:
        Patil, Michael and Dovrolis, "Neural Sculpting", NeurIPS 2023,
        https://arxiv.org/abs/2305.18402
    """
    if l1_decay is None:
        l1_decay = L1_DECAY / task.training.bits.shape[1]
    return Recipe(
        inputs=task.training.pixels.float().div_(255),
        targets=task.training.bits,
        loss=bit_loss,
        score=right_bits if task.name == "digits-hierarchical" else right_digits,
        validation=(task.validation.pixels.float().div_(255), task.validation.bits),
        first_epochs=first_epochs,
        epochs=epochs,
        learning_rate=learning_rate,
        final_share=0.02,
        warm_up=warm_up,
        weight_decay=weight_decay,
        l1_decay=l1_decay,
        seed=seed,
        batch_size=batch_size,
        early_accept=early_accept,
    )


def right_digits(
    logits: Float[Tensor, "image output"], bits: Float[Tensor, "image output"]
) -> Float[Tensor, ""]:
    """Give the share of digits that are told right, of both in each image.

    Example:
        >>> import torch
        >>> bits = torch.zeros(1, 20)
        >>> bits[0, [3, 17]] = 1
        >>> right_digits(bits.roll(1), bits), right_digits(bits, bits)
        (tensor(0.), tensor(1.))
    """
    said, true = (x.unflatten(1, (2, 10)).argmax(dim=2) for x in (logits, bits))
    return (said == true).to(logits.dtype).mean()
