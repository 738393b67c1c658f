"""Which slices of which parameters live and die with a unit.

torch-pruning knows what has to be cut along with a channel: the biases and norms that
carry it, the columns of the layers that read it, the layers it is added to. This file
turns its groups into plain indices by parameter name, so that pruning can be a matter
of masks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import torch
import torch_pruning as tp
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.nn.utils import parametrize
from torch_pruning import ops

from sculpt_plugin.errors import ModelError
from sculpt_plugin.inputs import Inputs, call, check_call

WEIGHTED = (_ConvNd, nn.Linear)
"""The layers whose weights are edges."""

_OUTPUT_HANDLERS = (
    tp.prune_linear_out_channels,
    tp.prune_conv_out_channels,
    tp.prune_depthwise_conv_out_channels,
)
_PER_UNIT = (_BatchNorm, _InstanceNorm)
_ACROSS_UNITS = (nn.LayerNorm, nn.GroupNorm)


@dataclass(frozen=True, eq=False)
class Member:
    """The part of one parameter that belongs to the units of a group.

    Attributes:
        parameter: Dotted name of the parameter.
        axis: The axis along which units are counted.
        index: Positions along that axis; of a grouped convolution's columns the number
            of the input channel, which is a column modulo the axis' length.
        unit: For each position the number of its unit within the group.
        rows: Which part of axis 0 is meant, where a grouped convolution reads a unit
            with some of its rows only.
    """

    parameter: str
    axis: int
    index: Int[Tensor, " position"]
    unit: Int[Tensor, " position"]
    rows: slice = field(default_factory=lambda: slice(None))


@dataclass(frozen=True, eq=False)
class UnitGroup:
    """The units of one layer, or of several layers that are added together.

    Attributes:
        name: The layer that torch-pruning takes as the group's root.
        size: Number of units.
        makes: What produces the units: rows of weights, biases, norms.
        reads: What reads them: columns of weights.
        obstacle: Why the units must not be pruned, or None if they may.
        shrinks: Whether cutting them out leaves the model's function as it is.
        root: The torch-pruning group itself, over all units.
    """

    name: str
    size: int
    makes: tuple[Member, ...]
    reads: tuple[Member, ...]
    obstacle: str | None
    shrinks: bool
    root: tp.Group = field(repr=False)


@dataclass(frozen=True, eq=False)
class Coupling:
    """A model's units in groups, and its edges.

    Attributes:
        groups: All groups, in the order of the model's layers.
        weights: Names of the parameters whose entries are edges, ignored layers left
            out.
    """

    groups: tuple[UnitGroup, ...]
    weights: tuple[str, ...]

    @property
    def prunable(self) -> tuple[UnitGroup, ...]:
        """The groups whose units may be pruned."""
        return tuple(group for group in self.groups if group.obstacle is None)

    @property
    def unit_count(self) -> int:
        """How many units may be pruned, over all groups."""
        return sum(group.size for group in self.prunable)


def couple(
    model: nn.Module, example_inputs: Inputs, *, ignore: Sequence[str] = ()
) -> Coupling:
    """Tell which parameters live and die together, by torch-pruning's groups.

    Args:
        model: The model, left as it was found.
        example_inputs: A tensor, tuple or dict that the model can be called with.
        ignore: Dotted names of layers (or of what holds them) that must keep all their
            units and edges.

    Returns:
        The groups of units and the names of the weights.

    Raises:
        ModelError: The model cannot be called with the inputs, has no Linear or
            convolution layer, or `ignore` names a layer it does not have.

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> hidden, output = couple(net, torch.zeros(1, 4)).groups
        >>> [member.parameter for member in (*hidden.makes, *hidden.reads)]
        ['0.weight', '0.bias', '2.weight']
        >>> output.obstacle
        "its units are the model's outputs"

    Reference:
        Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023.
    """
    check_call(model, example_inputs)
    _check_layers(model, ignore)
    names = {module: name for name, module in model.named_modules()}
    order = {module: position for position, module in enumerate(names)}
    ignored: set[nn.Module] = {
        module
        for name in ignore
        for module in model.get_submodule(name).modules()
        if isinstance(module, WEIGHTED)
    }
    graph, ends = dependency_graph(model, example_inputs)
    groups = [
        _unit_group(graph, group, names, ends, ignored)
        for group in graph.get_all_groups(root_module_types=list(WEIGHTED))
    ]
    by_name = {name: module for module, name in names.items()}
    groups.sort(key=lambda group: order[by_name[group.name]])
    layers = edge_layers(model)
    weights = tuple(name for name, layer in layers.items() if layer not in ignored)
    return Coupling(groups=tuple(groups), weights=weights)


def edge_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Give the layers whose weights are edges, by the weight's dotted name.

    Example:
        >>> list(edge_layers(nn.Sequential(nn.Linear(4, 3), nn.ReLU())))
        ['0.weight']
    """
    return {
        f"{name}.weight" if name else "weight": module
        for name, module in model.named_modules()
        if isinstance(module, WEIGHTED)
    }


def output_axis(layer: nn.Module) -> int:
    """Say along which axis of its weight a layer's outputs are.

    Example:
        >>> output_axis(nn.Conv2d(1, 8, 3)), output_axis(nn.ConvTranspose2d(1, 8, 3))
        (0, 1)
    """
    return 1 if getattr(layer, "transposed", False) else 0


def dependency_graph(
    model: nn.Module, example_inputs: Inputs
) -> tuple[tp.DependencyGraph, set[nn.Module]]:
    """Build torch-pruning's graph, and say which of its nodes make the outputs.

    Modes, gradients and `requires_grad` are left as found. The model is always called
    through `call`: torch-pruning itself would unpack a batch of one into its row.
    """
    ends = []

    def remember(output):
        ends.extend(x.grad_fn for x in tp.utils.flatten_as_list(output))
        return output

    modes = [(module, module.training) for module in model.modules()]
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
    finally:
        for parameter in trainable:
            parameter.requires_grad_(False)
        for module, training in modes:
            module.training = training
    outputs = {
        node.module for node in graph.module2node.values() if node.grad_fn in ends
    }
    return graph, outputs


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


def _check_layers(model: nn.Module, ignore: Sequence[str]) -> None:
    """Refuse a model without edges, with masks of another tool, or a wrong `ignore`."""
    layers = {n: m for n, m in model.named_modules() if isinstance(m, WEIGHTED)}
    if not layers:
        raise ModelError(
            "The model has no Linear or convolution layer: there is nothing to prune."
        )
    if isinstance(ignore, str):
        raise ModelError(
            f"ignore must be a list of names, got {ignore!r}: [{ignore!r}]"
        )
    known = [name for name, _ in model.named_modules()]
    for name in ignore:
        if name not in known:
            raise ModelError(
                f"ignore names {name!r}, which the model does not have. Its layers "
                f"are {', '.join(layers)}."
            )
    for name, layer in layers.items():
        if hasattr(layer, "weight_orig"):
            raise ModelError(
                f"Layer {name!r} is masked by torch.nn.utils.prune: make that "
                "permanent first, with torch.nn.utils.prune.remove(layer, 'weight')."
            )
        if parametrize.is_parametrized(layer):
            raise ModelError(
                f"Layer {name!r} is parametrized: make that permanent first, with "
                "torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight')."
            )


def _unit_group(
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
        if isinstance(layer, _PER_UNIT + _ACROSS_UNITS):
            shrinks &= isinstance(layer, _PER_UNIT)
            makes += _vectors(layer, where, index, unit)
        elif isinstance(layer, WEIGHTED):
            shrinks &= _is_dense(layer) or _is_depthwise(layer)
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
