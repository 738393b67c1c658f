"""What an operation between two layers does to the units that pass through it.

Operations that move numbers are run once more, on the labels; those that mix numbers
unite the labels of what they mix. An operation without a rule is taken to mix all it
reads, and the report says so.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sculpt_plugin.tracing.labels import TensorLabels, differ, spread_out
from sculpt_plugin.tracing.operation import (
    Operation,
    added_to,
    axes_of,
    matrices,
    tensors_in,
)
from sculpt_plugin.tracing.sets import EMPTY

STATISTICS = "leaves out the statistics that its units share"
"""What is said of a norm or a softmax over units."""
SOFTMAX = ("_log_softmax", "_safe_softmax", "_softmax")


class Passing:
    """Labels what operations make of labelled tensors.

    Args:
        labels: The labels of the run.
        statistics: Whether a normalised unit depends on all the units whose mean,
            variance or sum it was divided by. They tie every unit to every other, so
            the graph leaves them out and only a check of the graph counts them.

    Attributes:
        approximated: What the last operation was taken to do, where this is not
            exactly what it does.
    """

    def __init__(self, labels: TensorLabels, *, statistics: bool = False) -> None:
        self.labels = labels
        self.sets = labels.sets
        self.statistics = statistics
        self.approximated: str | None = None

    def carry(self, operation: Operation) -> None:
        """Label what an operation makes."""
        self.approximated = None
        rule = _RULES.get(operation.name)
        scales = [self._of(operation.values.get(name)) for name in _SCALES]
        if any(labels is not None for labels in scales):
            self.approximated = (
                f"takes {operation.name!r} with weights that depend on the inputs to "
                "mix all it reads"
            )
            found = self._mix_all(operation)
        elif rule is not None:
            found = rule(self, operation)
        elif torch.Tag.pointwise in operation.func.tags:
            found = self._pointwise(operation)
        else:
            self.approximated = f"takes {operation.name!r} to mix all it reads"
            found = self._mix_all(operation)
        for tensor, made in zip(operation.made, found, strict=False):
            if made is not None:
                self.labels.put(tensor, made)

    def unite(self, labels: Tensor, axes: Iterable[int]) -> np.ndarray:
        """Unite labels along some axes, which keep a size of one."""
        found = spread_out(labels)
        axes = sorted(axis % labels.ndim for axis in axes)
        kept = [axis for axis in range(labels.ndim) if axis not in axes]
        moved = found.transpose(*kept, *axes)
        groups = math.prod(moved.shape[: len(kept)])
        each = math.prod(moved.shape[len(kept) :])
        united = self.sets.unite(moved.reshape(groups, each))
        shape = [1 if axis in axes else found.shape[axis] for axis in range(found.ndim)]
        united = united.reshape(shape)
        # Axes along which nothing differs are as long again as they were.
        full = [1 if axis in axes else size for axis, size in enumerate(labels.shape)]
        return np.broadcast_to(united, full)

    def all_of(self, tensors: Iterable[Tensor]) -> np.ndarray:
        """Unite the labels of all elements of all tensors."""
        found = [self._of(x) for x in tensors]
        every = [np.unique(spread_out(x)) for x in found if x is not None]
        return self.sets.unite(np.concatenate(every)[None]).reshape(())

    def _of(self, value: Any) -> Tensor | None:
        return self.labels.of(value) if isinstance(value, Tensor) else None

    def _pointwise(self, operation: Operation) -> list[Any]:
        """Change each number by itself, or with those at its place."""
        found = [self._of(x) for x in operation.operands]
        joined = self._joined([x for x in found if x is not None])
        made: list[Any] = [joined] * len(operation.made)
        if operation.name in ("mul", "multiply"):
            for factor in (operation.values["self"], operation.values["other"]):
                if self._of(factor) is None:
                    made = [self._where_zero(factor, joined, operation.made[0].shape)]
        return made

    def _where_zero(self, factor: Any, labels: Any, shape: Sequence[int]) -> Any:
        """Empty what a constant zero is multiplied with."""
        if not isinstance(factor, Tensor):
            factor = torch.tensor(factor)
        zero = factor == 0
        if self.labels.is_random(factor) or not bool(zero.any()):
            return labels
        return torch.where(zero.cpu(), EMPTY, _tensor(labels)).expand(shape)

    def _joined(self, found: Sequence[Tensor]) -> Tensor | np.ndarray:
        """Unite the labels of several tensors place by place."""
        if len(found) == 1:
            return found[0]
        joined = spread_out(found[0])
        for labels in found[1:]:
            joined = self.sets.join(joined, spread_out(labels))
        shape = torch.broadcast_shapes(*(labels.shape for labels in found))
        return np.broadcast_to(joined, shape)

    def _where(self, operation: Operation) -> list[Any]:
        """Choose by a condition; a constant one chooses the labels too."""
        condition = operation.values["condition"]
        if "self" not in operation.values or not self._is_fixed(condition):
            return self._pointwise(operation)
        yes, no = (self._of(operation.values[name]) for name in ("self", "other"))
        return [
            torch.where(
                condition.cpu(), *(EMPTY if x is None else x for x in (yes, no))
            )
        ]

    def _masked_fill(self, operation: Operation) -> list[Any]:
        """Overwrite by a mask."""
        mask, value = operation.values["mask"], self._of(operation.values["value"])
        if not self._is_fixed(mask):
            return self._pointwise(operation)
        old = self._of(operation.values["self"])
        new = EMPTY if value is None else value
        return [torch.where(mask.cpu(), new, EMPTY if old is None else old)]

    def _overwrite(self, operation: Operation) -> list[Any]:
        """Overwrite with another tensor, or with one number."""
        new = self._of(operation.values.get("src", operation.values.get("value")))
        return [torch.tensor(EMPTY) if new is None else new]

    def _constant(self, operation: Operation) -> list[Any]:
        """Read nothing but a shape."""
        written = operation.func._schema.is_mutable
        return [torch.tensor(EMPTY) if written else None for _ in operation.made]

    def _draw(self, operation: Operation) -> list[Any]:
        """Draw numbers: by the numbers that are read, or in their place."""
        written, by = operation.func._schema.is_mutable, operation.values.get("p")
        if written and not isinstance(by, Tensor):
            return self._constant(operation)
        return self._pointwise(operation)

    def _is_fixed(self, tensor: Tensor) -> bool:
        """Tell whether a tensor is a constant, the same in every run."""
        return self._of(tensor) is None and not self.labels.is_random(tensor)

    def _move(self, operation: Operation) -> list[Any]:
        """Move numbers about: do the same to their labels."""
        if operation.values.get("accumulate") or "reduce" in operation.values:
            self.approximated = f"takes {operation.name!r} to mix all it reads"
            return self._mix_all(operation)
        given = {}
        for name, value in operation.values.items():
            if name in ("index", "indices", "mask", "repeats"):
                if not all(map(self._is_fixed, tensors_in(value))):
                    self.approximated = (
                        f"takes {operation.name!r} at places that depend on the inputs "
                        "to mix all it reads"
                    )
                    return self._mix_all(operation)
                given[name] = value
            elif name == "value" and not isinstance(value, Tensor):
                given[name] = EMPTY
            elif isinstance(value, list | tuple):
                given[name] = [self._as_numbers(x) for x in value]
            else:
                given[name] = self._as_numbers(value)
        positional = [
            a.name for a in operation.func._schema.arguments if not a.kwarg_only
        ]
        args = [given.pop(name) for name in positional if name in given]
        result = operation.func(*args, **given)
        found = result if isinstance(result, list | tuple) else [result]
        return [labels.to(torch.int32) for labels in found]

    def _as_numbers(self, value: Any) -> Any:
        """Give a tensor's labels as numbers that every operator takes."""
        if not isinstance(value, Tensor):
            return value
        labels = self._of(value)
        if labels is None:
            return torch.full(value.shape, EMPTY, dtype=torch.float64)
        return labels.double()

    def _reduce(self, operation: Operation) -> list[Any]:
        """Summarise numbers along some axes."""
        if "other" in operation.values:
            return self._pointwise(operation)
        labels = self._of(operation.values.get("self", operation.values.get("input")))
        assert labels is not None
        axes = axes_of(operation, labels.ndim)
        united = self.unite(labels, axes)
        dropped = [n for axis, n in enumerate(united.shape) if axis not in axes]
        return [
            united if made.ndim == labels.ndim else united.reshape(dropped)
            for made in operation.made
        ]

    def _along(self, operation: Operation) -> list[Any]:
        """Mix numbers along an axis that stays: a running sum, a sort."""
        self.approximated = f"takes {operation.name!r} to mix all along its axis"
        labels = self._of(operation.values["self"])
        assert labels is not None
        return [self.unite(labels, axes_of(operation, labels.ndim))] * len(
            operation.made
        )

    def _softmax(self, operation: Operation) -> list[Any]:
        """Divide by a sum along an axis."""
        labels = self._of(operation.values["self"])
        assert labels is not None
        return [self._normalised(labels, labels, axes_of(operation, labels.ndim))]

    def _layer_norm(self, operation: Operation) -> list[Any]:
        """Divide by what the last axes have in common."""
        labels = self._of(operation.values["input"])
        assert labels is not None
        last = range(-len(operation.values["normalized_shape"]), 0)
        found = self._normalised(labels, labels, last)
        weight = operation.values.get("weight")
        return [
            found if weight is None else self._where_zero(weight, found, labels.shape)
        ]

    def _group_norm(self, operation: Operation) -> list[Any]:
        """Divide by what the units of a group have in common."""
        labels = self._of(operation.values["input"])
        assert labels is not None
        groups, weight = operation.values["group"], operation.values.get("weight")
        grouped = labels.reshape(labels.shape[0], groups, -1)
        found = _tensor(self._normalised(grouped, grouped, [2]))
        found = found.reshape(labels.shape)
        if weight is not None:
            weight = weight.reshape(-1, *[1] * (labels.ndim - 2))
            found = self._where_zero(weight, found, labels.shape)
        return [found]

    def _normalised(self, labels: Tensor, own: Any, axes: Iterable[int]) -> Any:
        """Add the units behind a statistic, where these count."""
        axes = list(axes)
        if self.statistics:
            both = self.sets.join(spread_out(own), self.unite(labels, axes))
            return np.broadcast_to(both, labels.shape)
        spread = differ(labels, axes)
        if spread:
            self.approximated = STATISTICS
        return own

    def _batch_norm(self, operation: Operation) -> list[Any]:
        """Scale each unit; one that is scaled by zero passes nothing on."""
        labels = self._of(operation.values["input"])
        assert labels is not None
        weight, found = operation.values.get("weight"), labels
        if operation.values.get("training"):  # an instance norm's mean over positions
            found = _tensor(self._within(labels, labels.ndim - 2))
        if weight is not None:
            weight = weight.reshape(-1, *[1] * (labels.ndim - 2))
            found = self._where_zero(weight, found, labels.shape)
        return [found]

    def _pool(self, operation: Operation) -> list[Any]:
        """Mix neighbouring positions of each unit."""
        labels = self._of(operation.values.get("self", operation.values.get("input")))
        assert labels is not None
        spatial = int(re.findall(r"(\d)d", operation.name)[0])
        if differ(labels, range(labels.ndim - spatial, labels.ndim)):
            self.approximated = "takes a window for all positions of its unit"
        return [self._within(labels, spatial)] * len(operation.made)

    def _within(self, labels: Tensor, spatial: int) -> np.ndarray:
        """Unite the labels of all positions of each unit."""
        return self.unite(labels, range(labels.ndim - spatial, labels.ndim))

    def _glu(self, operation: Operation) -> list[Any]:
        """Gate one half of the units with the other."""
        labels = self._of(operation.values["self"])
        assert labels is not None
        return [self._joined(labels.chunk(2, operation.values.get("dim", -1)))]

    def _contract(self, operation: Operation) -> list[Any]:
        """Multiply matrices of which the second holds no weights."""
        left, right = matrices(operation)
        below, above = self._of(left), self._of(right)
        if above is None:
            assert below is not None
            above = torch.full(right.shape, EMPTY, dtype=torch.int32)
        if below is None:
            found = self._picked((left != 0).cpu(), above)
        else:
            rows, columns = self.unite(below, [-1]), self.unite(above, [-2])
            found = self.sets.join(
                spread_out(_tensor(rows)), spread_out(_tensor(columns))
            )
            found = np.broadcast_to(found, (*below.shape[:-1], above.shape[-1]))
        made = _tensor(found).reshape(operation.made[0].shape)
        added = self._of(operation.values["self"]) if added_to(operation) else None
        return [made if added is None else self._joined([made, added])]

    def _picked(self, mask: Tensor, labels: Tensor) -> Tensor:
        """Sum those rows of labels that each row of a constant matrix picks."""
        if not differ(labels, [-2]):
            own = torch.where(mask.any(-1, keepdim=True), labels[..., :1, :], EMPTY)
            return own.expand(*mask.shape[:-1], labels.shape[-1])
        masks, which = mask.reshape(-1, mask.shape[-1]).unique(
            dim=0, return_inverse=True
        )
        which = which.reshape(*mask.shape[:-1], 1)
        found = torch.full(
            (*mask.shape[:-1], labels.shape[-1]), EMPTY, dtype=torch.int32
        )
        for number, picked in enumerate(masks):
            united = self.unite(labels[..., picked, :], [-2])
            found = torch.where(which == number, _tensor(united), found)
        return found

    def _mix_all(self, operation: Operation) -> list[Any]:
        """Let everything depend on everything."""
        found = [self._of(x) for x in operation.operands]
        if all(x is None for x in found):
            return [None for _ in operation.made]
        return [self.all_of(operation.operands)] * len(operation.made)


_SCALES = ("weight", "bias", "running_mean", "running_var")


def _tensor(labels: Tensor | np.ndarray) -> Tensor:
    """Give labels as a tensor."""
    if isinstance(labels, Tensor):
        return labels
    return torch.from_numpy(np.array(labels, dtype=np.int32))


_Rule = Callable[[Passing, Operation], list[Any]]

_NAMES: dict[_Rule, str] = {
    Passing._pointwise: "_prelu_kernel _to_copy complex floor_divide hardswish "
    "log_sigmoid_forward native_dropout polar rrelu_with_noise rsub",
    Passing._where: "where",
    Passing._masked_fill: "masked_fill",
    Passing._overwrite: "copy fill zero",
    Passing._draw: "bernoulli",
    Passing._constant: "empty_like full_like new_empty new_empty_strided "
    "new_full new_ones new_zeros ones_like rand_like randint_like randn_like "
    "cauchy exponential geometric log_normal normal random uniform zeros_like",
    Passing._move: "cat channel_shuffle constant_pad_nd diag_embed flip gather im2col "
    "index index_put index_select masked_scatter pixel_shuffle pixel_unshuffle "
    "reflection_pad1d reflection_pad2d reflection_pad3d repeat repeat_interleave "
    "replication_pad1d replication_pad2d replication_pad3d roll rot90 scatter "
    "select_scatter slice_scatter stack take tril triu "
    "upsample_nearest1d upsample_nearest2d upsample_nearest3d "
    "_upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d",
    Passing._reduce: "all amax amin any argmax argmin count_nonzero linalg_vector_norm "
    "logsumexp max mean median min nanmedian nansum norm prod std std_mean sum var "
    "var_mean",
    Passing._along: "cummax cummin cumprod cumsum logcumsumexp sort topk",
    Passing._softmax: " ".join(SOFTMAX),
    Passing._layer_norm: "native_layer_norm _fused_rms_norm",
    Passing._group_norm: "native_group_norm",
    Passing._batch_norm: "native_batch_norm cudnn_batch_norm miopen_batch_norm "
    "_native_batch_norm_legit _native_batch_norm_legit_no_training",
    Passing._pool: "_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d "
    "adaptive_max_pool3d avg_pool2d avg_pool3d max_pool2d_with_indices "
    "max_pool3d_with_indices mkldnn_max_pool2d mkldnn_max_pool3d "
    "_upsample_bicubic2d_aa _upsample_bilinear2d_aa upsample_bicubic2d "
    "upsample_bilinear2d upsample_linear1d upsample_trilinear3d",
    Passing._glu: "glu",
    Passing._contract: "addmm addmv baddbmm bmm dot mm mv",
}
_RULES: dict[str, _Rule] = {
    name: rule for rule, names in _NAMES.items() for name in names.split()
}
