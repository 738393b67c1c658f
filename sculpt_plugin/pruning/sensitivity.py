"""How much the loss would change without a unit, or without an edge, to first order."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sculpt_plugin.coupling import Coupling, UnitGroup, layer_of
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

_ENTRIES_AT_ONCE = 2**24  # of per-sample gradients held in memory together


def unit_sensitivity(
    model: nn.Module, coupling: Coupling, batches: Batches, loss: Loss
) -> dict[str, Float[Tensor, " unit"]]:
    """Score each unit by the first-order change of the loss when it is silenced.

    `score_j = mean_s | a_j(s) * dL(s)/da_j(s) |` over the samples `s`, where `a_j` is
    the activation as the layers above read it. Where several layers read a unit, or
    where it has many positions (a channel), their effects are added before the
    absolute value: silencing the unit silences all of them.

    Args:
        model: The model, left as it was found. It is run in evaluation mode.
        coupling: Its groups of units.
        batches: Samples to average over. How they are batched changes nothing.
        loss: The mean, or the sum, of the samples' losses.

    Returns:
        For each group that may be pruned, its name and one score per unit.

    Raises:
        DataError: There are no samples, or the loss is no single finite number.
    """
    groups = coupling.prunable
    readers = sorted({layer_of(m.parameter) for g in groups for m in g.reads})
    sums = {g.name: torch.zeros(g.size, dtype=torch.float64) for g in groups}
    total = 0
    for batch in _backward(model, batches, loss, readers):
        effects = {name: _effect(model, name, batch) for name in readers}
        for group in groups:
            sums[group.name] += _group_effect(group, effects, batch.count).abs().sum(0)
        total += batch.count
    return {name: value / total for name, value in sums.items()}


def edge_sensitivity(
    model: nn.Module, weights: Iterable[str], batches: Batches, loss: Loss
) -> dict[str, Float[Tensor, "..."]]:
    """Score each edge by the first-order change of the loss when it is cut.

    `score_ij = mean_s | w_ij * dL(s)/dw_ij |` over the samples `s`, taken sample by
    sample, so how they are batched changes nothing.

    Args:
        model: The model, left as it was found. It is run in evaluation mode.
        weights: Dotted names of the weights to score.
        batches: Samples to average over.
        loss: The mean, or the sum, of the samples' losses.

    Returns:
        For each weight its name and a score for each entry.

    Raises:
        DataError: There are no samples, or the loss is no single finite number.
    """
    layers = {layer_of(name): name for name in weights}
    sums: dict[str, Tensor] = {}
    total = 0
    for batch in _backward(model, batches, loss, list(layers)):
        for layer, name in layers.items():
            size = sizes_of_gradients(
                model.get_submodule(layer),
                batch.inputs[layer],
                batch.output_gradients[layer],
                batch.count,
                torch.abs,
            )
            sums[name] = sums[name] + size if name in sums else size
        total += batch.count
    return {
        name: model.get_parameter(name).detach().abs() * value / total
        for name, value in sums.items()
    }


@dataclass(frozen=True, eq=False)
class _Batch:
    """One batch seen from the watched layers; one entry per call of a layer.

    The gradients are those of each sample's own loss.
    """

    count: int
    inputs: dict[str, list[Tensor]]
    input_gradients: dict[str, list[Tensor]]
    output_gradients: dict[str, list[Tensor]]


def _backward(
    model: nn.Module, batches: Batches, loss: Loss, layers: Sequence[str]
) -> Iterator[_Batch]:
    """Run forward and backward on each batch, and yield what the layers saw."""
    known: Reduction | None = None
    none = True
    for pair in read(batches):
        inputs, targets = checked_pair(pair)
        if none:
            check_call(model, inputs, name="the inputs in batches")
        none = False
        count = sample_count(inputs, targets)
        with torch.enable_grad(), evaluating(model), watch(model, layers) as watched:
            outputs = outputs_of(model, inputs)
            value = loss_of(loss, outputs, targets)
        known = reduction(loss, outputs, targets, count, known=known)
        scale = samples_per_loss(known, count)
        seen = [x for calls in watched for name in layers for x in calls.get(name, [])]
        moving = [x for x in seen if x.requires_grad]
        found = torch.autograd.grad(value, moving, allow_unused=True) if moving else ()
        gradient = {id(x): torch.zeros_like(x) for x in seen}
        for x, g in zip(moving, found, strict=True):
            if g is not None:
                gradient[id(x)] = g * scale
        taken = [
            {name: [gradient[id(x)] for x in calls.get(name, [])] for name in layers}
            for calls in watched
        ]
        entered = {n: [x.detach() for x in watched[0].get(n, [])] for n in layers}
        check_batch_axis(entered, count)
        yield _Batch(count, entered, *taken)
    check_any(not none)


@contextlib.contextmanager
def watch(
    model: nn.Module, layers: Sequence[str]
) -> Iterator[tuple[dict[str, list[Tensor]], dict[str, list[Tensor]]]]:
    """Record the inputs and the outputs of layers while the block runs."""
    inputs: dict[str, list[Tensor]] = {}
    outputs: dict[str, list[Tensor]] = {}

    def before(
        name: str, module: nn.Module, arguments: tuple, named: dict
    ) -> tuple[tuple, dict]:
        # A tensor of its own for each reader: its gradient is this reader's alone, and
        # no later in-place operation can change it.
        x = next(iter([*arguments, *named.values()]))
        own = x.clone() if x.requires_grad else x.detach().clone().requires_grad_()
        inputs.setdefault(name, []).append(own)
        return (own,), {}

    def after(name: str, module: nn.Module, arguments: tuple, output: Tensor) -> Tensor:
        outputs.setdefault(name, []).append(output)
        # An in-place activation would otherwise replace what was recorded.
        return output.clone()

    handles = []
    try:
        for name in layers:
            layer = model.get_submodule(name)
            enter = partial(before, name)
            handles.append(layer.register_forward_pre_hook(enter, with_kwargs=True))
            handles.append(layer.register_forward_hook(partial(after, name)))
        yield inputs, outputs
    finally:
        for handle in handles:
            handle.remove()


def _effect(
    model: nn.Module, name: str, batch: _Batch
) -> Float[Tensor, "batch column"]:
    """Add activation times gradient over positions, for each column of a reader."""
    layer = model.get_submodule(name)
    axis = -1 if isinstance(layer, nn.Linear) else 1
    shape = layer.get_parameter("weight").shape
    # A transposed weight has the inputs along axis 0, whatever its groups.
    transposed = getattr(layer, "transposed", False)
    width = shape[0] if transposed else shape[1] * getattr(layer, "groups", 1)
    total = torch.zeros(batch.count, width, dtype=torch.float64)
    for x, gradient in zip(
        batch.inputs[name], batch.input_gradients[name], strict=True
    ):
        effect = (x * gradient).movedim(axis, -1)
        # A model may fold positions into the batch; they stay with their sample.
        effect = effect.reshape(batch.count, -1, effect.shape[-1]).sum(1)
        total = total + effect.to("cpu", torch.float64)
    return total


def _group_effect(
    group: UnitGroup, effects: dict[str, Float[Tensor, "batch column"]], count: int
) -> Float[Tensor, "batch unit"]:
    """Add what all readers of a group's units lose without them."""
    total = torch.zeros(count, group.size, dtype=torch.float64)
    for member in group.reads:
        effect = effects[layer_of(member.parameter)]
        total.index_add_(1, member.unit, effect[:, member.index])
    return total


def sizes_of_gradients(
    layer: nn.Module,
    inputs: list[Tensor],
    gradients: list[Tensor],
    count: int,
    size: Callable[[Tensor], Tensor],
) -> Float[Tensor, "..."]:
    """Add up the size of a weight's gradient over samples, each taken alone.

    Args:
        layer: The layer with the weight.
        inputs: What each of its calls read.
        gradients: The gradient of what each of its calls gave.
        count: How many samples there are.
        size: `torch.abs` or `torch.square`, or what else keeps products.

    Returns:
        The sum, in float32 at least: half precision would lose what is added late.
    """
    weight = wide(layer.get_parameter("weight").detach())
    if not inputs:
        return torch.zeros_like(weight)
    inputs, gradients = [*map(wide, inputs)], [*map(wide, gradients)]
    rows = inputs[0].shape[:-1] if len(inputs) == 1 else None
    if isinstance(layer, nn.Linear) and rows == (count,):
        # The gradient of one sample is an outer product, and so is its size.
        return size(gradients[0]).T @ size(inputs[0])

    own = {name: wide(x.detach()) for name, x in layer.named_parameters()}

    def product(weight: Tensor, samples: list[Tensor], deltas: list[Tensor]) -> Tensor:
        changed = {**own, "weight": weight}
        outputs = [torch.func.functional_call(layer, changed, x) for x in samples]
        return torch.stack(
            [(y * d).sum() for y, d in zip(outputs, deltas, strict=True)]
        ).sum()

    products = torch.func.vmap(product)
    total = torch.zeros_like(weight)
    at_once = max(1, _ENTRIES_AT_ONCE // weight.numel())
    for start in range(0, count, at_once):
        part = slice(start, min(start + at_once, count))
        samples = _by_sample(inputs, count, part)
        deltas = _by_sample(gradients, count, part)
        # Not torch.func.grad, which imports torch's compiler, and that takes seconds.
        with torch.enable_grad():
            weights = weight.expand(len(samples[0]), *weight.shape).requires_grad_()
            found = products(weights, samples, deltas).sum()
            (of_each,) = torch.autograd.grad(found, weights)
        total += size(of_each).sum(0)
    return total


def wide(x: Tensor) -> Tensor:
    """Give numbers in float32 at least, so that many can be added."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _by_sample(values: list[Tensor], count: int, part: slice) -> list[Tensor]:
    """Give some samples of the batch, each with a batch axis of its own."""
    return [x.unflatten(0, (count, -1))[part] for x in values]
