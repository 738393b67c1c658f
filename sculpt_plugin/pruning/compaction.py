"""Cut out what masks have emptied: a smaller model that computes the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from jaxtyping import Int
from torch import Tensor, nn

from sculpt_plugin.coupling import (
    UnitGroup,
    couple,
    edge_layers,
    layer_of,
    output_axis,
)
from sculpt_plugin.errors import ModelError
from sculpt_plugin.inputs import (
    Inputs,
    call,
    copy_of,
    evaluating,
    flat_tensors,
    with_fractions,
)
from sculpt_plugin.pruning.masks import HoldMasks, Masks, apply, named_tensors
from sculpt_plugin.randomness import seeded


@dataclass(frozen=True, eq=False)
class Compacted:
    """A model without the units that nothing reads, and what they were called.

    Attributes:
        model: The smaller model. Edges that are masked between units that stay are
            exact zeros in it.
        masks: What is kept of the smaller model; `attach(model, masks)` holds it while
            training on.
        units: For each layer with edges, the original numbers of the units it kept.
    """

    model: nn.Module
    masks: Masks
    units: Mapping[str, Int[Tensor, " unit"]]


def compact(
    model: nn.Module,
    example_inputs: Inputs,
    *,
    masks: Masks,
    ignore: Sequence[str] = (),
) -> Compacted:
    """Give a smaller model that computes the same function as the masked one.

    A unit goes when no edge that reads it is kept. Cutting it frees the edges into it,
    so the units below may follow. Inputs, outputs and the last unit of a layer stay, as
    do units that a layer norm or a grouped convolution ties together (there the model
    keeps its width and its zeros).

    Args:
        model: The model that the masks were made for, left as it was found.
        example_inputs: A tensor, tuple or dict that the model can be called with.
        masks: What is kept.
        ignore: Names of layers that keep all their units.

    Returns:
        The smaller model with its masks and original unit numbers.

    Raises:
        ModelError: The masks do not fit the model, or the smaller model would compute
            something else (an operation in it depends on the number of units).

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> keep = torch.tensor([[True, False, True], [True, False, False]])
        >>> small = compact(
        ...     net, torch.zeros(1, 4), masks=Masks({"2.weight": keep}, ("2.weight",)))
        >>> small.model
        Sequential(
          (0): Linear(in_features=4, out_features=2, bias=True)
          (1): ReLU()
          (2): Linear(in_features=2, out_features=2, bias=True)
        )
        >>> small.units["0"]
        tensor([0, 2])
    """
    small, kept = cut_out(model, example_inputs, masks=masks, ignore=ignore)
    return Compacted(
        model=small,
        masks=cut_masks(masks, kept),
        units=_original_units(model, kept),
    )


Positions = dict[str, dict[int, Int[Tensor, " kept"]]]
"""For each parameter or buffer that was cut, by axis, the positions that stayed."""


def cut_out(
    model: nn.Module,
    example_inputs: Inputs,
    *,
    masks: Masks,
    ignore: Sequence[str] = (),
    zeros_read: bool = False,
) -> tuple[nn.Module, Positions]:
    """Give the smaller model of `compact`, and which positions of parameters it has.

    An edge that is kept and has weight zero reads nothing now. In a model that is to be
    trained on it may come to, so `zeros_read` lets it count.
    """
    small = copy_of(model)
    _drop_hooks(small)
    apply(small, masks)
    coupling = couple(small, example_inputs, ignore=ignore)
    groups = [group for group in coupling.prunable if group.shrinks]
    live = {name: value.detach() != 0 for name, value in small.named_parameters()}
    if zeros_read:
        live = {name: masks.keep.get(name, x | True) for name, x in live.items()}
    unread = _unread(groups, live)
    trainable = {n: p.requires_grad for n, p in small.named_parameters()}
    with seeded(0):
        random_inputs = with_fractions(example_inputs, torch.randn_like)
    trials = (example_inputs, random_inputs)
    before = tried(small, trials)
    kept = _kept_positions(small, groups, unread)
    _prune(small, groups, unread, kept)
    for name, parameter in small.named_parameters():
        parameter.requires_grad_(trainable[name])
    check_unchanged(before, small)
    return small, kept


def _prune(
    small: nn.Module,
    groups: list[UnitGroup],
    unread: dict[str, Tensor],
    kept: Positions,
) -> None:
    """Cut the units out, and note where torch-pruning cuts what no mask covers.

    These are vectors such as a norm's running mean or the slopes of a PReLU. They hold
    their own positions while they are cut.
    """
    values = {
        name: tensor.detach().clone()
        for name, tensor in named_tensors(small).items()
        if tensor.ndim == 1 and name not in kept
    }
    for name, tensor in named_tensors(small).items():
        if name in values:
            tensor.data = torch.arange(
                len(tensor), dtype=torch.float64, device=tensor.device
            )
    for group in groups:
        gone = unread[group.name].nonzero().flatten().tolist()
        if gone:
            # Numbers of one group's units stay valid while other groups are cut.
            group.root.prune(gone, record_history=False)
    for name, tensor in named_tensors(small).items():
        if name in values:
            positions = tensor.detach().long()
            tensor.data = values[name][positions]
            if len(positions) < len(values[name]):
                kept[name] = {0: positions.cpu()}


def _drop_hooks(model: nn.Module) -> None:
    """Take our own mask hooks off the copy: its shapes are about to change."""
    for key, hook in list(model._forward_pre_hooks.items()):
        if isinstance(hook, HoldMasks):
            del model._forward_pre_hooks[key]


def _unread(groups: list[UnitGroup], live: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Find the units that nothing reads, until nothing changes; one always stays."""
    live = {name: entries.clone() for name, entries in live.items()}
    gone = {group.name: torch.zeros(group.size, dtype=torch.bool) for group in groups}
    changed = True
    while changed:
        changed = False
        for group in groups:
            read = torch.zeros(group.size, dtype=torch.bool)
            for member in group.reads:
                part = live[member.parameter][member.rows]
                columns = part.movedim(member.axis, 0).flatten(1).any(1).cpu()
                # By number: after a flatten one unit has many columns.
                kept = columns[member.index % len(columns)]
                read[member.unit[kept]] = True
            unread = ~read
            if unread.all():
                unread[0] = False
            if (unread & ~gone[group.name]).any():
                changed = True
                gone[group.name] = unread
                for member in group.makes:
                    drop = member.index[unread[member.unit]]
                    axis_mask = live[member.parameter]
                    axis_mask.index_fill_(member.axis, drop.to(axis_mask.device), False)
    return gone


def _kept_positions(
    model: nn.Module, groups: list[UnitGroup], unread: dict[str, Tensor]
) -> Positions:
    """For each parameter and axis that shrinks, the positions that stay."""
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    stays: Positions = {}
    for group in groups:
        for member in (*group.makes, *group.reads):
            length = shapes[member.parameter][member.axis]
            axes = stays.setdefault(member.parameter, {})
            mask = axes.setdefault(member.axis, torch.ones(length, dtype=torch.bool))
            mask[member.index[unread[group.name][member.unit]]] = False
    return {
        name: {axis: mask.nonzero().flatten() for axis, mask in axes.items()}
        for name, axes in stays.items()
    }


def cut_masks(masks: Masks, kept: Positions) -> Masks:
    """Cut masks as the parameters were cut."""
    cut = {}
    for name, mask in masks.keep.items():
        for axis, positions in kept.get(name, {}).items():
            mask = mask.index_select(axis, positions.to(mask.device))
        cut[name] = mask
    return Masks(cut, masks.weights)


def _original_units(model: nn.Module, kept: Positions) -> dict[str, Tensor]:
    """Give each layer's kept units by their numbers in the model before."""
    units = {}
    for name, layer in edge_layers(model).items():
        axis = output_axis(layer)
        count = layer.get_parameter("weight").shape[axis]
        units[layer_of(name)] = kept.get(name, {}).get(axis, torch.arange(count))
    return units


_COUNTS = (
    "Cutting out the pruned units changes what the model computes: an operation in it "
    "depends on how many units there are. Keep the masked model, without compacting, "
    "or name the layers concerned in ignore."
)


@dataclass(frozen=True, eq=False)
class Trials:
    """What a model made of some inputs, and whether it did so in double precision."""

    inputs: Sequence[Inputs]
    outputs: list[list[Tensor]]
    double: bool


def tried(model: nn.Module, trials: Sequence[Inputs]) -> Trials:
    """Note what a model makes of inputs, in double precision where it can."""
    try:
        return Trials(trials, _outputs(model, trials, double=True), double=True)
    except Exception:  # Anything in it, or the device, may ask for its own precision.
        return Trials(trials, _outputs(model, trials, double=False), double=False)


def check_unchanged(before: Trials, model: nn.Module) -> None:
    """Refuse a smaller model that makes something else of the same inputs."""
    try:
        found = _outputs(model, before.inputs, double=before.double)
    except Exception as error:  # It ran before, and only its widths have changed.
        raise ModelError(_COUNTS) from error
    check_same(before.outputs, found)


def _outputs(
    model: nn.Module, trials: Sequence[Inputs], *, double: bool
) -> list[list[Tensor]]:
    """Give what a model makes of inputs, by the same random numbers each time."""
    if double:
        model = copy_of(model).double()
        trials = [with_fractions(inputs, Tensor.double) for inputs in trials]
    with evaluating(model), torch.no_grad():
        outputs = []
        for inputs in trials:
            with seeded(0):
                outputs.append(flat_tensors(call(model, inputs)))
    return outputs


def check_same(expected: list[list[Tensor]], found: list[list[Tensor]]) -> None:
    """Refuse a smaller model that computes something else."""
    for one, other in zip(chain(*expected), chain(*found), strict=True):
        if one.shape == other.shape and one.is_floating_point():
            # Sums over fewer terms are rounded otherwise; and whatever the precision of
            # a model, parts of it may compute in float32.
            eps = max(torch.finfo(one.dtype).eps, torch.finfo(torch.float32).eps)
            error = min(100 * eps, 0.05)
            size = float(one.abs().max()) if one.numel() else 0.0
            same = torch.allclose(one, other, rtol=error, atol=error * (1 + size))
        else:
            same = torch.equal(one, other)
        if not same:
            raise ModelError(_COUNTS)
