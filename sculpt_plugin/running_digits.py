"""One task on digits from a dense network to its modules, all in one folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import log
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sculpt_plugin import plot
from sculpt_plugin.claim import claimed
from sculpt_plugin.errors import CheckpointError, ModelError, ThresholdError
from sculpt_plugin.pruning.importance import EdgeImportance, EdgeSaliency
from sculpt_plugin.pruning.keeping import load_kept, save_model
from sculpt_plugin.pruning.record import Step
from sculpt_plugin.pruning.sculptor import Sculpture, sculpt
from sculpt_plugin.report import analyze
from sculpt_plugin.running import CHECKPOINT, RUN, Finished, write
from sculpt_plugin.tasks import DigitTask, digit_learning, mlp
from sculpt_plugin.tasks.digits import SIDE
from sculpt_plugin.tasks.mlp import checked_widths
from sculpt_plugin.training.recipe import Recipe

FORMAT = "sculpt-digits-run/1"
DENSE = "dense.safetensors"


@dataclass(frozen=True)
class DigitSearch:
    """In what steps a network on digits is trained and pruned, and how far.

    Attributes:
        drop: How much of the dense network's score may be lost: one point, as in the
            paper.
        early_drop: A turn ends early while no more than this is lost, so that the last
            turns are whole ones.
        dense_rate: Adam's learning rate, at first, for the dense network.
        unit_step: The share of the units that goes at a time.
        unit_turns: How many times units go so, at most.
        fewest_units: What is left of the narrowest hidden layer, on average: with fewer
            units than that a network has no edges to give away.
        edge_step: The share of the edges that goes at a time.
        finest: A stage ends when removing this share of what is left fails.
    """

    drop: float = 0.01
    early_drop: float = 0.0075
    dense_rate: float = 1e-3
    unit_step: float = 0.5
    unit_turns: int = 3
    fewest_units: int = 48
    edge_step: float = 0.2
    finest: float = 0.005

    def units(self, hidden: Sequence[int]) -> tuple[float, ...] | None:
        """Give the share of the units that is gone after each turn, None for no turn.

        Args:
            hidden: Units of each hidden layer.

        Example:
            >>> SEARCH.units((784, 784)), SEARCH.units((200, 784)), SEARCH.units((60,))
            ((0.0, 0.5, 0.75, 0.875), (0.0, 0.5, 0.75), None)
        """
        room = log(min(hidden) / self.fewest_units) / -log(1 - self.unit_step)
        turns = min(self.unit_turns, int(room))
        gone = tuple(1 - (1 - self.unit_step) ** k for k in range(turns + 1))
        return gone if turns > 0 else None

    @property
    def edges(self) -> tuple[float, ...]:
        """The share of the edges that is gone after each turn, to one of millions."""
        turns = int(log(1e-9) / log(1 - self.edge_step))
        return tuple(1 - (1 - self.edge_step) ** turn for turn in range(turns))


SEARCH = DigitSearch()


@dataclass(frozen=True, eq=False)
class Dense:
    """A dense network that has learned a task on digits.

    Attributes:
        model: The network.
        recipe: How it was trained and is trained on.
        score: Its score on the validation images.
        min_score: The score that a sparse network must hold.
        hidden: Units of each hidden layer.
        search: In what steps it is to be pruned.
    """

    model: nn.Module
    recipe: Recipe
    score: float
    min_score: float
    hidden: tuple[int, ...]
    search: DigitSearch


def learn_digits(
    task: DigitTask,
    *,
    hidden: Sequence[int] = (784, 784),
    seed: int = 0,
    search: DigitSearch | None = None,
    device: str = "cpu",
    bf16: bool = False,
    kept: Path | None = None,
    on_epoch: Callable[[int, int], Any] | None = None,
) -> Dense:
    """Train a dense network for a task on digits, or take up one that was kept.

    Args:
        task: What the network learns.
        hidden: Widths of the hidden layers.
        seed: Names the random numbers.
        search: In what steps it is trained and pruned; `SEARCH` by default.
        device: Where to compute, as torch names it.
        bf16: Whether training computes in bfloat16 where that is safe.
        kept: A file that the network is kept in once it is trained, or is taken from.
        on_epoch: Called with each epoch and how many there are.

    Returns:
        The network with its score.

    Raises:
        TaskError: There is no such network.
        ThresholdError: It does not learn the task.
        CheckpointError: The file is damaged, another network's, or cannot be written.
        ModelError: There is no such device.
    """
    search = search or SEARCH
    model = _on(device, mlp(task, hidden=tuple(hidden), seed=seed))
    recipe = replace(digit_learning(task, seed=seed), bf16=bf16).on_device_of(model)
    if kept is not None and kept.exists():
        _load(model, kept)
    else:
        first = replace(recipe, learning_rate=search.dense_rate)
        first.prepare(model, on_epoch=on_epoch)
        if kept is not None:
            save_model(kept, model)
    score = recipe.evaluate(model)
    chance = float(recipe.score(torch.zeros_like(recipe.targets), recipe.targets))
    if score <= chance + search.drop:
        widths = ",".join(map(str, hidden))
        raise ThresholdError(
            f"A network must learn {task.name} before it is pruned, and hidden layers "
            f"of {widths} with seed {seed} reach {score:.1%}, hardly more than chance: "
            "choose wider or fewer hidden layers, or another seed."
        )
    min_score = score - search.drop
    recipe = replace(recipe, early_accept=score - search.early_drop)
    return Dense(model, recipe, score, min_score, tuple(hidden), search)


def sculpt_digits(
    dense: Dense,
    *,
    edge_importance: EdgeImportance | None = None,
    seed: int = 0,
    checkpoint: Path | None = None,
    on_step: Callable[[Step], Any] | None = None,
) -> Sculpture:
    """Prune a dense network that has learned a task on digits.

    Args:
        dense: The network, changed in place.
        edge_importance: Ranks edges. Default: `EdgeSaliency()`.
        seed: Names the random numbers.
        checkpoint: A folder, so that a run that was killed can go on.
        on_step: Called with each `Step` as soon as it is decided.

    Returns:
        The sparse network with its record.
    """
    recipe, search = dense.recipe, dense.search
    return sculpt(
        dense.model,
        recipe.checked_on[0][:2],
        train=recipe.train,
        evaluate=recipe.evaluate,
        # Enough to tell edges apart, and none of those that the score is taken on.
        batches=[(recipe.inputs[::16], recipe.targets[::16])],
        loss=recipe.loss,
        min_score=dense.min_score,
        units=search.units(dense.hidden),
        edges=search.edges,
        edge_importance=edge_importance or EdgeSaliency(),
        finest=search.finest,
        compacting=True,
        seed=seed,
        checkpoint=checkpoint,
        on_step=on_step,
    )


def run_digits(
    task: DigitTask,
    folder: str | Path,
    *,
    hidden: Sequence[int] = (784, 784),
    seed: int = 0,
    device: str = "cpu",
    bf16: bool = False,
    on_epoch: Callable[[int, int], Any] | None = None,
    on_step: Callable[[Step], Any] | None = None,
) -> Finished:
    """Train, prune and explain a network for a task on digits; write down all of it.

    A run that was killed goes on where it was when it is called again with the same
    arguments; one that has finished trains no more, and its files are written anew.

    Args:
        task: What the network learns.
        folder: Where everything goes: a new folder, an empty one, or this run's own.
        hidden: Widths of the hidden layers.
        seed: Names the random numbers.
        device: Where to compute, as torch names it.
        bf16: Whether training computes in bfloat16 where that is safe.
        on_epoch: Called with each epoch of the first training and how many there are.
        on_step: Called with each `Step` as soon as it is decided.

    Returns:
        The sculpture, its report and the files.

    Raises:
        CheckpointError: The folder is in other use, damaged, or cannot be written.
        ThresholdError: The dense network does not learn the task.
    """
    plot.check_installed()
    folder = Path(folder)
    named = {
        "format": FORMAT,
        "task": task.name,
        "hidden": checked_widths(hidden),
        "seed": seed,
        "bf16": bf16,
    }
    reached = [DENSE, CHECKPOINT] if (folder / RUN).exists() else []
    with claimed(folder, RUN, named, reached=reached, kind="an earlier run's"):
        dense = learn_digits(
            task,
            hidden=hidden,
            seed=seed,
            device=device,
            bf16=bf16,
            kept=folder / DENSE,
            on_epoch=on_epoch,
        )
        sculpture = sculpt_digits(
            dense, seed=seed, checkpoint=folder / CHECKPOINT, on_step=on_step
        )
        inputs = dense.recipe.checked_on[0][:1]
        report = analyze(sculpture.model, inputs, method="bidirectional")
        files = write(folder, sculpture, report)
        mean = task.training.pixels.float().mean(dim=0).view(SIDE, 2 * SIDE)
        axes = plot.pixels(
            report.graph,
            report.hierarchy,
            shape=(SIDE, 2 * SIDE),
            frames=2,
            background=mean.numpy(),
        )
        plot.save(axes, folder / "pixels.png")
    return Finished(
        sculpture,
        report,
        {**files, "pixels.png": "the pixels that are still read, by module"},
        f"on {len(task.validation.pixels)} validation images",
    )


def _on(device: str, model: nn.Module) -> nn.Module:
    """Put a model on a device."""
    try:
        if torch.device(device).type == "meta":
            raise NotImplementedError("its tensors hold no numbers")
        return model.to(device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        there = "cpu and cuda" if torch.cuda.is_available() else "cpu"
        raise ModelError(
            f"device must be one that torch can use here, got {device!r}: this machine "
            f"has {there}."
        ) from error


def _load(model: nn.Module, path: Path) -> None:
    """Take up the network that was trained before."""
    tensors = load_kept(path).tensors
    own = {name: value.shape for name, value in model.state_dict().items()}
    if {name: value.shape for name, value in tensors.items()} != own:
        raise CheckpointError(
            f"{path} must hold the dense network of this run, but it holds another: "
            "choose another folder."
        )
    model.load_state_dict(tensors)
