"""Which operations make new units: products with weights.

A product with a weight makes a layer, whoever calls it: a module of torch, one of the
user's own, or `torch.nn.functional` with a free parameter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sculpt_plugin.tracing.labels import TensorLabels
from sculpt_plugin.tracing.operation import Operation, matrices


@dataclass(frozen=True, eq=False)
class Product:
    """A product with weights, laid out as units and columns.

    Attributes:
        kind: What a report calls such a layer: `linear`, `conv2d`, ...
        weight: The weights as they are stored.
        kept: Tells whether unit `i` has a weight other than zero on column `j`.
        reads: Views of what is read as [column, position, ...]; the columns of one
            tensor follow those of the other.
        column_axes: How many axes of these views number the columns.
        unit_axes: The axes of what is made along which units differ.
    """

    kind: str
    weight: Tensor
    kept: Callable[[], Tensor]
    reads: tuple[Tensor, ...]
    unit_axes: tuple[int, ...]
    column_axes: int = 1


def reads_weights(operation: Operation, labels: TensorLabels) -> bool | None:
    """See whether an operation multiplies something labelled with weights.

    Args:
        operation: The operation.
        labels: The labels of the run.

    Returns:
        Whether the weights stand on the left; None if there are none.

    Example:
        >>> from sculpt_plugin.tracing.sets import UnitSets
        >>> labels = TensorLabels(UnitSets())
        >>> x, weight = torch.zeros(1, 2), torch.ones(2, 3)
        >>> labels.put(x, labels.sets.new_units(2))
        >>> mm = torch.ops.aten.mm.default
        >>> called = Operation.of(mm, (x, weight), {}, x @ weight)
        >>> reads_weights(called, labels)
        False
    """
    if operation.name in _PRODUCTS:
        left, right = matrices(operation)
        if labels.of(right) is None:
            return False
        free = labels.of(left) is None and labels.is_weight(left)
        return True if free else None
    if operation.name not in _READERS:
        return None
    own = [operation.values.get(name) for name in _CONSTANT]
    if any(isinstance(x, Tensor) and labels.of(x) is not None for x in own):
        return None
    if operation.name in _TABLES and labels.of(operation.values["indices"]) is None:
        return None
    return False


def product(operation: Operation, *, weights_left: bool) -> Product:
    """Lay out a product with weights.

    Args:
        operation: The operation.
        weights_left: What `reads_weights` said of it.

    Returns:
        How it reads and makes units.

    Example:
        >>> x, weight = torch.zeros(1, 2), torch.tensor([[1.0, 0.0, 2.0], [0.0, 0, 3]])
        >>> mm = torch.ops.aten.mm.default
        >>> called = Operation.of(mm, (x, weight), {}, x @ weight)
        >>> found = product(called, weights_left=False)
        >>> found.kind, found.kept().int().tolist()
        ('linear', [[1, 0], [0, 0], [1, 1]])
    """
    if operation.name in _PRODUCTS:
        return _matrix(operation, weights_left)
    return _READERS[operation.name](operation)


def layout(shape: Sequence[int], unit_axes: Sequence[int], values: Tensor) -> Tensor:
    """Spread one value per unit over the shape of a tensor that units made.

    Example:
        >>> layout((2, 3), (1,), torch.tensor([5, 6, 7])).tolist()
        [[5, 6, 7], [5, 6, 7]]
    """
    sizes = [size if axis in unit_axes else 1 for axis, size in enumerate(shape)]
    return values.reshape(sizes).expand(*shape)


def _matrix(operation: Operation, weights_left: bool) -> Product:
    """Lay out a product of matrices, `read @ weight` or `weight @ read`."""
    read, weight = matrices(operation)
    made = operation.made[0]
    if weights_left:
        read, weight = weight.transpose(-1, -2), read.transpose(-1, -2)
    axis = made.ndim - (2 if weights_left and made.ndim > 1 else 1)
    if weight.ndim == 2 or weight.shape[0] == 1 or weight.stride(0) == 0:
        shared = weight if weight.ndim == 2 else weight[0]
        # A vector of weights makes one unit.
        axes = (axis,) if made.ndim > 1 or (weights_left and made.ndim) else ()
        columns = read.movedim(-1, 0)
        return Product("linear", weight, lambda: (shared != 0).t(), (columns,), axes)
    batch, columns, units = weight.shape

    def kept() -> Tensor:
        wide = torch.zeros(batch, units, batch, columns, dtype=torch.bool)
        each = torch.arange(batch)
        wide[each, :, each] = (weight != 0).transpose(1, 2).cpu()
        return wide.view(batch * units, batch * columns)

    reads = (read.transpose(1, 2),)
    return Product("linear", weight, kept, reads, (0, axis), column_axes=2)


def _convolution(operation: Operation) -> Product:
    """Lay out a convolution: units are channels, and a kernel makes one edge."""
    read, weight = operation.values["input"], operation.values["weight"]
    groups, transposed = operation.values["groups"], operation.values["transposed"]

    def kept() -> Tensor:
        # A kernel of no axes is one position.
        found = (weight != 0).flatten(2).any(2).cpu()
        if transposed:  # stored as [column, unit of a group]
            found = (
                found.reshape(groups, -1, found.shape[1]).transpose(1, 2).flatten(0, 1)
            )
        if groups == 1:
            return found
        # Group g makes the g-th share of the units from the g-th share of the columns.
        rows, columns = found.shape
        wide = torch.zeros(groups, rows // groups, groups, columns, dtype=torch.bool)
        each = torch.arange(groups)
        wide[each, :, each] = found.reshape(groups, rows // groups, columns)
        return wide.reshape(rows, groups * columns)

    kind = f"conv{'_transpose' if transposed else ''}{weight.ndim - 2}d"
    return Product(kind, weight, kept, (read.transpose(0, 1),), (1,))


def _embedding(operation: Operation) -> Product:
    """Lay out a table that is read by number: the numbers are one column."""
    indices, weight = operation.values["indices"], operation.values["weight"]

    def kept() -> Tensor:
        return (weight != 0).any(0)[:, None]

    last = operation.made[0].ndim - 1
    return Product("embedding", weight, kept, (indices[None],), (last,))


def _bilinear(operation: Operation) -> Product:
    """Lay out a product with two tensors, each with columns of its own."""
    first, weight, second = (operation.values[f"i{number}"] for number in (1, 2, 3))

    def kept() -> Tensor:
        return torch.cat([(weight != 0).any(2), (weight != 0).any(1)], dim=1)

    reads = first.movedim(-1, 0), second.movedim(-1, 0)
    return Product("bilinear", weight, kept, reads, (operation.made[0].ndim - 1,))


_PRODUCTS = ("addmm", "addmv", "baddbmm", "bmm", "dot", "mm", "mv")
_CONSTANT = ("weight", "bias", "i2", "offsets", "per_sample_weights")
"""What is taken for the weights; where it depends on the inputs there is no layer."""
_TABLES = ("embedding", "_embedding_bag")
_READERS: dict[str, Callable[[Operation], Product]] = {
    **dict.fromkeys(("convolution", "_convolution"), _convolution),
    **dict.fromkeys(_TABLES, _embedding),
    "_trilinear": _bilinear,
}
