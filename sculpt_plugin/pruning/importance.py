"""Importance criteria for torch-pruning: loss sensitivity of units and edges."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch_pruning as tp
from jaxtyping import Float
from torch import Tensor, nn

from sculpt_plugin import randomness
from sculpt_plugin.coupling import Coupling, couple, edge_layers, output_axis, roles
from sculpt_plugin.errors import DataError
from sculpt_plugin.pruning.saliency import edge_saliency
from sculpt_plugin.pruning.samples import Batches, Loss
from sculpt_plugin.pruning.sensitivity import edge_sensitivity, unit_sensitivity


class Measured(tp.importance.Importance):
    """An importance that looks at the model and at data before it scores.

    `sculpt` calls `measure` anew at every turn. In a loop of your own, measure before
    each `pruner.step()`.
    """

    @abstractmethod
    def measure(
        self,
        model: nn.Module,
        batches: Batches,
        loss: Loss,
        *,
        coupling: Coupling | None = None,
    ) -> "Measured":
        """Look at the model and at the batches; see the subclasses."""


class EdgeImportance(Measured):
    """An importance that scores single edges, and a unit by the sum over its edges."""

    @abstractmethod
    def edge_scores(self, model: nn.Module) -> dict[str, Float[Tensor, "..."]]:
        """Score every edge: weight name to a tensor of the weight's shape."""


class UnitSensitivity(Measured):
    """Score units by the first-order change of the loss when they are silenced.

    `score_j = mean_s | a_j(s) * dL(s)/da_j(s) |` over samples `s`, with `a_j` the
    activation as the layers above read it. A unit with score 0 is one the loss does not
    notice, such as a ReLU that never fires.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> with torch.no_grad():
        ...     net[0].weight.copy_(torch.eye(2)); net[0].bias.zero_()
        ...     net[2].weight.copy_(torch.tensor([[3.0, 0.0]])); net[2].bias.zero_()
        Parameter...
        >>> batches = [(torch.tensor([[1.0, 5.0]]), torch.zeros(1, 1))]
        >>> def loss(outputs, targets):
        ...     return (outputs - targets).square().mean()
        >>> importance = UnitSensitivity().measure(net, batches, loss)

        The output is 3, its gradient 6, so unit 0 scores 1 * 6 * 3. Nothing reads
        unit 1.

        >>> graph = tp.DependencyGraph().build_dependency(net, (torch.zeros(1, 2),))
        >>> group = graph.get_pruning_group(
        ...     net[0], tp.prune_linear_out_channels, idxs=[0, 1])
        >>> importance(group)
        tensor([18.,  0.], dtype=torch.float64)

    Reference:
        Patil, Michael and Dovrolis, "Neural Sculpting", NeurIPS 2023,
        https://arxiv.org/abs/2305.18402
    """

    def __init__(self) -> None:
        self._scores: WeakKeyDictionary[nn.Module, Tensor] = WeakKeyDictionary()

    def measure(
        self,
        model: nn.Module,
        batches: Batches,
        loss: Loss,
        *,
        coupling: Coupling | None = None,
    ) -> "UnitSensitivity":
        """Run the samples through the model once and keep every unit's score.

        Args:
            model: The model, left as found: mode, gradients, hooks and random state.
            batches: Yields `(inputs, targets)`. How the samples are batched changes
                nothing.
            loss: `loss(outputs, targets)`, the mean or the sum over the batch.
            coupling: The model's groups, where the caller has them already.

        Returns:
            Itself, so that `UnitSensitivity().measure(...)` can be passed to a pruner.

        Raises:
            DataError: There are no samples, or the loss is no single finite number.
            ModelError: The model cannot run on the inputs.
        """
        with randomness.kept():
            if coupling is None:
                coupling, batches = _couple_by(model, batches)
            found = unit_sensitivity(model, coupling, batches, loss)
        self._scores.clear()
        for layer in edge_layers(model).values():
            # Not a number: a unit that must stay.
            size = layer.get_parameter("weight").shape[output_axis(layer)]
            self._scores[layer] = torch.full((size,), torch.nan, dtype=torch.float64)
        for group in coupling.prunable:
            for layer, is_output, index, unit in roles(group.root):
                if is_output:
                    self._scores[layer][index] = found[group.name][unit]
        return self

    def __call__(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, group: tp.Group
    ) -> Float[Tensor, " unit"] | None:
        """Give one score per root channel, or None for a group that must stay.

        Raises:
            DataError: The model has changed since it was measured, or was not measured.
        """
        result = torch.full((len(group[0].idxs),), torch.nan, dtype=torch.float64)
        for layer, is_output, index, unit in roles(group):
            if is_output:
                scores = self._scores.get(layer)
                if scores is None:
                    raise DataError(
                        "UnitSensitivity has not measured this model: call .measure("
                        "model, batches, loss) before pruning."
                    )
                _check_size(layer, scores.shape[0], output_axis(layer))
                result[unit] = _at(scores, index)
        return None if result.isnan().all() else result.nan_to_num(0.0)


class EdgeMagnitude(EdgeImportance):
    """Score edges by the size of their weight, and a unit by the sum over its edges.

    The paper's edge criterion. It needs no data.

    Example:
        >>> net = nn.Sequential(
        ...     nn.Linear(1, 2, bias=False), nn.Linear(2, 1, bias=False))
        >>> with torch.no_grad():
        ...     net[0].weight.copy_(torch.tensor([[1.0], [-2.0]]))
        ...     net[1].weight.copy_(torch.tensor([[0.5, 0.0]]))
        Parameter...
        >>> EdgeMagnitude().edge_scores(net)["0.weight"].flatten()
        tensor([1., 2.])
        >>> graph = tp.DependencyGraph().build_dependency(net, (torch.zeros(1, 1),))
        >>> EdgeMagnitude()(graph.get_pruning_group(
        ...     net[0], tp.prune_linear_out_channels, idxs=[0, 1]))
        tensor([1.5000, 2.0000], dtype=torch.float64)
    """

    def measure(
        self,
        model: nn.Module,
        batches: Batches = (),
        loss: Loss | None = None,
        *,
        coupling: Coupling | None = None,
    ) -> "EdgeMagnitude":
        """Do nothing: the weights are read when they are asked for."""
        return self

    def edge_scores(self, model: nn.Module) -> dict[str, Float[Tensor, "..."]]:
        """Give the absolute value of every weight, by its name."""
        return {name: _magnitude(x) for name, x in edge_layers(model).items()}

    def __call__(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, group: tp.Group
    ) -> Float[Tensor, " unit"] | None:
        """Give each root channel the sum over the edges into it and out of it."""
        return _sum_over_edges(group, _magnitude)


class _MeasuredEdges(EdgeImportance):
    """Edges that are scored by what samples do to them."""

    def __init__(self) -> None:
        self._scores: WeakKeyDictionary[nn.Module, Tensor] = WeakKeyDictionary()

    @abstractmethod
    def _found(
        self, model: nn.Module, weights: Iterable[str], batches: Batches, loss: Loss
    ) -> dict[str, Tensor]:
        """Score the edges of each weight, by its name."""

    def measure(
        self,
        model: nn.Module,
        batches: Batches,
        loss: Loss,
        *,
        coupling: Coupling | None = None,
    ) -> "_MeasuredEdges":
        """Run the samples through the model and keep every edge's score.

        Args:
            model: The model, left as found: mode, gradients, hooks and random state.
            batches: Yields `(inputs, targets)`. How the samples are batched changes
                nothing.
            loss: `loss(outputs, targets)`, the mean or the sum over the batch.
            coupling: Not needed here.

        Returns:
            Itself.

        Raises:
            DataError: There are no samples, or the loss is no single finite number.
            ModelError: The model cannot run on the inputs.
        """
        layers = edge_layers(model)
        with randomness.kept():
            found = self._found(model, layers, batches, loss)
        self._scores.clear()
        self._scores.update({layers[name]: score for name, score in found.items()})
        return self

    def edge_scores(self, model: nn.Module) -> dict[str, Float[Tensor, "..."]]:
        """Give the measured scores of the model's weights, by their names."""
        return {name: self._of(x) for name, x in edge_layers(model).items()}

    def __call__(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, group: tp.Group
    ) -> Float[Tensor, " unit"] | None:
        """Give each root channel the sum over the edges into it and out of it."""
        return _sum_over_edges(group, self._of)

    def _of(self, layer: nn.Module) -> Tensor:
        """Look up the measured scores of one layer."""
        scores = self._scores.get(layer)
        if scores is None:
            raise DataError(
                f"{type(self).__name__} has not measured this model: call .measure("
                "model, batches, loss) before pruning."
            )
        _check_size(layer, scores.shape[0], 0)
        _check_size(layer, scores.shape[1], 1)
        return scores


class EdgeSensitivity(_MeasuredEdges):
    """Score edges by the first-order change of the loss when they are cut.

    `score_ij = mean_s | w_ij * dL(s)/dw_ij |` over samples `s`. A unit's score is the
    sum over its edges.

    Example:
        >>> net = nn.Sequential(nn.Linear(1, 1, bias=False))
        >>> with torch.no_grad():
        ...     net[0].weight.fill_(2.0)
        Parameter...
        >>> batches = [(torch.tensor([[1.0], [3.0]]), torch.zeros(2, 1))]
        >>> def loss(outputs, targets):
        ...     return (outputs - targets).mean()

        The gradients of the two samples are 1 and 3, so the mean is 2 and the score 4.

        >>> EdgeSensitivity().measure(net, batches, loss).edge_scores(net)
        {'0.weight': tensor([[4.]])}
    """

    def _found(
        self, model: nn.Module, weights: Iterable[str], batches: Batches, loss: Loss
    ) -> dict[str, Tensor]:
        return edge_sensitivity(model, weights, batches, loss)


class EdgeSaliency(_MeasuredEdges):
    """Score edges by how much the loss rises when they are cut, to second order.

    `score_ij = w_ij**2 / 2 * mean_s((x_j(s) - mean(x_j))**2 * h_i(s))`: an edge matters
    as far as what it carries varies, for a bias can take over the rest, and as far as
    the loss curves along what unit `i` reads. An edge from a pixel that is hardly ever
    lit does little, however large its weight. The curvature is that of Gauss and
    Newton, so no score is negative. It is for models with at most 64 outputs.

    Example:
        A unit that reads an input that varies, and by a larger weight one that hardly
        does.

        >>> net = nn.Sequential(nn.Linear(2, 1, bias=False))
        >>> with torch.no_grad():
        ...     net[0].weight.copy_(torch.tensor([[1.0, 2.0]]))
        Parameter...
        >>> batches = [(torch.tensor([[0.0, 0.5], [4.0, 1.5]]), torch.zeros(2, 1))]
        >>> def loss(outputs, targets):
        ...     return (outputs - targets).square().mean()

        The variances are 4 and 1/4, and the loss curves by 2 everywhere.

        >>> found = EdgeSaliency().measure(net, batches, loss).edge_scores(net)
        >>> found["0.weight"].round(decimals=3)
        tensor([[4., 1.]])

    Reference:
        LeCun, Denker and Solla, "Optimal Brain Damage", NeurIPS 1989, has the
        saliency, without taking the mean off what is carried.
    """

    def _found(
        self, model: nn.Module, weights: Iterable[str], batches: Batches, loss: Loss
    ) -> dict[str, Tensor]:
        return edge_saliency(model, weights, batches, loss)


def _magnitude(layer: nn.Module) -> Float[Tensor, "..."]:
    """Give the absolute value of a layer's weight."""
    return layer.get_parameter("weight").detach().abs()


def _couple_by(model: nn.Module, batches: Batches) -> tuple[Coupling, Batches]:
    """Couple a model by its first batch, and give the batches back unread."""
    rest = iter(batches)
    first: Any = next(rest, None)
    if first is None or not isinstance(first, tuple | list) or not first:
        raise DataError(
            "batches must yield (inputs, targets) pairs, got "
            f"{'none' if first is None else type(first).__name__}."
        )
    pairs: Any = chain([first], rest)
    return couple(model, first[0]), pairs


def _sum_over_edges(
    group: tp.Group, scores_of: Callable[[nn.Module], Tensor]
) -> Float[Tensor, " unit"] | None:
    """Add the scores of the edges that make a unit and of those that read it."""
    total = torch.zeros(len(group[0].idxs), dtype=torch.float64)
    found = False
    for layer, is_output, index, unit in roles(group):
        scores = scores_of(layer).to("cpu", torch.float64)
        found = True
        if is_output:
            rows = scores.movedim(output_axis(layer), 0).flatten(1).sum(1)
            total.index_add_(0, unit, _at(rows, index))
        else:
            total.index_add_(0, unit, _at(_column_sums(layer, scores), index))
    return total if found else None


def _at(values: Tensor, index: Tensor) -> Tensor:
    """Look values up; torch-pruning can give positions that a layer does not have."""
    if len(index) and int(index.max()) >= len(values):
        raise DataError(
            f"torch-pruning asks for channel {int(index.max())} of a layer that has "
            f"{len(values)}: it follows this model wrongly, so name the layers "
            "concerned in ignored_layers."
        )
    return values[index]


def _column_sums(layer: nn.Module, scores: Tensor) -> Float[Tensor, " channel"]:
    """Add the scores of all edges that read each input channel of a layer."""
    if getattr(layer, "transposed", False):
        return scores.flatten(1).sum(1)
    groups = getattr(layer, "groups", 1)
    by_column = scores.reshape(*scores.shape[:2], -1).sum(2)
    return by_column.unflatten(0, (groups, -1)).sum(1).flatten()


def _check_size(layer: nn.Module, size: int, axis: int) -> None:
    """Refuse scores that were measured before the layer was cut."""
    found = layer.get_parameter("weight").shape[axis]
    if found != size:
        raise DataError(
            f"A layer had {size} channels when it was measured and has {found} now: "
            "call .measure(...) again after each pruning step."
        )
