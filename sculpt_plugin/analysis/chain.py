"""The weights of a model that is a plain chain of Linear layers with ReLUs between."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sculpt_plugin.analysis.readout import outputs_alike
from sculpt_plugin.inputs import Inputs, flat_tensors, undisturbed
from sculpt_plugin.tracing.labels import storage_key
from sculpt_plugin.tracing.operation import Operation
from sculpt_plugin.tracing.walking import Walk, copied


def outputs_alike_in(
    model: nn.Module, example_inputs: Inputs
) -> Int[np.ndarray, " output"] | None:
    """Group the outputs of a plain chain that weigh what they read alike.

    The model is run once. It is a chain by what it computes, however it is written.

    Args:
        model: Any model, left as it was found.
        example_inputs: What it is called with.

    Returns:
        What `outputs_alike` finds; None for a model that computes anything but Linear
        layers with a ReLU between each two, each as wide as the next one reads, whose
        weights it would misread.

    Example:
        >>> model = nn.Sequential(nn.Linear(1, 2))
        >>> with torch.no_grad():
        ...     _ = model[0].weight.copy_(torch.tensor([[1.0], [2.0]]))
        ...     _ = model[0].bias.zero_()
        >>> outputs_alike_in(model, torch.zeros(1, 1))
        array([0, 0])
    """
    given = copied(example_inputs)
    read = flat_tensors(given)
    if len(read) > 1:
        return None
    chain = _Chain(read[0])
    with undisturbed(model):
        output = chain.run(model, given)
    if not chain.gave(output):
        return None
    return outputs_alike(chain.weights, chain.biases)


class _Chain(Walk):
    """Follows the numbers that one layer hands to the next.

    Attributes:
        weights: Of each layer so far, as it was multiplied: masks are in it.
        biases: Of each layer so far, zero where there is none.
    """

    def __init__(self, inputs: Tensor) -> None:
        super().__init__()
        self.weights: list[Float[np.ndarray, "unit source"]] = []
        self.biases: list[Float[np.ndarray, " unit"]] = []
        self._now = inputs
        self._broken, self._bent, self._made = False, True, 0
        # The tensors are kept, so that no other one comes to lie in their memory.
        self._past = {storage_key(inputs): inputs}

    def see(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        """Look at an operation, unless the model is known to be no chain."""
        if self._broken:
            return
        # Nothing is raised here: TorchScript would make another error of it.
        self._broken = not self._goes_on(Operation.of(func, args, kwargs, result))
        if self._broken:
            self._past.clear()

    def see_block(self, module: nn.Module, read: Any, made: Any) -> None:
        """Give up: a block is neither a layer nor a ReLU."""
        self._broken = True

    def gave(self, output: Any) -> bool:
        """Tell whether a chain gave what its last layer made, all of it."""
        given = flat_tensors(output)
        if self._broken or self._bent or len(given) != 1:
            return False
        return _beside(given[0], self._now) and given[0].numel() == self._made

    def _goes_on(self, done: Operation) -> bool:
        """Go on by a view, a ReLU or a layer, and by nothing else."""
        read = [x for x in done.operands if storage_key(x) in self._past]
        if not read:
            return True  # makes a weight
        if len(read) > 1 or len(done.made) != 1 or not _beside(read[0], self._now):
            return False
        (made,) = done.made
        if done.name in _LAYERS and read[0] is done.values[_LAYERS[done.name]]:
            known = self._is_next(done)
        elif done.name == "relu":
            known = self._bent = bool(self.weights)
        else:
            known = _beside(made, self._now) and not done.func._schema.is_mutable
        self._now = made
        self._past[storage_key(made)] = made
        return known

    def _is_next(self, done: Operation) -> bool:
        """Take down a layer's weights, if it reads what the layer before made."""
        weight = done.values["mat2"].t()
        bias = done.values["self"] if done.name == "addmm" else weight.new_zeros(1)
        # A flatten between two layers lets each unit be read in many places.
        fits = not self.weights or len(self.weights[-1]) == weight.shape[1]
        plain = bias.ndim == 1 and not {"alpha", "beta"} & done.values.keys()
        if not (self._bent and fits and plain and weight.layout is torch.strided):
            return False
        self._bent, self._made = False, done.made[0].numel()
        self.weights.append(_numbers(weight))
        self.biases.append(_numbers(bias.expand(len(weight))))
        return True


_LAYERS = {"addmm": "mat1", "mm": "self"}
"""How a Linear layer is computed, with a bias and without, and what it reads."""


def _beside(x: Tensor, y: Tensor) -> bool:
    """Tell whether two tensors lie in the same memory."""
    return storage_key(x) == storage_key(y)


def _numbers(x: Tensor) -> Float[np.ndarray, "..."]:
    """Give numbers as numpy has them."""
    return x.detach().double().cpu().numpy()
