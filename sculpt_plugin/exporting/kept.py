"""Which weights of a model an analysis found at work, as masks."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor, nn

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.coupling import output_axis
from sculpt_plugin.coupling.groups import WEIGHTED
from sculpt_plugin.errors import ModelError
from sculpt_plugin.pruning.masks import Masks

_WHOLE = "model"  # how a trace calls a model that is itself a layer


def unread(
    graph: LayeredGraph, *, covered: Mapping[str, Any]
) -> dict[str, Bool[np.ndarray, " unit"]]:
    """Tell which units of each layer no path leads on from, to any output.

    These can be cut out and the model computes the same. A unit that is dead because
    it reads nothing is another matter: it still passes on a constant, its bias.

    Args:
        graph: The network.
        covered: What the trace covered. Unless that is all of the model, exactly, an
            edge may be missing, and no unit is called unread.

    Returns:
        Layer to a flag per unit, for each layer that has such units; of a layer that
        the model calls several times, the units that no call makes use of.

    Example:
        >>> graph = LayeredGraph.from_edges(
        ...     (1, 2, 1), [(0, 1), (0, 2), (2, 3)], names=("inputs", "0", "2"))
        >>> unread(graph, covered={"exact": 1.0})
        {'0': array([ True, False])}
    """
    if covered.get("exact") != 1:
        return {}
    used = np.zeros(graph.unit_count, dtype=bool)
    used[graph.units(graph.depth - 1)] = True
    for layer in reversed(range(graph.depth - 1)):
        units = graph.units(layer)
        used[units] = graph.adjacency[units] @ used
    calls: dict[str, list[Bool[np.ndarray, " unit"]]] = {}
    for layer in range(1, graph.depth):
        flags = ~used[graph.units(layer)]
        calls.setdefault(layer_called(graph.names[layer]), []).append(flags)
    # A weight that is also used in another way has units of another kind.
    alike = {n: flags for n, flags in calls.items() if len({*map(len, flags)}) == 1}
    found = {name: np.logical_and.reduce(flags) for name, flags in alike.items()}
    return {name: flags for name, flags in found.items() if flags.any()}


def layer_called(name: str) -> str:
    """Give a layer's own name, without the number of the call or of its rows.

    Example:
        >>> layer_called("encoder.fc #2"), layer_called("fc[0:4] #3")
        ('encoder.fc', 'fc')
    """
    return re.sub(r"(\[\d+:\d+\])?( #\d+)?$", "", name)


def kept(model: nn.Module, gone: Mapping[str, Bool[np.ndarray, " unit"]]) -> Masks:
    """Keep what is not zero, without all that belongs to units that are gone.

    Masks of `torch.nn.utils.prune` and parametrizations count; each mask is called
    like the parameter that the model had without them.

    Args:
        model: The model, left as it was found.
        gone: Layer to a flag per unit.

    Returns:
        Masks for every weight with two axes or more, for other weights that are
        somewhere zero, and for the bias of each layer with units that are gone.

    Example:
        >>> layer = nn.Linear(2, 2)
        >>> with torch.no_grad():
        ...     _ = layer.weight.copy_(torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
        >>> kept(layer, {"model": np.array([False, True])}).keep["weight"]
        tensor([[ True, False],
                [False, False]])
    """
    keep, weights = {}, []
    owners = Counter(id(x) for m in model.modules() for x in _own(m))
    for layer, module in model.named_modules():
        units = gone.get(layer or _WHOLE)
        before = f"{layer}." if layer else ""
        own = [(name, x) for name, x in _weights(module) if x.ndim > 1 or not x.all()]
        masks = {name: (x != 0).cpu() for name, x in own}
        weights += [before + name for name, x in own if x.ndim > 1]
        # Of a weight that two layers share neither may take away what the other reads.
        own_only = all(owners[id(x)] == 1 for x in _own(module))
        if units is not None and own_only and isinstance(module, WEIGHTED):
            _drop(masks, module, torch.from_numpy(units))
        keep |= {before + name: mask for name, mask in masks.items()}
    return Masks(keep, tuple(weights))


def stops_units(model: nn.Module) -> bool:
    """Tell whether a norm multiplies a unit by zero.

    What reads such a unit reads a constant, the norm's bias, which would be lost if the
    unit were cut out, though no edge tells of it.

    Example:
        >>> norm = nn.BatchNorm1d(2)
        >>> stops_units(norm)
        False
        >>> _ = nn.init.zeros_(norm.weight)
        >>> stops_units(norm)
        True
    """
    found = (weight for m in model.modules() for _, weight in _weights(m))
    return any(weight.ndim == 1 and not weight.all() for weight in found)


def check_fits(graph: LayeredGraph, model: nn.Module) -> None:
    """Refuse a model that is not the one the graph was read from.

    Raises:
        ModelError: A layer is missing, or has another number of units.
    """
    layers = {name or _WHOLE: module for name, module in model.named_modules()}
    parameters = [name for name, _ in model.named_parameters()]
    for name, kind, size in zip(graph.names, graph.kinds, graph.sizes, strict=True):
        own = layer_called(name)
        module = layers.get(own)
        free = any(each.startswith(own.partition("[")[0]) for each in parameters)
        known = module is not None or free
        if kind.startswith(("linear", "conv")) and not known:
            raise ModelError(
                f"Masks must be made for the model that was analyzed, and this one has "
                f"no layer {name!r}: pass that model."
            )
        if not isinstance(module, WEIGHTED):
            continue
        found = getattr(module, "out_features", None) or module.out_channels
        if found != size:
            raise ModelError(
                f"Masks must be made for the model that was analyzed, but layer "
                f"{name!r} ({kind}) has {size} units in the report and {found} in the "
                "model: pass that model, or analyze one that nothing was cut out of."
            )


def _own(module: nn.Module) -> list[nn.Parameter]:
    """List a module's own parameters, each name's."""
    return [x for x in module._parameters.values() if x is not None]


def _weights(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Give a module's own weights, as they are with their masks."""
    names = [name.removesuffix("_orig") for name in module._parameters]
    names += list(getattr(module, "parametrizations", ()))
    for name in names:
        whole = module._parameters.get(f"{name}_orig")
        mask = module._buffers.get(f"{name}_mask")
        if whole is None or mask is None:
            value = getattr(module, name, None)
        else:
            # torch.nn.utils.prune sets `weight` in a forward, which may be to come.
            value = whole * mask
        if "weight" in name and isinstance(value, Tensor):
            yield name, value.detach()


def _drop(
    masks: dict[str, Tensor], module: nn.Module, gone: Bool[Tensor, " unit"]
) -> None:
    """Drop all that makes some units of a layer."""
    axis = output_axis(module)
    if masks["weight"].shape[axis] != len(gone):
        return  # a transposed convolution in groups shares its columns
    masks["weight"].movedim(axis, 0)[gone] = False
    if module.bias is not None:
        masks["bias"] = ~gone
