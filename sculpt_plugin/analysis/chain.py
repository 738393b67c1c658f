"""The weights of a model that is a plain chain of Linear layers with ReLUs between."""

from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Int
from torch import nn

from sculpt_plugin.analysis.readout import outputs_alike

_SILENT = (nn.Flatten, nn.Dropout, nn.Identity)
"""What may stand anywhere in a chain: it changes no number of a trained model."""


def outputs_alike_in(model: nn.Module) -> Int[np.ndarray, " output"] | None:
    """Group the outputs of a plain chain that weigh what they read alike.

    Args:
        model: Any model.

    Returns:
        What `outputs_alike` finds; None for a model that is not an `nn.Sequential` of
        Linear layers with a ReLU between each two, each as wide as the next one reads,
        whose weights it would misread.

    Example:
        >>> model = nn.Sequential(nn.Linear(1, 2))
        >>> with torch.no_grad():
        ...     _ = model[0].weight.copy_(torch.tensor([[1.0], [2.0]]))
        ...     _ = model[0].bias.zero_()
        >>> outputs_alike_in(model)
        array([0, 0])
    """
    containers = [m for m in model.modules() if next(m.children(), None) is not None]
    leaves = [m for m in model.modules() if next(m.children(), None) is None]
    layers = [m for m in leaves if not isinstance(m, _SILENT)]
    linears = layers[::2]
    is_chain = (
        all(type(container) is nn.Sequential for container in containers)
        and len(layers) % 2 == 1
        and all(type(layer) is nn.Linear for layer in linears)
        and all(type(layer) is nn.ReLU for layer in layers[1::2])
        # A flatten between two lets each unit be read in many places.
        and all(a.out_features == b.in_features for a, b in pairwise(linears))
    )
    if not is_chain:
        return None
    weights, biases = [], []
    for layer in linears:
        # As attributes, so that masks of torch.nn.utils.prune are in them.
        weight = torch.as_tensor(layer.weight).detach()
        bias = torch.zeros(len(weight)) if layer.bias is None else layer.bias
        weights.append(weight.double().cpu().numpy())
        biases.append(torch.as_tensor(bias).detach().double().cpu().numpy())
    return outputs_alike(weights, biases)
