"""One run of a model with labels beside its numbers: which layer reads which units."""

import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.overrides import TorchFunctionMode

from sculpt_plugin.errors import ModelError, SculptError, one_line
from sculpt_plugin.inputs import Inputs
from sculpt_plugin.tracing import recurrent
from sculpt_plugin.tracing.input_units import Axis, InputUnits, ReadDifferentlyError
from sculpt_plugin.tracing.labels import (
    NotLabelledError,
    TensorLabels,
    differ,
    storage_key,
)
from sculpt_plugin.tracing.naming import Names
from sculpt_plugin.tracing.operation import Operation, added_to, tensors_in
from sculpt_plugin.tracing.passing import SOFTMAX, STATISTICS, Passing
from sculpt_plugin.tracing.sets import EMPTY, UnitSets
from sculpt_plugin.tracing.walking import Walk, copied
from sculpt_plugin.tracing.weights import layout, product, reads_weights


@dataclass(frozen=True, eq=False)
class WiredLayer:
    """A layer of units, what is left of its weights, and what its columns carry.

    Attributes:
        name: Dotted path of the layer in the model.
        kind: `linear`, `conv2d`, `embedding`, `lstm`, ...
        first: The number of its first unit.
        kept: Whether unit `i` has a weight other than zero on column `j`, at any
            position of its kernel.
        columns: The label of the units that each column carries.
        moment: When it ran.
        seen: How many of its columns, from the first, can be seen from outside.
        weights_left: Whether its weights are the left factor of a product.
    """

    name: str
    kind: str
    first: int
    kept: Bool[np.ndarray, "unit column"]
    columns: Int[np.ndarray, " column"]
    moment: int
    seen: int
    weights_left: bool = False


class Follower(Walk):
    """Follows the units of a model through one run.

    Args:
        model: The model.
        statistics: As for `Passing`.

    Attributes:
        labels: The labels of all tensors.
        inputs: The units of each input.
        layers: The layers in the order in which they ran.
        junctions: The name of each junction.
        approximated: What is not followed exactly, by the path of the module.
        missed: What is not followed at all, by the path of the module.
        used: The parameters that were computed with, by `id`.
    """

    def __init__(self, model: nn.Module, *, statistics: bool = False) -> None:
        super().__init__()
        self.labels = TensorLabels(UnitSets())
        self.inputs: list[InputUnits] = []
        self.layers: list[WiredLayer] = []
        self.junctions: list[str] = []
        self.approximated: dict[str, list[str]] = {}
        self.missed: dict[str, list[str]] = {}
        self.used: set[int] = set()
        self._softmaxes: list[tuple[weakref.ref[Tensor], str]] = []
        self._read_storages: set[int | None] = set()
        self._passing = Passing(self.labels, statistics=statistics)
        self._names = Names(model)
        self.labels.mark_weights(model.parameters())

    def unite(self, labels: Tensor, axes: Iterable[int]) -> np.ndarray:
        """Unite labels along some axes, which keep a size of one."""
        united = self._passing.unite(labels, axes)
        self._check_junctions()
        return united

    def miss(self, reason: str) -> None:
        """Note that something was not followed in the module that runs."""
        _note(self.missed, self.path, reason)

    def see(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        """Label what an operation made."""
        operation = Operation.of(func, args, kwargs, result)
        try:
            self._see(operation)
        except NotLabelledError as reason:
            self.miss(str(reason))
            self._mix(operation)

    def _mix(self, operation: Operation) -> None:
        """Let what cannot be labelled in detail depend on all that can be read."""
        with_labels = [x for x in operation.operands if self.labels.has(x)]
        if with_labels:
            mixed = self._passing.all_of(with_labels)
            for made in operation.made:
                if storage_key(made) is not None:
                    self.labels.put(made, mixed)
        self._check_junctions()

    def _see(self, operation: Operation) -> None:
        operands = operation.operands
        self.used |= {id(x) for x in operands}
        drawn = torch.Tag.nondeterministic_seeded in operation.func.tags
        if drawn or any(self.labels.is_random(x) for x in operands):
            self.labels.mark_random(operation.made)
        if not any(self.labels.has(x) for x in operands):
            if any(self.labels.is_weight(x) for x in operands):
                self.labels.mark_weights(operation.made)
            return
        if not operation.made:
            self.miss(f"decides by the values that it computes ({operation.name!r})")
            return
        if self._is_view(operation):
            return
        self._read_storages |= {storage_key(x) for x in operands}
        for x in operands:
            if self.labels.is_weight(x):
                self._names.check(x, self.path)
        weights_left = reads_weights(operation, self.labels)
        if weights_left is None:
            self._carry(operation)
        else:
            self._multiply(operation, weights_left)
        self._check_junctions()

    def _is_view(self, operation: Operation) -> bool:
        """Tell whether an operation makes nothing but views of what it reads."""
        if torch.Tag.inplace_view in operation.func.tags:
            return True
        return not operation.func._schema.is_mutable and all(
            any(self.labels.share_storage(made, x) for x in operation.operands)
            for made in operation.made
        )

    def _carry(self, operation: Operation) -> None:
        """Pass units through an operation without weights."""
        self._passing.carry(operation)
        if self._passing.approximated is not None:
            _note(self.approximated, self.path, self._passing.approximated)
            if operation.name in SOFTMAX:
                self._softmaxes.append((weakref.ref(operation.made[0]), self.path))

    def allow_softmax(self, output: Tensor) -> None:
        """Take back the note on a softmax that makes an output: no unit reads it."""
        for made, path in self._softmaxes:
            if (
                made() is output
                and storage_key(output) not in self._read_storages
                and [p for _, p in self._softmaxes].count(path) == 1
            ):
                self.approximated[path].remove(STATISTICS)
                if not self.approximated[path]:
                    del self.approximated[path]

    def _multiply(self, operation: Operation, weights_left: bool) -> None:
        """Make the units of a product with weights."""
        found = product(operation, weights_left=weights_left)
        by_number = found.kind == "embedding"
        if found.kind.startswith("conv"):
            read = self.labels.of(found.reads[0])
            if read is not None and differ(read, range(2, read.ndim)):
                reason = "takes a kernel for all positions of its channel"
                _note(self.approximated, self.path, reason)
        columns = [
            self._read(tensor, found.column_axes, by_number=by_number)
            for tensor in found.reads
        ]
        units = self._add(
            self._names.of(found.weight, self.path),
            found.kind,
            found.kept().cpu().numpy(),
            np.concatenate(columns),
            weights_left=weights_left,
        )
        made = operation.made[0]
        labels: Any = layout(made.shape, found.unit_axes, torch.from_numpy(units))
        if added_to(operation):
            added = self.labels.of(operation.values["self"])
            if added is not None:
                labels = self.labels.sets.join(labels.numpy(), added.numpy())
        self.labels.put(made, labels)

    def _read(
        self, columns: Tensor, column_axes: int = 1, *, by_number: bool = False
    ) -> np.ndarray:
        """Give the labels of what a layer reads, laid out [column, position, ...]."""
        size = int(np.prod(columns.shape[:column_axes], dtype=np.int64))
        found = self.labels.of(columns)
        if found is None:
            return np.full(size, EMPTY, dtype=np.int32)
        labels = self._passing.unite(found, range(column_axes, found.ndim)).reshape(-1)
        for inputs in self.inputs:
            inputs.check_columns(
                labels,
                found.flatten(0, column_axes - 1).flatten(1).numpy(),
                self.labels.sets,
                by_number=by_number,
            )
        return labels

    def _add(
        self,
        name: str,
        kind: str,
        kept: np.ndarray,
        columns: np.ndarray,
        *,
        seen: int | None = None,
        weights_left: bool = False,
    ) -> np.ndarray:
        """Number the units of a layer; give their labels."""
        self._check_junctions()
        seen = len(columns) if seen is None else seen
        first = self.labels.sets.unit_count
        self.layers.append(
            WiredLayer(
                name, kind, first, kept, columns, self.moment, seen, weights_left
            )
        )
        return self.labels.sets.new_units(len(kept))

    def _check_junctions(self) -> None:
        """Name new junctions."""
        for junction in self.labels.sets.junctions[len(self.junctions) :]:
            for inputs in self.inputs:
                inputs.check_junction(junction)
            self.junctions.append(self._names.again(f"{self.path or 'model'} sum"))

    def begin(self, module: nn.Module, read: Sequence[Tensor]) -> None:
        """Refuse a single image, whose channels would be taken for a batch."""
        if isinstance(module, _ConvNd) and read[0].ndim == len(module.kernel_size) + 1:
            raise ModelError(
                f"Layer {self.path or 'model'!r} ({type(module).__name__}) must get a "
                f"batch, with {len(module.kernel_size) + 2} axes, and gets a tensor of "
                f"shape {list(read[0].shape)}: for one sample, pass "
                "example_inputs[None]."
            )

    def see_block(self, module: nn.Module, read: Sequence[Tensor], made: Any) -> None:
        """Label what a block made."""
        self.used |= {id(x) for x in module.parameters()}
        if all(self.labels.of(x) is None for x in read):
            self.labels.mark_weights(tensors_in(made))
        elif isinstance(module, nn.RMSNorm):
            # Its weight and statistics are those of a layer norm without a mean.
            norm = torch.ops.aten.native_layer_norm.default
            shape = list(module.normalized_shape)
            self._carry(
                Operation.of(norm, (read[0], shape, module.weight), {}, (made,))
            )
        else:
            _note(self.approximated, self.path, "folds the steps of time together")
            self._recur(module, read, made)
        self._check_junctions()

    def _recur(self, module: Any, read: Sequence[Tensor], made: Any) -> None:
        """Label what a recurrent layer makes."""
        data, *rest = read
        states = [x for x in rest if x.is_floating_point()]
        columns = self._read(data.movedim(-1, 0))
        kind = next(k for t, k in recurrent.KINDS.items() if isinstance(module, t))
        name = self._names.again(self.path or "model")
        ways = list(recurrent.directions(module))
        each = 2 if module.bidirectional else 1
        found: list[np.ndarray] = []
        for number, way in enumerate(ways):
            if number and number % each == 0:
                columns = np.concatenate(found[-each:])
            before = self._state(states, number, way.kept.shape[1] - len(columns))
            own = f"{name}.{way.name}" if len(ways) > 1 else name
            seen = len(columns) if number < each else 0
            read_by = np.concatenate([columns, before])
            found.append(self._add(own, kind, way.kept, read_by, seen=seen))
        output, last = made
        data = output if isinstance(output, Tensor) else output.data
        self.labels.put(data, np.concatenate(found[-each:]))
        for state in tensors_in(last):
            labels = np.stack(found)
            if state.shape[-1] != labels.shape[1]:  # cells behind a projection
                labels = self.labels.sets.unite(labels)[:, None]
            self.labels.put(state, labels[:, None] if state.ndim == 3 else labels)

    def _state(self, states: Sequence[Tensor], number: int, size: int) -> np.ndarray:
        """Give the labels of the state that a recurrent layer starts from."""
        columns = np.full(size, EMPTY, dtype=np.int32)
        for state in states:
            own = self._read(state[number].movedim(-1, 0))
            same = own if len(own) == size else self.labels.sets.unite(own[None])
            columns = self.labels.sets.join(columns, same)
        return columns


class _Leaks(TorchFunctionMode):
    """Notes where a model hands its numbers to something that is not torch."""

    def __init__(self, follower: Follower) -> None:
        super().__init__()
        self.follower = follower

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name in _LEAKS and any(map(self.follower.labels.has, tensors_in(args))):
            self.follower.miss(f"takes numbers out of torch ({name!r})")
        return func(*args, **(kwargs or {}))


_LEAKS = (
    *("numpy", "tolist", "__array__", "__dlpack__", "data_ptr"),
    *("apply_", "map_", "map2_", "__deepcopy__"),
)


def follow(
    model: nn.Module, inputs: Inputs, axes: Sequence[Axis], *, statistics: bool = False
) -> tuple[Follower, Any]:
    """Run a model once, and follow the units of its inputs.

    Args:
        model: The model; `undisturbed` is the caller's task.
        inputs: A batch of inputs.
        axes: How each tensor among the inputs is read.
        statistics: As for `Passing`.

    Returns:
        What was found, and what the model gave.

    Raises:
        ReadDifferentlyError: An input is not read as `axes` says.
        ModelError: The model cannot run on the inputs.
    """
    follower = Follower(model, statistics=statistics)
    given = copied(inputs)
    for number, (tensor, axis) in enumerate(zip(tensors_in(given), axes, strict=True)):
        follower.inputs.append(InputUnits(tensor, axis, number, follower.labels))
    try:
        with _Leaks(follower):
            return follower, follower.run(model, given)
    except (ReadDifferentlyError, SculptError):
        raise
    except Exception as error:
        # TorchScript hands on what was raised as a text.
        for differs in filter(None, (each.differs for each in follower.inputs)):
            raise differs from None
        shapes = [list(x.shape) for x in tensors_in(inputs)]
        raise ModelError(_explained(follower, error, shapes)) from error


def _explained(follower: Follower, error: Exception, shapes: list[list[int]]) -> str:
    """Say in one line why a model's own forward fails."""
    given = " and ".join(map(str, shapes))
    advice = (
        f"example_inputs has shape {given}: pass a batch of the shape and type that "
        "the model was made for"
    )
    if follower.failed is not None and follower.failed[2]:
        path, module, (read, *_) = follower.failed
        width = getattr(module, "in_features", getattr(module, "in_channels", None))
        axis = -1 if hasattr(module, "in_features") else 1
        if isinstance(width, int) and read.ndim > 1 and read.shape[axis] != width:
            what = "features" if axis == -1 else "channels"
            return (
                f"Layer {path or 'model'!r} ({type(module).__name__}) takes {width} "
                f"{what}, and gets a tensor of shape {list(read.shape)}; {advice}."
            )
    return (
        f"The model must run on example_inputs, and fails: {one_line(error)}; {advice}."
    )


def _note(notes: dict[str, list[str]], path: str, reason: str) -> None:
    found = notes.setdefault(path, [])
    if reason not in found:
        found.append(reason)
