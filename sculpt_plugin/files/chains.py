"""A chain of Linear and ReLU layers, inferred from a state dict alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import torch
from torch import nn

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.quoting import listed, quoted

# Modules nested deeper than this come from no program, and would exhaust the stack.
DEEPEST = 50

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

REMEDY = "Build the model in your own code with --model pkg.mod:factory."


@dataclass(frozen=True, eq=False)
class _Layer:
    name: str
    weight: torch.Tensor
    bias: torch.Tensor | None

    def __str__(self) -> str:
        later, earlier = self.weight.shape
        return f"{quoted(self.name)} ({earlier} to {later} units)"


def chain(state: Mapping[str, torch.Tensor], *, in_order: bool = True) -> nn.Sequential:
    """Build the Linear and ReLU layers that a state dict seems to come from.

    A state dict holds no program, but where its weights are matrices that fit one
    after the other it hardly needs one. The layers keep their names, dots and all; each
    but the last is followed by a ReLU.

    Args:
        state: Weights and biases of the layers, masks already multiplied in.
        in_order: Whether the entries come in the order of the layers. safetensors
            files are sorted by name; there the order is told from the numbers in the
            names, or from the shapes where these leave no choice.

    Returns:
        A model, in the widest dtype among the weights.

    Raises:
        LoadingError: There are other layers in it, or they make no single chain.

    Example:
        >>> state = {"net.0.weight": torch.ones(4, 2), "net.2.weight": torch.ones(1, 4)}
        >>> chain(state)
        Sequential(
          (net): Sequential(
            (0): Linear(in_features=2, out_features=4, bias=False)
            (1): ReLU()
            (2): Linear(in_features=4, out_features=1, bias=False)
          )
        )
    """
    layers = _layers(state)
    if not in_order:
        layers = _sorted_layers(layers)
    for earlier, later in pairwise(layers):
        if earlier.weight.shape[0] != later.weight.shape[1]:
            raise LoadingError(
                f"The layers of a state dict must fit one after the other, but "
                f"{earlier} is followed by {later}. {REMEDY}"
            )
    return _assembled(layers)


def _layers(state: Mapping[str, torch.Tensor]) -> list[_Layer]:
    """Pair weights with biases, and refuse by name whatever is neither."""
    layers = []
    for name, weight in state.items():
        path, _, kind = name.rpartition(".")
        if kind == "bias" and f"{path}.weight".removeprefix(".") in state:
            continue
        if kind != "weight":
            what = (
                "belongs to a BatchNorm layer"
                if kind in ("running_mean", "running_var", "num_batches_tracked")
                else "is neither weight nor bias of one"
            )
            raise _other_layer(name, what)
        if weight.ndim != 2:
            what = {
                1: "is 1-D, as in a BatchNorm or LayerNorm layer",
                3: "is 3-D, as in a Conv1d layer",
                4: "is 4-D, as in a Conv2d layer",
                5: "is 5-D, as in a Conv3d layer",
            }.get(weight.ndim, f"is {weight.ndim}-D")
            raise _other_layer(name, what)
        bias = state.get(f"{path}.bias".removeprefix("."))
        _check(name, weight, bias)
        layers.append(_Layer(path, weight, bias))
    if not layers:
        raise LoadingError(
            f"A state dict must hold the weight of at least one Linear layer, but this "
            f"one holds {listed(state) or 'nothing'}. {REMEDY}"
        )
    return layers


def _other_layer(name: str, what: str) -> LoadingError:
    return LoadingError(
        f"A chain can be inferred from Linear layers only, but {quoted(name)} {what}. "
        f"{REMEDY}"
    )


def _check(name: str, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
    if weight.dtype == torch.bool:
        raise LoadingError(
            f"A model file must hold weights, but {quoted(name)} is a mask: this is a "
            "file of masks, or the checkpoint of a search. Name the model instead."
        )
    if weight.dtype not in DTYPES:
        raise LoadingError(
            f"Weights must be floating-point numbers of 16 to 64 bits, but "
            f"{quoted(name)} is {weight.dtype}. Convert it before saving."
        )
    if 0 in weight.shape:
        raise LoadingError(
            f"A Linear layer must have inputs and outputs, but {quoted(name)} has the "
            f"shape {tuple(weight.shape)}. Save the model again."
        )
    if bias is not None and (
        bias.shape != weight.shape[:1] or bias.dtype not in DTYPES
    ):
        raise LoadingError(
            f"The bias beside {quoted(name)} must have {weight.shape[0]} numbers, but "
            f"has the shape {tuple(bias.shape)} and is {bias.dtype}. {REMEDY}"
        )


def _sorted_layers(layers: list[_Layer]) -> list[_Layer]:
    """Order layers by numbers in their names, or by the only fit of their shapes."""
    families = {re.sub(r"[0-9]+", "0", layer.name) for layer in layers}
    if len(families) == 1:
        return sorted(layers, key=lambda layer: _numbers(layer.name))
    after = {layer.weight.shape[1]: layer for layer in layers}
    first = [
        layer
        for layer in layers
        if layer.weight.shape[1] not in {other.weight.shape[0] for other in layers}
    ]
    # Where each number of inputs occurs once, every layer has at most one successor.
    if len(after) == len(layers) and len(first) == 1:
        ordered = [first[0]]
        while (following := after.pop(ordered[-1].weight.shape[0], None)) is not None:
            ordered.append(following)
        if len(ordered) == len(layers):
            return ordered
    raise LoadingError(
        f"The order of the layers must follow from numbers in their names or from "
        f"their shapes, as safetensors keeps none, but "
        f"{listed(layer.name for layer in layers)} leave it open. {REMEDY}"
    )


def _numbers(name: str) -> list[int]:
    # Longer runs of digits are no layer number, and slow to read.
    return [int(digits[:18]) for digits in re.findall(r"[0-9]+", name)]


def _assembled(layers: list[_Layer]) -> nn.Sequential:
    """Nest the layers as their dotted names say, with a ReLU between each two."""
    # Narrowing could turn a small weight, and so an edge, into zero.
    dtype = reduce(torch.promote_types, (layer.weight.dtype for layer in layers))
    root = nn.Sequential()
    taken = {
        ".".join(layer.name.split(".")[:length])
        for layer in layers
        for length in range(1, layer.name.count(".") + 2)
    }
    left: set[nn.Module] = set()
    open_path: list[nn.Module] = []
    for index, layer in enumerate(layers):
        # A Linear saved by itself has no name, and a child needs one.
        *parents, leaf = (layer.name or "linear").split(".")
        if len(parents) > DEEPEST:
            raise _misnamed(layer.name)
        path: list[nn.Module] = [root]
        for part in parents:
            path.append(_child(path[-1], part, nn.Sequential(), name=layer.name))
        # Within a Sequential, layers run in the order in which they were added.
        left.update(module for module in open_path if module not in path)
        if left.intersection(path):
            raise LoadingError(
                f"Layers under one name must follow each other, but "
                f"{quoted(layer.name)} comes after layers of another. {REMEDY}"
            )
        open_path = path
        linear = _linear(layer, dtype)
        if _child(path[-1], leaf, linear, name=layer.name) is not linear:
            raise _misnamed(layer.name)
        if index < len(layers) - 1:
            relu = _free_name(leaf, ".".join(parents), taken, path[-1])
            path[-1].add_module(relu, nn.ReLU())
    return root


def _child(parent: nn.Module, part: str, new: nn.Module, *, name: str) -> nn.Module:
    """Get or add a child; a name with a meaning of its own in torch is refused."""
    if part in parent._modules:
        found = parent._modules[part]
        if type(found) is nn.Sequential:
            return found
        raise _misnamed(name)
    if not part or hasattr(parent, part):
        raise _misnamed(name)
    parent.add_module(part, new)
    return new


def _misnamed(name: str) -> LoadingError:
    return LoadingError(
        f"A layer's name must be free within its parent module, but {quoted(name)} is "
        f"taken by another layer or by torch itself. {REMEDY}"
    )


def _linear(layer: _Layer, dtype: torch.dtype) -> nn.Linear:
    later, earlier = layer.weight.shape
    # No memory is taken for weights that are replaced at once.
    linear = nn.Linear(earlier, later, bias=layer.bias is not None, device="meta")
    linear.weight = nn.Parameter(layer.weight.detach().to(dtype, copy=True))
    if layer.bias is not None:
        linear.bias = nn.Parameter(layer.bias.detach().to(dtype, copy=True))
    return linear


def _free_name(leaf: str, parent: str, taken: set[str], container: nn.Module) -> str:
    """Name the ReLU after a layer: the next number if free, as in nn.Sequential."""
    number = re.fullmatch(r"[0-9]{1,9}", leaf)
    name = str(int(leaf) + 1) if number else f"{leaf}_relu"
    prefix = f"{parent}." if parent else ""
    if f"{prefix}{name}" in taken:
        name = f"{leaf}_relu"
    while f"{prefix}{name}" in taken or hasattr(container, name):
        name += "_"
    return name
