"""torch-pruning's groups, translated into slices of named parameters."""

from collections.abc import Iterator
from itertools import chain

import torch
import torch_pruning as tp
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.instancenorm import _InstanceNorm
from torch_pruning import ops

from sculpt_plugin.coupling.groups import (
    ACROSS_UNITS,
    WEIGHTED,
    Member,
    UnitGroup,
    output_axis,
)
from sculpt_plugin.errors import ModelError, one_line
from sculpt_plugin.inputs import Inputs, call, flat_tensors

_OUTPUT_HANDLERS = (
    tp.prune_linear_out_channels,
    tp.prune_conv_out_channels,
    tp.prune_depthwise_conv_out_channels,
)
_PER_UNIT = (_BatchNorm, _InstanceNorm)


def dependency_graph(
    model: nn.Module, example_inputs: Inputs
) -> tuple[tp.DependencyGraph, set[nn.Module]]:
    """Build torch-pruning's graph, and say which of its nodes make the outputs.

    Gradients and `requires_grad` are left as found; modes are the caller's business,
    for torch-pruning leaves the model in evaluation mode. The model is always called
    through `call`: torch-pruning itself would unpack a batch of one into its row.

    Raises:
        ModelError: torch-pruning fails on the model.
    """
    ends = []

    def remember(output):
        parts = flat_tensors(output)
        ends.extend(x.grad_fn for x in parts)
        return parts

    frozen = [p for p in model.parameters() if not p.requires_grad]
    trainable = [p for p in frozen if p.is_floating_point()]
    for parameter in trainable:
        parameter.requires_grad_(True)
    try:
        with torch.enable_grad():
            graph = tp.DependencyGraph().build_dependency(
                model,
                example_inputs=example_inputs,
                forward_fn=call,
                output_transform=remember,
                verbose=False,
            )
    except Exception as error:
        raise ModelError(_lost(error)) from error
    finally:
        for parameter in trainable:
            parameter.requires_grad_(False)
    outputs = {
        node.module for node in graph.module2node.values() if node.grad_fn in ends
    }
    return graph, outputs


def full_groups(graph: tp.DependencyGraph) -> list[tp.Group]:
    """List torch-pruning's groups over all units of each layer.

    Raises:
        ModelError: torch-pruning fails on one.
    """
    try:
        return list(graph.get_all_groups(root_module_types=list(WEIGHTED)))
    except Exception as error:
        raise ModelError(_lost(error)) from error


def _lost(error: Exception) -> str:
    """Say that torch-pruning cannot follow a model, and what can be done."""
    return (
        "torch-pruning must be able to follow the model, but fails on it with "
        f"{type(error).__name__}: {one_line(error)}. Prune a part of the model "
        "that it follows; `analyze` takes the whole, for it follows by itself."
    )


def roles(group: tp.Group) -> Iterator[tuple[nn.Module, bool, Tensor, Tensor]]:
    """Walk through a group of torch-pruning without touching it.

    Args:
        group: Any group, over all channels or some of them.

    Yields:
        For each Linear or convolution in it: the layer, whether the group's units are
        its outputs (else its inputs), their positions there, and for each position the
        place of its unit in the group's first list of indices.
    """
    place = {channel: number for number, channel in enumerate(group[0].idxs)}
    for item in group:
        layer = item.dep.target.module
        if isinstance(layer, WEIGHTED) and None not in item.root_idxs:
            known = [
                (i, place[r])
                for i, r in zip(item.idxs, item.root_idxs, strict=True)
                if r in place
            ]
            index, unit = torch.tensor(known, dtype=torch.long).reshape(-1, 2).unbind(1)
            yield layer, item.dep.handler in _OUTPUT_HANDLERS, index, unit


def unit_group(
    graph: tp.DependencyGraph,
    group: tp.Group,
    names: dict[nn.Module, str],
    ends: set[nn.Module],
    ignored: set[nn.Module],
) -> UnitGroup:
    """Translate one full group of torch-pruning into slices of named parameters."""
    makes: list[Member] = []
    reads: list[Member] = []
    obstacle: str | None = None
    shrinks = True
    root = group[0].dep.target.module
    for item in group:
        dep, layer = item.dep, item.dep.target.module
        is_output = graph.is_out_channel_pruning_fn(dep.handler)
        is_end = layer in ends or dep.target.type == ops.OPTYPE.OUTPUT
        # An output layer that only reads the group does not make it an output.
        if is_end and (is_output or not isinstance(layer, WEIGHTED)):
            obstacle = obstacle or "its units are the model's outputs"
        if layer in ignored and is_output:
            obstacle = obstacle or f"layer {names[layer]!r} is ignored"
        if layer not in names or None in item.root_idxs:
            if dep.target.type == ops.OPTYPE.PARAMETER or None in item.root_idxs:
                obstacle = obstacle or "a free parameter or an attention head is in it"
            continue
        index, unit = torch.tensor(item.idxs), torch.tensor(item.root_idxs)
        where = f"{names[layer]}." if names[layer] else ""
        if isinstance(layer, _PER_UNIT + ACROSS_UNITS):
            # torch-pruning forgets the running statistics of an instance norm.
            forgets = isinstance(layer, _InstanceNorm) and layer.track_running_stats
            shrinks &= isinstance(layer, _PER_UNIT) and not forgets
            makes += _vectors(layer, where, index, unit)
        elif isinstance(layer, WEIGHTED):
            transposed = getattr(layer, "transposed", False)
            shrinks &= _is_dense(layer) or (_is_depthwise(layer) and not transposed)
            if transposed and not _is_dense(layer):
                obstacle = obstacle or f"{names[layer]!r} is transposed and grouped"
            if is_output:
                makes.append(Member(f"{where}weight", output_axis(layer), index, unit))
                if layer.bias is not None:
                    makes.append(Member(f"{where}bias", 0, index, unit))
                if layer is not root and not _is_one_to_one(graph, layer, index, root):
                    obstacle = obstacle or (
                        f"layer {names[layer]!r} is joined to it through a flatten"
                    )
            else:
                reads += _columns(layer, where, index, unit)
        elif next(layer.parameters(), None) is not None and not isinstance(
            layer, nn.PReLU
        ):
            obstacle = obstacle or (
                f"{type(layer).__name__} {names[layer]!r} has no unit per channel"
            )
    return UnitGroup(
        name=names[root],
        size=len(group[0].idxs),
        makes=tuple(makes),
        reads=tuple(reads),
        obstacle=obstacle,
        shrinks=shrinks,
        root=group,
    )


def _vectors(
    layer: nn.Module, where: str, index: Tensor, unit: Tensor
) -> Iterator[Member]:
    """Give the entries of a norm's weight and bias, where it has them."""
    for name in ("weight", "bias"):
        parameter = getattr(layer, name, None)
        if parameter is not None:
            yield Member(f"{where}{name}", parameter.ndim - 1, index, unit)


def _columns(
    layer: _ConvNd | nn.Linear, where: str, index: Tensor, unit: Tensor
) -> Iterator[Member]:
    """Give the columns that read the units: one slice per group of a convolution."""
    name = f"{where}weight"
    groups = getattr(layer, "groups", 1)
    if getattr(layer, "transposed", False):
        # A transposed weight has the inputs along axis 0, whatever its groups.
        yield Member(name, 0, index, unit)
        return
    width = layer.weight.shape[1]
    height = layer.weight.shape[0] // groups
    for number in range(groups):
        here = (index // width) == number
        if here.any():
            rows = slice(number * height, (number + 1) * height)
            yield Member(
                name,
                1,
                index[here],
                unit[here],
                rows=slice(None) if groups == 1 else rows,
            )


def _is_dense(layer: nn.Module) -> bool:
    """Tell whether every output of a layer reads every input."""
    return getattr(layer, "groups", 1) == 1


def _is_depthwise(layer: nn.Module) -> bool:
    """Tell whether a convolution keeps its channels apart, as torch-pruning counts."""
    return ops.module2type(layer) == ops.OPTYPE.DEPTHWISE_CONV


def _is_one_to_one(
    graph: tp.DependencyGraph, layer: nn.Module, index: Tensor, root: nn.Module
) -> bool:
    """Tell whether one channel of a coupled layer is one unit of the root.

    Adding a Linear's output to a flattened convolution couples one channel to many
    units, and torch-pruning's group over all units then holds only one of the pairs.
    """
    pruner = graph.get_pruner_of_module(layer)
    assert pruner is not None  # it stands in a group
    group = graph.get_pruning_group(layer, pruner.prune_out_channels, [int(index[0])])
    counts = (len(item.idxs) for item in group if item.dep.target.module is root)
    return max(chain(counts, [1])) == 1
