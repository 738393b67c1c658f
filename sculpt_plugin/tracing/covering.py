"""What a trace stands for, module by module: exactly, nearly, or not at all."""

from collections.abc import Iterator
from typing import Any

from torch import nn
from torch.nn.utils import parametrize

from sculpt_plugin.tracing.following import Follower

UNUSED = "the outputs do not depend on it"
OUT_OF_SIGHT = "computes where its operations cannot be followed"


def covered(model: nn.Module, follower: Follower) -> dict[str, Any]:
    """Say for each module whether the graph stands for it exactly.

    Args:
        model: The model that was followed.
        follower: The run.

    Returns:
        The coverage, as `Trace.coverage` describes it.

    Example:
        >>> import torch
        >>> from sculpt_plugin.tracing.wiring import wire
        >>> net = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())
        >>> found = covered(net, wire(net, torch.zeros(1, 2)).follower)
        >>> found["exact"], [layer["name"] for layer in found["layers"]]
        (1.0, ['0'])
    """
    counted: set[int] = set()
    layers = [_layer(name, module, follower, counted) for name, module in parts(model)]
    layers = [x for x in layers if x["parameters"] or x["coverage"] != "exact"]
    total = sum(layer["parameters"] for layer in layers)

    def share(coverage: str) -> float:
        own = sum(x["parameters"] for x in layers if x["coverage"] == coverage)
        return own / total if total else 1.0

    return {
        "parameters": total,
        "exact": share("exact"),
        "approximated": share("approximated") if total else 0.0,
        "layers": layers,
    }


def class_name(module: nn.Module) -> str:
    """Name a module's class, without what a parametrization makes of it.

    Example:
        >>> from torch.nn.utils import parametrizations
        >>> class_name(parametrizations.weight_norm(nn.Linear(2, 1)))
        'Linear'
    """
    return parametrize.type_before_parametrizations(module).__name__


def parts(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """List a model's modules by name, those inside parametrizations left out.

    Example:
        >>> [name for name, _ in parts(nn.Sequential(nn.Linear(2, 1)))]
        ['', '0']
    """
    for name, module in model.named_modules():
        if "parametrizations" not in name.split("."):
            yield name, module


def _layer(
    name: str, module: nn.Module, follower: Follower, counted: set[int]
) -> dict[str, Any]:
    """Say whether one module is covered, without those inside it.

    A parameter that several modules share is counted with the first of them.
    """
    own = list(module.parameters(recurse=False))
    parametrizations = getattr(module, "parametrizations", None)
    if isinstance(parametrizations, nn.Module):
        own += list(parametrizations.parameters())
    first = [parameter for parameter in own if id(parameter) not in counted]
    counted |= {id(parameter) for parameter in first}
    layer = {
        "name": name or "model",
        "kind": class_name(module),
        "parameters": sum(parameter.numel() for parameter in first),
        "coverage": "exact",
    }
    for coverage, notes in (
        ("not covered", follower.missed),
        ("approximated", follower.approximated),
    ):
        if name in notes:
            return {**layer, "coverage": coverage, "reason": "; ".join(notes[name])}
    if own and not any(id(x) in follower.used for x in own):
        if name not in follower.ran:
            return {**layer, "reason": UNUSED}
        if not any(module.children()):
            return {**layer, "coverage": "not covered", "reason": OUT_OF_SIGHT}
    return layer
