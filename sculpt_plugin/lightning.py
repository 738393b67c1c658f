"""Sculpting inside Lightning: a callback that prunes within `Trainer.fit`.

Needs Lightning (`pip install "sculpt_plugin[lightning]"`).
"""

import contextlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch_pruning as tp

from sculpt_plugin.errors import DataError, ModelError
from sculpt_plugin.handover import Handover
from sculpt_plugin.pruning.checkpoint import RECORD
from sculpt_plugin.pruning.importance import EdgeImportance
from sculpt_plugin.pruning.masks import HoldMasks
from sculpt_plugin.pruning.record import Step
from sculpt_plugin.pruning.refusals import folder_of
from sculpt_plugin.pruning.samples import Loss
from sculpt_plugin.pruning.schedule import Schedule
from sculpt_plugin.pruning.sculptor import Sculpture, sculpt
from sculpt_plugin.vision import import_torchvision

if TYPE_CHECKING:
    from lightning.pytorch import Callback
else:
    with contextlib.suppress(ModelError):
        # Lightning's metrics import torchvision, which may not fit this torch.
        import_torchvision()
    try:
        Callback = importlib.import_module("lightning.pytorch").Callback
    except ModuleNotFoundError:
        try:
            Callback = importlib.import_module("pytorch_lightning").Callback
        except ModuleNotFoundError as error:
            raise ModelError(
                "SculptCallback needs Lightning, which is not installed: "
                'pip install "sculpt_plugin[lightning]".'
            ) from error


class SculptCallback(Callback):
    """Sculpt a `LightningModule` in `fit`, once its `max_epochs` are over.

    The trainer first trains for `max_epochs`, as always. Then the fit goes on: remove
    the least important units (later edges), train `turn_epochs` more epochs with fresh
    optimizers, look at `monitor`, keep the result or take it back, until no more can
    go. All of that are epochs of the one fit, so precision, gradient clipping,
    accumulation, loggers, progress bars and manual optimization are as in any other. In
    the end the module holds the sparse weights, and a `ModelCheckpoint` with
    `save_last=True` has saved them; its best checkpoint may be a dense one.

    What is sculpted is the module's `forward`. Each turn ends with its last epoch.

    Args:
        monitor: The metric that the module logs in validation; higher is better.
        loss: `loss(outputs, targets)` of `forward` on a validation batch, which must be
            a pair of inputs and targets. Importances are measured by it.
        min_score: The score to hold. Give this or `max_drop`.
        max_drop: How much of the unpruned model's score may be lost.
        turn_epochs: Epochs to train after each removal.
        units: As for `sculpt`, like all below.
        edges: See `sculpt`.
        unit_importance: See `sculpt`.
        edge_importance: See `sculpt`.
        ignore: See `sculpt`.
        seed: See `sculpt`.
        checkpoint: A folder. A fit that was killed, and is started again the same way,
            trains no dense model again but goes on with the turn it was in.
        on_step: Called with each `Step` as soon as it is decided.

    Attributes:
        sculpture: The result of `sculpt`, once fit has ended; None before.

    Raises:
        DataError: In fit: the trainer cannot be used (several devices, early stopping,
            a limit of steps, no validation each epoch), or `monitor` was not logged.
        ThresholdError, ModelError, CheckpointError: In fit, as for `sculpt`.

    Example:
        >>> from lightning.pytorch import LightningModule, Trainer
        >>> class Half(LightningModule):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.layers = torch.nn.Sequential(
        ...             torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
        ...     def forward(self, x):
        ...         return self.layers(x)
        ...     def training_step(self, batch, number):
        ...         return torch.nn.functional.mse_loss(self(batch[0]), batch[1])
        ...     def validation_step(self, batch, number):
        ...         right = (self(batch[0]) > 0.5) == (batch[1] > 0.5)
        ...         self.log("right", right.float().mean())
        ...     def configure_optimizers(self):
        ...         return torch.optim.Adam(self.parameters(), lr=0.1)
        >>> _ = torch.manual_seed(0)
        >>> inputs = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
        >>> pairs = torch.utils.data.TensorDataset(inputs, inputs[:, :1])
        >>> loader = torch.utils.data.DataLoader(pairs, batch_size=4)
        >>> callback = SculptCallback(
        ...     monitor="right", loss=torch.nn.functional.mse_loss, min_score=1.0,
        ...     turn_epochs=20, units=0.5, edges=0.25)
        >>> quiet = dict.fromkeys(
        ...     ("logger", "enable_checkpointing", "enable_progress_bar",
        ...      "enable_model_summary"), False)
        >>> trainer = Trainer(
        ...     max_epochs=30, callbacks=[callback], accelerator="cpu", **quiet)
        >>> trainer.fit(Half(), loader, loader)
        >>> callback.sculpture.masks.edge_count
        2
    """

    def __init__(
        self,
        *,
        monitor: str,
        loss: Loss,
        min_score: float | None = None,
        max_drop: float | None = None,
        turn_epochs: int = 1,
        units: Schedule | None = 0.05,
        edges: Schedule | None = 0.02,
        unit_importance: tp.importance.Importance | None = None,
        edge_importance: EdgeImportance | None = None,
        ignore: Sequence[str] = (),
        seed: int = 0,
        checkpoint: str | Path | None = None,
        on_step: Callable[[Step], Any] | None = None,
    ) -> None:
        super().__init__()
        if turn_epochs < 1:
            raise DataError(f"turn_epochs must be 1 or more, got {turn_epochs}.")
        self.sculpture: Sculpture | None = None
        self._monitor, self._turn_epochs = monitor, turn_epochs
        self._checkpoint = folder_of(checkpoint)
        self._asked = {
            "loss": loss,
            "min_score": min_score,
            "max_drop": max_drop,
            "units": units,
            "edges": edges,
            "unit_importance": unit_importance,
            "edge_importance": edge_importance,
            "ignore": ignore,
            "seed": seed,
            "checkpoint": checkpoint,
            "on_step": on_step,
        }
        self._search: Handover | None = None
        self._epochs_left = 0
        self._fresh_optimizers = False

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Refuse a trainer whose fit cannot be sculpted in."""
        if stage == "fit":
            _check(trainer)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Go on with a search that was killed."""
        if _has_begun(self._checkpoint):
            trainer.fit_loop.max_epochs = 0
            self._begin(trainer, pl_module, resuming=True)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Give each turn optimizers and schedules of its own."""
        if self._fresh_optimizers:
            trainer.strategy.setup_optimizers(trainer)
            self._fresh_optimizers = False

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Hold the masks, also where `training_step` does not call `forward`."""
        _hold(pl_module)

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Hold the masks, also where `validation_step` does not call `forward`."""
        _hold(pl_module)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Decide, when a turn is over, what is kept and what is tried next."""
        self._score(trainer)  # refused after the first epoch, not after the last
        if self._search is None:
            if trainer.current_epoch + 1 >= trainer.max_epochs:
                self._begin(trainer, pl_module)
        elif not self._search.finished:
            self._epochs_left -= 1
            if self._epochs_left == 0:
                self._search.answer(None)
                self._go_on(trainer)

    def on_exception(
        self, trainer: Any, pl_module: Any, exception: BaseException
    ) -> None:
        """Put the last accepted weights back."""
        if self._search is not None:
            self._search.close()

    def _begin(self, trainer: Any, module: Any, *, resuming: bool = False) -> None:
        """Start the search; it asks for training and for scores."""
        batches = _Batches(trainer, module)

        def search(ask: Callable[[str], Any]) -> Sculpture:
            # Which device is meant by default is a thread's own.
            with _device(module):
                return sculpt(
                    module,
                    next(iter(batches))[0],
                    train=lambda _: ask("train"),
                    evaluate=lambda _: ask("evaluate"),
                    batches=batches,
                    **self._asked,
                )

        self._search = Handover(search)
        self._go_on(trainer, resuming=resuming)

    def _go_on(self, trainer: Any, *, resuming: bool = False) -> None:
        """Answer what is known, and let the fit go on for what is not."""
        search = self._search
        assert search is not None  # it has begun
        while not search.finished and search.question == "evaluate":
            if resuming:
                _validate(trainer)
            search.answer(self._score(trainer))
        if search.finished:
            self.sculpture = search.result
            return
        self._epochs_left, self._fresh_optimizers = self._turn_epochs, True
        trainer.fit_loop.max_epochs += self._turn_epochs

    def _score(self, trainer: Any) -> float:
        """Look up the monitored metric of the validation that has just ended."""
        metrics = trainer.callback_metrics
        if self._monitor not in metrics:
            names = ", ".join(sorted(metrics)) or "nothing"
            raise DataError(
                f"monitor must be a metric that validation logs, got "
                f"{self._monitor!r}, and logged is {names}: log it in validation_step."
            )
        return float(metrics[self._monitor])


class _Batches:
    """The trainer's validation batches, on the module's device, afresh each time."""

    def __init__(self, trainer: Any, module: Any) -> None:
        self._trainer, self._module = trainer, module
        if len(trainer.num_val_batches) != 1:
            raise DataError(
                "There must be one validation loader to measure importances on, got "
                f"{len(trainer.num_val_batches)}: join their data."
            )

    def __iter__(self) -> Iterator[Any]:
        (limit,) = self._trainer.num_val_batches
        loader = self._trainer.val_dataloaders
        loader = loader[0] if isinstance(loader, list | tuple) else loader
        for batch in islice(loader, None if limit == float("inf") else int(limit)):
            converted = self._trainer.precision_plugin.convert_input(batch)
            yield self._module.transfer_batch_to_device(
                converted, self._module.device, 0
            )


def _check(trainer: Any) -> None:
    """Refuse what would end the fit early, or leave a turn without a score."""
    names = {type(callback).__name__ for callback in trainer.callbacks}
    if trainer.world_size > 1:
        what = "run on one device", f"{trainer.world_size} devices", "pass devices=1"
    elif names & {"EarlyStopping", "Timer"}:
        (found, *_) = sorted(names & {"EarlyStopping", "Timer"})
        what = (
            "let the search decide when fit ends",
            found,
            "train with it first, then fit again with SculptCallback and max_epochs=1",
        )
    elif trainer.max_steps != -1 or trainer.max_epochs in (None, -1):
        found = f"max_steps={trainer.max_steps}, max_epochs={trainer.max_epochs}"
        what = "count in epochs", found, "pass max_epochs and no max_steps"
    elif trainer.check_val_every_n_epoch != 1 or trainer.limit_val_batches == 0:
        found = (
            f"check_val_every_n_epoch={trainer.check_val_every_n_epoch}, "
            f"limit_val_batches={trainer.limit_val_batches}"
        )
        what = "validate after every epoch", found, "leave these at 1 and above 0"
    else:
        return
    rule, found, advice = what
    raise DataError(
        f"A Trainer with SculptCallback must {rule}, got {found}: {advice}."
    )


def _validate(trainer: Any) -> None:
    """Validate between epochs, what a checkpoint has just put in."""
    trainer.validating = True
    bar = trainer.progress_bar_callback
    shown = getattr(bar, "is_enabled", False)
    if shown:
        bar.disable()  # it has not begun
    try:
        trainer.fit_loop.epoch_loop.val_loop.run()
    finally:
        trainer.training = True
        if shown:
            bar.enable()


def _has_begun(folder: Path | None) -> bool:
    """Tell whether a checkpoint holds a turn: then the dense model is trained."""
    record = None if folder is None else folder / RECORD
    return record is not None and record.exists() and b"\n" in record.read_bytes()


def _hold(module: Any) -> None:
    """Zero what is masked now, if anything is."""
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, HoldMasks):
            hook(module, ())


def _device(module: Any) -> contextlib.AbstractContextManager[Any]:
    """Make the module's device the one that a thread means by default."""
    device = torch.device(module.device)
    if device.type == "cuda":
        return torch.cuda.device(device)
    return contextlib.nullcontext()
