"""The user's samples and loss, refused where they cannot be used."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from sculpt_plugin.errors import DataError, one_line
from sculpt_plugin.inputs import Inputs, call, flat_tensors, tensors
from sculpt_plugin.pruning.parts import part_of

Batches = Iterable[Any]
"""Yields `(inputs, targets)`, as a DataLoader does; it must start afresh each time."""

Loss = Callable[[Any, Any], Tensor]
"""`loss(outputs, targets)`, the mean (or the sum) over the samples of the batch."""

Reduction = Literal["mean", "sum"]
"""What a loss makes of the losses of a batch's samples."""


def checked_pair(pair: Any) -> tuple[Inputs, Any]:
    """Refuse a batch that is no pair or has no samples."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        several = isinstance(pair, tuple | list) and len(pair) > 2
        found = f" of {len(pair)}: for several inputs, ((a, b), targets)" * several
        raise DataError(
            "batches must yield (inputs, targets) pairs, got "
            f"{type(pair).__name__}{found}."
        )
    found = tensors(pair[0])
    if not found or len(found[0]) == 0:
        raise DataError("A batch must hold at least one sample, got an empty one.")
    return pair[0], pair[1]


def read(batches: Batches) -> Iterator[Any]:
    """Iterate over the user's batches, and say in one line where that fails."""
    try:
        yield from batches
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            "batches must be an iterable of (inputs, targets) pairs, and reading it "
            f"failed: {one_line(error)}. Pass a list or a DataLoader."
        ) from error


def sample_count(inputs: Inputs, targets: Any) -> int:
    """Count a batch's samples: its targets', or else its inputs'."""
    if isinstance(targets, Tensor) and targets.ndim > 0:
        return len(targets)
    return len(tensors(inputs)[0])


def check_any(count: int) -> None:
    """Refuse batches that held nothing, or nothing any more."""
    if not count:
        raise DataError(
            "batches must yield at least one (inputs, targets) pair, got none: pass a "
            "list or a DataLoader, which can be read more than once."
        )


def outputs_of(model: nn.Module, inputs: Inputs) -> Any:
    """Run the model on a batch, and say in one line where that fails."""
    try:
        return call(model, inputs)
    except Exception as error:
        raise DataError(
            f"The model cannot run on a batch: {one_line(error)}. Let batches "
            "yield inputs as the model's forward takes them."
        ) from error


def check_batch_axis(entered: dict[str, list[Tensor]], count: int) -> None:
    """Refuse a layer whose tensors cannot have the samples along their first axis."""
    for name, calls in entered.items():
        for x in calls:
            if len(x) % count:
                raise DataError(
                    f"Layer {name!r} must get the {count} samples along its first "
                    f"axis, and gets shape {list(x.shape)}: put the batch axis first, "
                    "in the model and in batches."
                )


def loss_of(loss: Loss, outputs: Any, targets: Any) -> Tensor:
    """Call the user's loss; refuse what is no finite number with a gradient."""
    if isinstance(loss, type):
        raise DataError(
            f"loss must be called with outputs and targets, got the class "
            f"{loss.__name__}: pass {loss.__name__}()."
        )
    try:
        value = loss(outputs, targets)
    except Exception as error:
        raise DataError(
            f"loss(outputs, targets) raised {type(error).__name__}: {one_line(error)}. "
            "Do the batches hold the targets that it takes?"
        ) from error
    if not isinstance(value, Tensor) or value.numel() != 1:
        found = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise DataError(
            f"loss must give a tensor with one number, the mean over the batch, got "
            f"{found}."
        )
    if not torch.isfinite(value).all():
        raise DataError(
            f"loss must be finite, got {value.item()}: the model has diverged, or the "
            "batches hold NaN."
        )
    if torch.is_grad_enabled() and not value.requires_grad:
        raise DataError(
            "loss must depend on the model's outputs, but it has no gradient: does it "
            "detach them?"
        )
    return value


def reduction(
    loss: Loss,
    outputs: Any,
    targets: Any,
    count: int,
    *,
    known: Reduction | None = None,
) -> Reduction | None:
    """Tell whether a loss averages or adds its samples', and refuse one that does not.

    A few samples of the first batch that can tell are taken singly, and every batch in
    two parts: class weights show only where a rare class turns up.

    Args:
        loss: The user's loss.
        outputs: What the model gave for a batch.
        targets: The batch's targets.
        count: How many samples it has.
        known: What earlier batches told.

    Returns:
        What is known now: of one sample the mean is the sum, and so it is where all
        losses are zero.

    Raises:
        DataError: It is neither.
    """
    if count == 1:
        return known

    def value(samples: slice | Tensor) -> float:
        try:
            of_samples = (part_of(x, samples, count) for x in (outputs, targets))
            return float(loss(*of_samples))
        except Exception as error:
            raise DataError(
                "loss(outputs, targets) must take some samples of a batch as it takes "
                f"all {count}, but raised {type(error).__name__}: {one_line(error)}. "
                "Let outputs and targets be tensors with the samples along the first "
                "axis, or tuples, lists, dicts or dataclasses of such tensors."
            ) from error

    among: Sequence[Reduction] = ("mean", "sum") if known is None else (known,)
    with torch.no_grad():
        whole = loss_of(loss, outputs, targets)
        rounding = torch.finfo(whole.dtype).eps if whole.is_floating_point() else 0
        slack = max(1e-3, 16 * rounding)
        if known is None:
            few = min(count, 8)
            singly = [(1, value(slice(n, n + 1))) for n in range(few)]
            among = _fitting(among, value(slice(0, few)), singly, slack)
        halves = [(size, value(half)) for size, half in _halves(targets, count)]
        among = _fitting(among, float(whole), halves, slack)
    return among[0] if len(among) == 1 else None


def _halves(targets: Any, count: int) -> Iterator[tuple[int, slice | Tensor]]:
    """Part a batch in two, between two classes if it has classes; give sizes too."""
    order, middle = torch.arange(count), count // 2
    for x in flat_tensors(targets):
        has_classes = not x.is_floating_point() and not x.is_complex() and x.numel()
        if has_classes and x.ndim > 0 and len(x) == count:
            # Of a picture or a sequence of classes the mean does as well.
            classes = x.cpu().reshape(count, -1).double().mean(1)
            ranks = classes.argsort(stable=True)
            ends = classes[ranks].diff().nonzero().flatten() + 1
            if len(ends):
                order, middle = ranks, int(ends[(ends - count / 2).abs().argmin()])
                break
    yield middle, order[:middle]
    yield count - middle, order[middle:]


def _fitting(
    among: Sequence[Reduction],
    together: float,
    parts: Sequence[tuple[int, float]],
    slack: float,
) -> Sequence[Reduction]:
    """Say which reductions make the loss of samples of the losses of their parts."""
    count = sum(size for size, _ in parts)
    mean = sum(size * value for size, value in parts) / count
    total = sum(value for _, value in parts)
    tolerance = slack * (1e-6 + max(abs(value) for _, value in parts))
    fits: dict[Reduction, bool] = {
        "mean": abs(together - mean) <= tolerance,
        "sum": abs(together - total) <= tolerance * len(parts),
    }
    found: list[Reduction] = [kind for kind in among if fits[kind]]
    if not found:
        raise DataError(
            f"loss must be the {' or the '.join(among)} of its samples' losses, but "
            f"{count} samples have {together:.6g} together and, taken in {len(parts)} "
            f"parts, {mean:.6g} in the mean and {total:.6g} in sum: leave out class "
            "weights and ignore_index, or pass a loss with reduction='sum'."
        )
    return found


def samples_per_loss(known: Reduction | None, count: int) -> int:
    """Give what makes the gradients of a batch's loss those of its samples' own."""
    return 1 if known == "sum" else count
