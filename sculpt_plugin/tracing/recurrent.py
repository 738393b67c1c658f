"""A recurrent layer as one block: what each of its units hears of, sooner or later.

A unit reads inputs with weights of its own, and hears of those that other units read
through the recurrent weights, one step of time later. With time folded together it
reads all of these; how many steps that takes is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor, nn

KINDS = {nn.LSTM: "lstm", nn.GRU: "gru", nn.RNN: "rnn"}
"""The layers that are blocks, and what a report calls them."""


@dataclass(frozen=True, eq=False)
class Direction:
    """One layer of a recurrent stack in one direction of time.

    Attributes:
        name: What to add to the stack's name: `l0`, `l0_reverse`, ...
        kept: Whether unit `i` hears of column `j`; the units of the state that the
            caller passed in follow the columns of the input.
        units: Number of units.
    """

    name: str
    kept: Bool[np.ndarray, "unit column"]
    units: int


def directions(stack: nn.RNNBase) -> Iterator[Direction]:
    """List the layers of a recurrent stack from the inputs up, forwards first.

    Example:
        >>> stack = nn.GRU(3, 2, bidirectional=True)
        >>> [(way.name, way.kept.shape) for way in directions(stack)]
        [('l0', (2, 5)), ('l0_reverse', (2, 5))]
    """
    for layer in range(stack.num_layers):
        for suffix in ("", "_reverse")[: 2 if stack.bidirectional else 1]:
            name = f"l{layer}{suffix}"
            size = stack.hidden_size
            own = _any_gate(getattr(stack, f"weight_ih_{name}"), size)
            recurrent = _any_gate(getattr(stack, f"weight_hh_{name}"), size)
            if stack.proj_size:
                projection = (getattr(stack, f"weight_hr_{name}") != 0).cpu().numpy()
                heard = _heard((recurrent @ projection) > 0)
                own, state = (heard @ own) > 0, (heard @ recurrent) > 0
                kept = (projection @ np.concatenate([own, state], axis=1)) > 0
            else:
                heard = _heard(recurrent)
                kept = np.concatenate([(heard @ own) > 0, heard], axis=1)
            yield Direction(name, kept, len(kept))


def _any_gate(weight: Tensor, units: int) -> np.ndarray:
    """Tell which columns a unit reads with any of its gates."""
    return (weight != 0).reshape(-1, units, weight.shape[1]).any(0).cpu().numpy()


def _heard(recurrent: np.ndarray) -> np.ndarray:
    """Tell whose state reaches whom in any number of steps, its own included."""
    count, group = connected_components(csr_array(recurrent), connection="strong")
    between = np.zeros((count, count), dtype=bool)
    np.fill_diagonal(between, val=True)
    rows, columns = recurrent.nonzero()
    between[group[rows], group[columns]] = True
    for _ in range(int(count).bit_length()):
        between = (between.astype(np.float32) @ between) > 0
    return between[np.ix_(group, group)]
