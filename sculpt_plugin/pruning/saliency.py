"""How much the loss would rise without an edge, to second order."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sculpt_plugin.coupling import layer_of
from sculpt_plugin.errors import DataError
from sculpt_plugin.inputs import check_call, evaluating
from sculpt_plugin.pruning.samples import (
    Batches,
    Loss,
    Reduction,
    check_any,
    check_batch_axis,
    checked_pair,
    loss_of,
    outputs_of,
    read,
    reduction,
    sample_count,
    samples_per_loss,
)
from sculpt_plugin.pruning.sensitivity import sizes_of_gradients, watch, wide

_MOST_OUTPUTS = 64  # of a sample, since the loss has a table of all pairs of them
_DRAWS = 4  # passes back through the model, where there are more outputs than that


def edge_saliency(
    model: nn.Module, weights: Iterable[str], batches: Batches, loss: Loss
) -> dict[str, Float[Tensor, "..."]]:
    """Score each edge by how much the loss rises when it is cut, to second order.

    `score_ij = w_ij**2 / 2 * mean_s((x_j(s) - mean(x_j))**2 * h_i(s))` over the samples
    `s`: what the edge carries counts as far as it varies, since a bias can take over
    the rest, and `h_i` is the curvature of a sample's loss along what unit `i` reads,
    by Gauss and Newton: the model is taken as linear, the loss as it is. The first
    order is left out: training has made it small, and where it is not, it belongs to
    many edges at once.

    Args:
        model: The model, left as it was found. It is run in evaluation mode.
        weights: Dotted names of the weights to score.
        batches: Samples to average over, read twice. How they are batched changes
            nothing.
        loss: The mean, or the sum, of the samples' losses.

    Returns:
        For each weight its name and a score for each entry.

    Raises:
        DataError: There are no samples, the loss is no single finite number, or the
            outputs are no tensor with at most 64 numbers for each sample.
        ModelError: The model cannot run on the inputs.
    """
    layers = {layer_of(name): name for name in weights}
    middle = _means(model, list(layers), batches)
    parameters = {name: wide(model.get_parameter(name)) for name in layers.values()}
    scores = {name: torch.zeros_like(x) for name, x in parameters.items()}
    total = 0
    draws = torch.Generator().manual_seed(0)
    for count, inputs, gradients in _curved(model, list(layers), batches, loss, draws):
        for layer, name in layers.items():
            if not inputs[layer]:
                continue
            module = model.get_submodule(layer)
            entered = [wide(x) for x in inputs[layer]]
            varying = [x - _beside(module, middle[layer], x) for x in entered]
            for each in gradients:
                scores[name] += sizes_of_gradients(
                    module, varying, each[layer], count, torch.square
                )
        total += count
    check_any(total)
    return {
        name: parameters[name].detach().square() * value / (2 * total)
        for name, value in scores.items()
    }


def _means(
    model: nn.Module, layers: list[str], batches: Batches
) -> dict[str, Float[Tensor, " channel"]]:
    """Give the mean of what layers read, over samples and positions."""
    sums: dict[str, Tensor] = {}
    counts: dict[str, int] = {}
    none = True
    for pair in read(batches):
        inputs, _ = checked_pair(pair)
        if none:
            check_call(model, inputs, name="the inputs in batches")
        none = False
        with torch.no_grad(), evaluating(model), watch(model, layers) as (entered, _):
            outputs_of(model, inputs)
        for name, calls in entered.items():
            for x in calls:
                rows = _rows(model.get_submodule(name), x.detach())
                found = rows.sum(0, dtype=torch.float64)
                sums[name] = sums[name] + found if name in sums else found
                counts[name] = counts.get(name, 0) + len(rows)
    check_any(not none)
    return {name: value / counts[name] for name, value in sums.items()}


def _rows(module: nn.Module, x: Tensor) -> Float[Tensor, "row channel"]:
    """Lay out what a layer reads, a column for each input channel."""
    axis = -1 if isinstance(module, nn.Linear) else 1
    return x.movedim(axis, -1).flatten(0, -2)


def _beside(module: nn.Module, mean: Tensor, x: Tensor) -> Tensor:
    """Lay out the mean of each channel so that it can be taken from what is read."""
    mean = mean.to(x)
    return mean if isinstance(module, nn.Linear) else mean.view(-1, *[1] * (x.ndim - 2))


def _curved(
    model: nn.Module,
    layers: list[str],
    batches: Batches,
    loss: Loss,
    draws: torch.Generator,
) -> Iterator[tuple[int, dict[str, list[Tensor]], list[dict[str, list[Tensor]]]]]:
    """Give what layers read, and gradients whose squares add up to the curvature."""
    known: Reduction | None = None
    for pair in read(batches):
        inputs, targets = checked_pair(pair)
        count = sample_count(inputs, targets)
        with torch.enable_grad(), evaluating(model), watch(model, layers) as watched:
            outputs = outputs_of(model, inputs)
            _check_outputs(outputs, count)
            known = reduction(loss, outputs, targets, count, known=known)
            scale = samples_per_loss(known, count)
            curvature = _curvature(loss, outputs.detach(), targets) * scale
            entered, left = ({n: x.get(n, []) for n in layers} for x in watched)
            seen = [x for calls in left.values() for x in calls if x.requires_grad]
            gradients = []
            for root in _roots(curvature, draws):
                value = (outputs.flatten(1) * root.to(outputs)).sum()
                found = torch.autograd.grad(
                    value, seen, allow_unused=True, retain_graph=True
                )
                of_each = {id(x): g for x, g in zip(seen, found, strict=True)}
                gradients.append(
                    {
                        name: [_or_zero(of_each.get(id(x)), x) for x in calls]
                        for name, calls in left.items()
                    }
                )
        detached = {name: [x.detach() for x in xs] for name, xs in entered.items()}
        check_batch_axis(detached, count)
        yield count, detached, gradients


def _or_zero(gradient: Tensor | None, x: Tensor) -> Tensor:
    """Give a gradient; what the outputs do not depend on has none."""
    return torch.zeros_like(x) if gradient is None else gradient


def _check_outputs(outputs: Any, count: int) -> None:
    """Refuse outputs whose pairs cannot be tabulated."""
    if not isinstance(outputs, Tensor):
        found = f"a {type(outputs).__name__}"
    elif outputs.ndim < 1 or len(outputs) != count:
        found = f"shape {list(outputs.shape)} for {count} samples"
    elif outputs[0].numel() > _MOST_OUTPUTS:
        found = f"{outputs[0].numel()}"
    else:
        return
    raise DataError(
        f"EdgeSaliency is for models that give one tensor with at most {_MOST_OUTPUTS} "
        f"numbers for each sample, got {found}: take EdgeMagnitude or EdgeSensitivity."
    )


def _curvature(
    loss: Loss, outputs: Tensor, targets: Any
) -> Float[Tensor, "sample output output"]:
    """Give the second derivatives of the loss for each sample's outputs."""
    outputs = outputs.requires_grad_()
    (slope,) = torch.autograd.grad(
        loss_of(loss, outputs, targets), outputs, create_graph=True
    )
    slope = slope.flatten(1)
    if not slope.requires_grad:
        return slope.new_zeros(*slope.shape, slope.shape[1])
    rows = [
        torch.autograd.grad(column.sum(), outputs, retain_graph=True)[0].flatten(1)
        for column in slope.unbind(1)
    ]
    table = torch.stack(rows, dim=1)
    return (table + table.mT) / 2


def _roots(
    curvature: Float[Tensor, "sample output output"], draws: torch.Generator
) -> list[Float[Tensor, "sample output"]]:
    """Give vectors whose outer products add up to the curvature.

    Where there are many outputs, so do those of a few random sums, on average.
    """
    values, vectors = torch.linalg.eigh(curvature.double().cpu())
    roots = vectors * values.clamp(min=0).sqrt()[:, None, :]
    samples, count, _ = roots.shape
    if count <= _DRAWS:
        return list(roots.unbind(2))
    signs = torch.randint(0, 2, (samples, count, _DRAWS), generator=draws)
    mixed = roots @ (2.0 * signs - 1).double() / _DRAWS**0.5
    return list(mixed.unbind(2))
