"""A network as units in layers and the edges between them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from scipy import sparse


@dataclass(frozen=True, eq=False)
class LayeredGraph:
    """Units in layers, joined by edges that always run to a later layer.

    Attributes:
        sizes: Number of units in each layer, the inputs first.
        names: One name per layer, the inputs' layer is called `inputs`.
        kinds: One kind per layer: `input`, `linear`, `conv2d`, ...
        channel: For each unit its original number within its layer.
        adjacency: `adjacency[i, j]` is true where unit `i` feeds unit `j`. Units of
            all layers live in one flat order, layer by layer, so the matrix is
            strictly upper block triangular.
    """

    sizes: tuple[int, ...]
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    channel: Int[np.ndarray, " unit"]
    adjacency: sparse.csr_array
