"""One operation of a run: what it was called with and what it made."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Operation:
    """A call of one of torch's own operators.

    Attributes:
        func: The operator.
        values: The arguments by their names.
        made: The tensors that it made or wrote into.
    """

    func: Any
    values: Mapping[str, Any]
    made: tuple[Tensor, ...]

    @classmethod
    def of(
        cls, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any
    ) -> "Operation":
        """Name the arguments of a call.

        Example:
            >>> import torch
            >>> x, add = torch.ones(1), torch.ops.aten.add.Tensor
            >>> called = Operation.of(add, (x, x), {}, x + x)
            >>> called.name, list(called.values)
            ('add', ['self', 'other'])
        """
        names = [argument.name for argument in func._schema.arguments]
        values = {**dict(zip(names, args, strict=False)), **kwargs}
        written = [
            values[argument.name]
            for argument in func._schema.arguments
            if argument.alias_info is not None
            and argument.alias_info.is_write
            and argument.name in values
        ]
        made = {id(x): x for x in (*tensors_in(written), *tensors_in(result))}
        return cls(func, values, tuple(made.values()))

    @property
    def name(self) -> str:
        """The operator's name, without what tells its in-place form."""
        return self.func.overloadpacket.__name__.removesuffix("_")

    @property
    def operands(self) -> list[Tensor]:
        """The tensors among the arguments that it reads, in order."""
        only_written = {
            argument.name
            for argument in self.func._schema.arguments
            if argument.kwarg_only
            and argument.alias_info is not None
            and argument.alias_info.is_write
        }
        read = [x for name, x in self.values.items() if name not in only_written]
        return list(tensors_in(read))


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Find the tensors in nested sequences, dicts and dataclasses.

    Example:
        >>> import torch
        >>> [x.item() for x in tensors_in({"a": [torch.tensor(1)], "b": 2})]
        [1]
    """
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_in(part)
    elif isinstance(value, Mapping):
        yield from tensors_in(list(value.values()))
    elif is_dataclass(value) and not isinstance(value, type):
        yield from tensors_in([getattr(value, item.name) for item in fields(value)])


def matrices(operation: Operation) -> tuple[Tensor, Tensor]:
    """Give the two factors of a product of matrices, each with rows and columns."""
    values = operation.values
    left = values.get("mat1", values.get("batch1", values.get("mat", values["self"])))
    for name in ("mat2", "batch2"):
        if name in values:
            return left, values[name]
    right = values["vec"] if "vec" in values else values["tensor"]
    return (left if left.ndim > 1 else left[None]), right[:, None]


def added_to(operation: Operation) -> bool:
    """Tell whether a product of matrices is added to something.

    Example:
        >>> import torch
        >>> x = torch.ones(1, 1)
        >>> product = torch.ops.aten.addmm.default
        >>> added_to(Operation.of(product, (x, x, x), {}, torch.addmm(x, x, x)))
        True
    """
    return operation.name in ("addmm", "addmv", "baddbmm")


def axes_of(operation: Operation, dimensions: int) -> list[int]:
    """Read along which axes an operation goes; all where it names none.

    Example:
        >>> import torch
        >>> x = torch.ones(2, 3)
        >>> total = torch.ops.aten.sum.dim_IntList
        >>> axes_of(Operation.of(total, (x, [-1]), {}, x.sum(-1)), 2)
        [1]
    """
    axes = operation.values.get("dim")
    if axes is None and "dim" not in operation.values:
        named = {a.name: a for a in operation.func._schema.arguments}
        if "dim" in named and named["dim"].has_default_value():
            axes = named["dim"].default_value
    if axes is None or axes == []:
        return list(range(dimensions))
    axes = [axes] if isinstance(axes, int) else axes
    return sorted({axis % max(dimensions, 1) for axis in axes})
