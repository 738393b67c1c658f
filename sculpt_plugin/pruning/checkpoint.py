"""A search on disk: killed at any moment, it goes on as if it had never been."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from sculpt_plugin import store
from sculpt_plugin.claim import claimed
from sculpt_plugin.errors import CheckpointError
from sculpt_plugin.pruning.masks import Masks, named_tensors
from sculpt_plugin.pruning.record import Step
from sculpt_plugin.training.best_epoch import put

FORMAT = "sculpt-checkpoint/1"
RECORD, STATE, SETTINGS = "record.jsonl", "state.safetensors", "settings.json"
_LATER = ("layers",)
"""Settings that earlier versions did not write down."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A model's numbers and masks at one accepted turn.

    Attributes:
        turn: The turn they were accepted in.
        tensors: Name of each parameter and buffer to a copy of it.
        masks: What was kept.
        buffers: The names of the buffers. Another batch may give them another shape.
    """

    turn: int
    tensors: dict[str, Tensor]
    masks: Masks
    buffers: frozenset[str] = frozenset()


def capture(model: nn.Module, masks: Masks, turn: int) -> Snapshot:
    """Copy a model's parameters and buffers.

    Example:
        >>> layer = nn.Linear(1, 1)
        >>> before = capture(layer, Masks({}, ()), 0)
        >>> _ = layer.weight.data.zero_()
        >>> restore(layer, before, flags(layer))
        >>> bool(layer.weight != 0)
        True
    """
    tensors = {
        name: tensor.detach().clone() for name, tensor in named_tensors(model).items()
    }
    buffers = frozenset(name for name, _ in model.named_buffers())
    return Snapshot(turn, tensors, masks, buffers)


def flags(model: nn.Module) -> dict[str, list[bool]]:
    """Note which parts of a model train, and which of its parameters.

    Example:
        >>> flags(nn.Linear(1, 1))
        {'training': [True], 'requires_grad': [True, True]}
    """
    return {
        "training": [module.training for module in model.modules()],
        "requires_grad": [parameter.requires_grad for parameter in model.parameters()],
    }


def restore(
    model: nn.Module, snapshot: Snapshot, noted: Mapping[str, Sequence[bool]]
) -> None:
    """Put a model's numbers and flags back as they were, and drop gradients.

    What the model has come to have since is left alone.
    """
    with torch.no_grad():
        for name, tensor in named_tensors(model).items():
            if name in snapshot.tensors:
                put(tensor, snapshot.tensors[name])
    model.zero_grad(set_to_none=True)
    for module, training in zip(model.modules(), noted["training"], strict=False):
        module.training = training
    for parameter, needed in zip(
        model.parameters(), noted["requires_grad"], strict=False
    ):
        parameter.requires_grad_(needed)


@contextmanager
def opened(
    folder: Path, settings: Mapping[str, object], dense: Snapshot
) -> Iterator[tuple[Snapshot | None, list[Step]]]:
    """Open a checkpoint, a new one or what an earlier run left, for this process alone.

    The record is the truth. A state is written before its line, so after a crash the
    state may be one turn ahead (its line is then added) and the last line may be torn
    (it is then dropped); nothing else can happen to files that were written whole.

    Args:
        folder: Where the checkpoint is or shall be.
        settings: What must be the same for a run to go on.
        dense: The unpruned model, for its names and shapes.

    Yields:
        The last accepted state, or None in a new checkpoint, and the steps so far.

    Raises:
        CheckpointError: The folder cannot be used, is damaged, or is another run's.
    """
    settings = {"format": FORMAT, **settings}
    reached = (STATE, RECORD)
    with claimed(
        folder, SETTINGS, settings, reached=reached, kind="a checkpoint", later=_LATER
    ) as goes_on:
        for path in folder.iterdir():
            if path.name.startswith(store.PARTIAL):
                path.unlink()
        yield _left(folder, dense) if goes_on else (None, [])


def _left(folder: Path, dense: Snapshot) -> tuple[Snapshot, list[Step]]:
    """Read what an earlier run left, and mend what a crash did to it."""
    record = _read_record(folder)
    if not (folder / STATE).exists():
        raise _damaged(folder, f"{STATE} is missing")
    snapshot, step = _read_state(folder, dense)
    if step.turn == len(record):
        store.append_line(folder / RECORD, step.to_json())
        record.append(step)
    accepted = [known for known in record if known.accepted]
    if not accepted or accepted[-1] != step:
        raise _damaged(folder, f"{STATE} is not of the last accepted step")
    return snapshot, record


def note_state(folder: Path, step: Step, snapshot: Snapshot) -> None:
    """Write down the state of an accepted turn; its line must follow.

    Raises:
        CheckpointError: The disk is full or gone; what was there before stays whole.
    """
    tensors = {f"tensor/{name}": x for name, x in snapshot.tensors.items()}
    masks = {f"mask/{name}": x for name, x in snapshot.masks.keep.items()}
    metadata = {"format": FORMAT, "step": json.loads(step.to_json())}
    store.write_tensors(folder / STATE, {**tensors, **masks}, metadata=metadata)


def note(folder: Path, step: Step) -> None:
    """Write down one turn as a line of the record.

    Raises:
        CheckpointError: The disk is full or gone; what was there before stays whole.
    """
    store.append_line(folder / RECORD, step.to_json())


def _read_record(folder: Path) -> list[Step]:
    """Read the record, and cut off a last line that a crash left torn."""
    path = folder / RECORD
    if not path.exists():
        return []
    content = path.read_bytes()
    lines = content.split(b"\n")
    if lines[-1]:
        # Every whole line ends in a newline.
        store.write_bytes(path, content[: len(content) - len(lines[-1])])
    steps = []
    for number, line in enumerate(lines[:-1]):
        try:
            step = Step.from_json(line.decode())
        except ValueError as error:
            raise _damaged(folder, f"line {number + 1} of {RECORD}") from error
        if step.turn != number:
            raise _damaged(folder, f"line {number + 1} of {RECORD} is out of turn")
        steps.append(step)
    return steps


def _read_state(folder: Path, dense: Snapshot) -> tuple[Snapshot, Step]:
    """Read the last accepted state and its step."""
    tensors, metadata = store.read_tensors(folder / STATE)
    parts: dict[str, dict[str, Tensor]] = {"tensor": {}, "mask": {}}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition("/")
        parts.setdefault(kind, {})[rest] = tensor
    try:
        step = Step.from_json(json.dumps(metadata["step"]))
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder, f"{STATE} has no step") from error
    for kind, wanted in (("tensor", dense.tensors), ("mask", dense.masks.keep)):
        if _kinds(parts[kind], dense.buffers) != _kinds(wanted, dense.buffers):
            raise _damaged(folder, f"{STATE} holds another model's {kind}s")
    masks = dense.masks
    keep = {n: parts["mask"][n].to(x.device) for n, x in masks.keep.items()}
    found = replace(dense, turn=step.turn, tensors=parts["tensor"])
    return replace(found, masks=Masks(keep, masks.weights)), step


def _kinds(
    tensors: Mapping[str, Tensor], buffers: frozenset[str]
) -> dict[str, tuple[object, ...]]:
    """Give the number type of each tensor, and the shape of each that is no buffer."""
    return {
        name: (x.dtype,) if name in buffers else (x.dtype, *x.shape)
        for name, x in tensors.items()
    }


def _damaged(folder: Path, what: str) -> CheckpointError:
    """Say what is wrong with a checkpoint and what to do."""
    return CheckpointError(
        f"The checkpoint in {folder} is damaged ({what}): restore it from a copy, or "
        "start again in another folder."
    )
