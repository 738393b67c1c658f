"""One score for all weights of a kernel, so that convolutions lose whole kernels."""

import torch_pruning as tp
from jaxtyping import Float
from torch import Tensor, nn

from sculpt_plugin.coupling import Coupling
from sculpt_plugin.pruning.importance import EdgeImportance, EdgeMagnitude
from sculpt_plugin.pruning.samples import Batches, Loss


class WholeKernels(EdgeImportance):
    """Score every weight of a kernel by the mean over the kernel.

    A kernel is what one channel of a convolution reads of one channel below: 9 weights
    where it is 3 x 3. In a graph of channels it is one edge, and that edge is there as
    long as one of its weights is. Single weights that go one by one leave it; by this
    score a kernel's weights go together. Of the kernels that one turn takes, the last
    can be cut in the middle where the count ends; what is left of it scores less than
    before. A weight of a linear layer is a kernel by itself.

    Args:
        edges: Scores the single weights. Default: `EdgeMagnitude()`.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Conv2d(2, 1, (1, 2), bias=False))
        >>> with torch.no_grad():
        ...     net[0].weight.copy_(torch.tensor([[[[1.0, 5.0]], [[2.0, 2.0]]]]))
        Parameter...

        The smallest weight is in the first kernel, which as a whole is the larger one.

        >>> WholeKernels().edge_scores(net)["0.weight"]
        tensor([[[[3., 3.]],
        <BLANKLINE>
                 [[2., 2.]]]])
    """

    def __init__(self, edges: EdgeImportance | None = None) -> None:
        self._edges = edges or EdgeMagnitude()
        # A checkpoint knows a search by the plain settings of its importances.
        self.scored_by = type(self._edges).__name__

    def measure(
        self,
        model: nn.Module,
        batches: Batches = (),
        loss: Loss | None = None,
        *,
        coupling: Coupling | None = None,
    ) -> "WholeKernels":
        """Let the score of the single weights look at the model and the batches.

        Args:
            model: The model, left as found.
            batches: Yields `(inputs, targets)`.
            loss: `loss(outputs, targets)`, the mean or the sum over the batch.
            coupling: The model's groups, where the caller has them already.

        Returns:
            Itself.

        Raises:
            DataError: There are no samples, or the loss is no single finite number.
        """
        self._edges.measure(model, batches, loss, coupling=coupling)  # pyright: ignore[reportArgumentType]
        return self

    def edge_scores(self, model: nn.Module) -> dict[str, Float[Tensor, "..."]]:
        """Give each weight the mean over its kernel, by the weights' names."""
        scores = self._edges.edge_scores(model)
        return {name: _over_kernels(score) for name, score in scores.items()}

    def __call__(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, group: tp.Group
    ) -> Float[Tensor, " unit"] | None:
        """Give each root channel what the score of the single weights gives it."""
        return self._edges(group)


def _over_kernels(scores: Tensor) -> Tensor:
    """Put the mean of each kernel in the place of its entries."""
    if scores.ndim < 3:
        return scores
    positions = tuple(range(2, scores.ndim))
    return scores.mean(positions, keepdim=True).expand_as(scores)
