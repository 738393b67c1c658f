"""Which slices of which parameters live and die with a unit."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import torch
from torch import nn

from sculpt_plugin.coupling.groups import (
    WEIGHTED,
    Coupling,
    UnitGroup,
    edge_layers,
)
from sculpt_plugin.coupling.translation import dependency_graph, full_groups, unit_group
from sculpt_plugin.coupling.trial import wrongly_read
from sculpt_plugin.errors import ModelError
from sculpt_plugin.inputs import Inputs, check_call, undisturbed


def couple(
    model: nn.Module, example_inputs: Inputs, *, ignore: Sequence[str] = ()
) -> Coupling:
    """Tell which parameters live and die together, by torch-pruning's groups.

    Args:
        model: The model, left as it was found.
        example_inputs: A tensor, tuple or dict that the model can be called with.
        ignore: Dotted names of layers (or of what holds them) whose units and edges
            must stay. Edges from units below that go are still lost with them.

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
    with undisturbed(model):
        return _coupled(model, example_inputs, ignore)


def _coupled(
    model: nn.Module, example_inputs: Inputs, ignore: Sequence[str]
) -> Coupling:
    """Translate torch-pruning's groups, and put aside those that are not true."""
    names = {module: name for name, module in model.named_modules()}
    order = {name: position for position, name in enumerate(names.values())}
    ignored = {layer for name in ignore for layer in _layers(model, name)}
    graph, ends = dependency_graph(model, example_inputs)
    groups = [
        unit_group(graph, group, names, ends, ignored) for group in full_groups(graph)
    ]
    groups.sort(key=lambda group: order[group.name])
    shared = _shared(model)
    groups = [_with_sound_indices(model, group, shared) for group in groups]
    sound = [group for group in groups if group.obstacle is None]
    wrong = wrongly_read(model, example_inputs, sound)
    layers = edge_layers(model)
    return Coupling(
        groups=tuple(
            replace(g, obstacle=wrong.get(g.name, g.obstacle)) for g in groups
        ),
        weights=tuple(name for name, layer in layers.items() if layer not in ignored),
    )


def _layers(model: nn.Module, name: str) -> list[nn.Module]:
    """List the weighted layers at a name or inside of it."""
    inside = model.get_submodule(name).modules()
    return [module for module in inside if isinstance(module, WEIGHTED)]


def _with_sound_indices(
    model: nn.Module, group: UnitGroup, shared: Collection[str]
) -> UnitGroup:
    """Put a group aside of shared parameters, wrong indices, or units nobody reads."""
    if group.obstacle is not None:
        return group
    read = torch.zeros(group.size, dtype=torch.bool)
    for member in group.reads:
        read[member.unit] = True
    for member in (*group.makes, *group.reads):
        if member.parameter in shared:
            return replace(group, obstacle=f"{member.parameter!r} is shared")
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    inside = all(
        int(member.index.max()) < shapes[member.parameter][member.axis]
        for member in group.makes
    )
    if not inside:
        return replace(group, obstacle="torch-pruning counts its units wrongly")
    if not read.all():
        return replace(group, obstacle="no layer is known to read all of its units")
    return group


def _check_layers(model: nn.Module, ignore: Sequence[str]) -> None:
    """Refuse a model without edges, compiled or masked elsewhere; a wrong `ignore`."""
    for name, module in model.named_modules():
        if "_orig_mod" in module._modules:
            what = f"Layer {name!r}" if name else "The model"
            raise ModelError(
                f"{what} must not be compiled, since torch-pruning cannot follow it "
                "then: put in what torch.compile was given, which is its ._orig_mod."
            )
    layers = {n: m for n, m in model.named_modules() if isinstance(m, WEIGHTED)}
    if not layers:
        raise ModelError(
            "The model has no Linear or convolution layer: there is nothing to prune."
        )
    if isinstance(ignore, str):
        raise ModelError(
            f"ignore must be a list of names, got {ignore!r}: [{ignore!r}]"
        )
    if not isinstance(ignore, Sequence):
        raise ModelError(
            f"ignore must be a list of names, got {type(ignore).__name__}: leave it "
            "out to ignore none."
        )
    known = [name for name, _ in model.named_modules()]
    for name in ignore:
        if name not in known:
            raise ModelError(
                f"ignore names {name!r}, which the model does not have. Its layers "
                f"are {', '.join(layers)}."
            )
        if not _layers(model, name):
            raise ModelError(
                f"ignore names {name!r}, which holds no Linear or convolution layer: "
                f"name one of {', '.join(layers)}."
            )
    ignored = {layer for name in ignore for layer in _layers(model, name)}
    shared = _shared(model)
    for name, layer in layers.items():
        if "weight" not in layer._parameters:
            raise ModelError(
                f"Layer {name!r} computes its weight in every forward (torch.nn.utils."
                "prune, weight_norm, spectral_norm or another parametrization): make "
                "that permanent first, for instance with torch.nn.utils.prune.remove("
                "layer, 'weight') or torch.nn.utils.parametrize."
                "remove_parametrizations(layer, 'weight')."
            )
        owners = shared.get(f"{name}.weight".lstrip("."), ())
        tied = [owner for owner in owners if owner in layers]
        if owners and not ignored.issuperset(layers[owner] for owner in tied):
            raise ModelError(
                f"Layers {' and '.join(map(repr, owners))} share one weight, which "
                "pruning would cut for both: give each a weight of its own, or leave "
                f"it alone with ignore={tied}."
            )


def _shared(model: nn.Module) -> dict[str, list[str]]:
    """Give the parameters that several modules have, by each of their names."""
    owners: dict[int, list[str]] = {}
    named: dict[str, nn.Parameter] = {}
    for path, module in model.named_modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                owners.setdefault(id(parameter), []).append(path)
                named[f"{path}.{name}".lstrip(".")] = parameter
    found = {name: owners[id(parameter)] for name, parameter in named.items()}
    return {name: paths for name, paths in found.items() if len(paths) > 1}
