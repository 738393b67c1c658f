"""A recipe: data that fit the memory, and how a network learns them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite

import torch
from torch import Tensor, nn

from sculpt_plugin.errors import ModelError, TrainError, one_line
from sculpt_plugin.training.best_epoch import (
    BestEpoch,
    as_one_vector,
    better,
    put_buffers,
    reached,
    switched,
)
from sculpt_plugin.training.columns import hands_on
from sculpt_plugin.training.flat_adam import FlatParameters, start_adam, step_adam
from sculpt_plugin.training.mini_batches import pull_to_zero, train_in_batches
from sculpt_plugin.training.settings import check_settings


@dataclass(frozen=True, eq=False)
class Recipe:
    """Data in memory, and how a network is trained and scored on them.

    An epoch is one step of Adam over all samples, or one over each mini-batch of them
    in a new order, with noise added to the inputs afresh. The learning rate falls in a
    straight line, which makes short trainings as good as several times longer ones at
    a constant rate. The weights of the best epoch are kept: the higher score on the
    validation set wins, then the lower loss, then the later epoch. It is looked at in
    the second half of a training, since a falling rate brings the best epochs last.
    `sculpt` takes a recipe's `train`, `evaluate`, `batches` and `loss`; `sweep` takes
    the recipe.

    Every training draws the same order and noise, named by `seed`, so a training's
    outcome is a function of the weights it starts from.

    Attributes:
        inputs: One sample per row.
        targets: What the outputs shall be, one row per sample.
        loss: `loss(outputs, targets)`, the mean over the samples.
        score: `score(outputs, targets)`, a tensor with one number; higher is better.
        validation: Inputs and targets to score on; None takes those to train on,
            without noise.
        first_epochs: Length of a dense network's first training.
        epochs: Length of a training between two removals.
        learning_rate: Adam's, in the first step.
        final_share: The share of it that is left in the last step.
        warm_up: Steps in which the learning rate rises from zero to where it would be.
            The first steps of a fresh Adam move every weight by the whole rate; a deep
            network may not outlive that.
        weight_decay: Adam's, added to the gradient. It draws what a task does not
            need towards zero, and so decides how much can be removed.
        l1_decay: Strength of an L1 penalty in `train`: what is added to the gradient of
            each weight with the weight's sign. It holds at zero what a task does not
            need, where `weight_decay` pulls the less the smaller a weight is. Biases
            and scales are spared, and so is the first training, since some networks
            would not learn.
        noise: Standard deviation of the Gaussian noise on the inputs.
        seed: Names the noise, and the order of the samples.
        batch_size: Samples of a mini-batch. None: all samples in one step.
        early_accept: A score at which a turn's training ends, looked at after every
            epoch. It saves most of the time, and leaves the network no longer to
            settle than it needs. None: every turn has all its epochs.
        bf16: Whether training computes in bfloat16 what `torch.autocast` holds safe.
            For GPUs; weights, scores and Adam stay as precise as they are.

    Example:
        >>> inputs = torch.tensor([[0.0], [1.0]])
        >>> def right(outputs, targets):
        ...     return ((outputs > 0.5) == (targets > 0.5)).float().mean()
        >>> recipe = Recipe(inputs, inputs, nn.functional.mse_loss, right)
        >>> model = nn.Linear(1, 1)
        >>> recipe.prepare(model)
        >>> recipe.evaluate(model)
        1.0
    """

    inputs: Tensor
    targets: Tensor
    loss: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor, Tensor], Tensor]
    validation: tuple[Tensor, Tensor] | None = None
    first_epochs: int = 200
    epochs: int = 40
    learning_rate: float = 0.1
    final_share: float = 0.05
    warm_up: int = 0
    weight_decay: float = 1.5e-3
    l1_decay: float = 0.0
    noise: float = 0.0
    seed: int = 0
    batch_size: int | None = None
    early_accept: float | None = None
    bf16: bool = False

    def __post_init__(self) -> None:
        """Refuse counts and data that cannot be trained on."""
        check_settings(self)

    @property
    def checked_on(self) -> tuple[Tensor, Tensor]:
        """The inputs and targets that decide which epoch is best."""
        return self.validation or (self.inputs, self.targets)

    @property
    def batches(self) -> tuple[tuple[Tensor, Tensor], ...]:
        """The validation set as one batch, for measuring importances."""
        return (self.checked_on,)

    def prepare(
        self,
        model: nn.Module,
        *,
        on_epoch: Callable[[int, int], object] | None = None,
    ) -> None:
        """Train a dense model for the first time, in place.

        Args:
            model: The model.
            on_epoch: Called with each epoch that has ended, and how many there are.

        Raises:
            ModelError: The outputs do not fit the targets.
            TrainError: The loss does not stay finite.
        """
        self.unpenalised()._fit(model, self.first_epochs, on_epoch=on_epoch)

    def train(self, model: nn.Module) -> None:
        """Train a model for one turn, in place, with a fresh optimizer.

        Raises:
            ModelError: The outputs do not fit the targets.
            TrainError: The loss does not stay finite.
        """
        self._fit(model, self.epochs, enough=self.early_accept)

    def evaluate(self, model: nn.Module) -> float:
        """Give a model's score on the validation set."""
        inputs, targets = self.on_device_of(model).checked_on
        with torch.no_grad():
            return float(self.score(self._outputs(model, inputs, targets), targets))

    def unpenalised(self) -> "Recipe":
        """Give the recipe of a first training: without the L1 penalty."""
        return replace(self, l1_decay=0.0) if self.l1_decay else self

    def rate(self, step: int, steps: int) -> float:
        """Give the learning rate of a step of Adam, counted from 1."""
        risen = min(1.0, step / self.warm_up) if self.warm_up else 1.0
        return self.learning_rate * risen * (1 - (1 - self.final_share) * step / steps)

    def looks(self, epoch: int, epochs: int) -> bool:
        """Tell whether the validation set is looked at after an epoch."""
        return epoch > epochs // 2

    def on_device_of(self, model: nn.Module) -> "Recipe":
        """Give the recipe with its data as a model's parameters are."""
        first = next(model.parameters(), None)
        if first is None or (
            (first.device, first.dtype) == (self.inputs.device, self.inputs.dtype)
        ):
            return self

        def moved(x: Tensor) -> Tensor:
            # Class numbers stay whole.
            dtype = first.dtype if x.is_floating_point() else x.dtype
            return x.to(first.device, dtype)

        pair = self.validation and (
            moved(self.validation[0]),
            moved(self.validation[1]),
        )
        return replace(
            self,
            inputs=moved(self.inputs),
            targets=moved(self.targets),
            validation=pair,
        )

    def _of_columns(self, columns: Tensor) -> "Recipe":
        """Give the recipe with some of the inputs."""
        clean, wanted = self.checked_on
        return replace(
            self,
            inputs=self.inputs.index_select(-1, columns),
            validation=(clean.index_select(-1, columns), wanted),
        )

    def noisy(
        self, generator: torch.Generator, samples: Tensor | None = None
    ) -> Tensor:
        """Draw the inputs of one step, those of all samples or of some."""
        inputs = self.inputs if samples is None else self.inputs[samples]
        if not self.noise:
            return inputs
        # Drawn on the CPU, so that every device sees the same numbers.
        drawn = torch.randn(inputs.shape, generator=generator, dtype=inputs.dtype)
        return inputs + self.noise * drawn.to(inputs.device)

    def sees_rows_apart(self, model: nn.Module) -> bool:
        """Tell whether a model treats each sample by itself, in training as otherwise.

        Then one forward pass serves both an epoch's step and the look at the
        validation set after the one before.
        """
        here = self.on_device_of(model)
        clean, _ = here.checked_on
        # One sample again and again: other statistics than those of the whole set.
        others = here.inputs[:1].expand_as(here.inputs)
        with torch.no_grad(), switched(model, training=True):
            together = model(torch.cat([others, clean]))[len(others) :]
            with switched(model, training=False):
                alone = model(clean)
        return bool(torch.allclose(together, alone, rtol=1e-4, atol=1e-6))

    def _fit(
        self,
        model: nn.Module,
        epochs: int,
        *,
        enough: float | None = None,
        on_epoch: Callable[[int, int], object] | None = None,
    ) -> None:
        """Train the model, and leave it with the weights of its best epoch."""
        here = self.on_device_of(model)
        kept = [buffer.clone() for buffer in model.buffers()]
        clean, wanted = here.checked_on
        here._outputs(model, clean[: self.batch_size], wanted[: self.batch_size])
        told = on_epoch or (lambda epoch, epochs: None)
        # Noise is drawn for all inputs, also for those that the model does not read.
        with (
            hands_on(model, wanted=not self.noise) as columns,
            as_one_vector(model) as flat,
        ):
            here = here if columns is None else here._of_columns(columns)
            best = BestEpoch(None, flat.values.clone(), kept)
            if self.batch_size is None:
                put_buffers(model, kept)
                best = here._in_one_batch(model, flat, best, epochs, enough, told)
            else:
                best = here._in_batches(model, flat, best, epochs, enough, told)
            flat.values.copy_(best.values)
        put_buffers(model, best.buffers)

    def _in_one_batch(
        self,
        model: nn.Module,
        flat: FlatParameters,
        best: BestEpoch,
        epochs: int,
        enough: float | None,
        on_epoch: Callable[[int, int], object],
    ) -> BestEpoch:
        """Train with one step an epoch; give the best epoch."""
        clean, wanted = self.checked_on
        count = len(self.targets)
        apart = not self.bf16 and self.sees_rows_apart(model)
        put_buffers(model, best.buffers)
        generator = torch.Generator().manual_seed(self.seed)
        moments = start_adam(flat)
        for epoch in range(epochs + 1):
            inputs = self.noisy(generator)
            looks = self.looks(epoch, epochs) or (enough is not None and epoch > 0)
            if looks and not apart:
                with torch.no_grad(), switched(model, training=False):
                    seen = model(clean)
                best = better(best, _rank(self, seen, wanted), flat, model)
            if looks and apart:
                # Masks act in the forward pass, so the copy taken after it has
                # zeros where the model does.
                outputs = model(torch.cat([inputs, clean]))
                seen, outputs = outputs.detach()[count:], outputs[:count]
                best = better(best, _rank(self, seen, wanted), flat, model)
            elif epoch == epochs or reached(best, enough):
                break
            else:
                outputs = self._trained_on(model, inputs)
            if epoch == epochs or reached(best, enough):
                break
            self.loss(outputs, self.targets).backward()
            if self.l1_decay:
                pull_to_zero(model, self.l1_decay)
            step_adam(
                flat,
                moments,
                step=epoch + 1,
                learning_rate=self.rate(epoch + 1, epochs),
                weight_decay=self.weight_decay,
            )
            on_epoch(epoch + 1, epochs)
        return best

    def _in_batches(
        self,
        model: nn.Module,
        flat: FlatParameters,
        best: BestEpoch,
        epochs: int,
        enough: float | None,
        on_epoch: Callable[[int, int], object],
    ) -> BestEpoch:
        """Train with a step for each mini-batch; give the best epoch."""
        clean, wanted = self.checked_on

        def loss_of(model: nn.Module, samples: Tensor) -> Tensor:
            outputs = self._trained_on(model, self.noisy(generator, samples))
            return self.loss(outputs, self.targets[samples])

        def after_epoch(epoch: int) -> bool:
            nonlocal best
            if self.looks(epoch, epochs) or enough is not None:
                with torch.no_grad(), switched(model, training=False):
                    seen = model(clean)
                best = better(best, _rank(self, seen, wanted), flat, model)
            on_epoch(epoch, epochs)
            return reached(best, enough)

        generator = torch.Generator().manual_seed(self.seed)
        train_in_batches(
            model,
            loss_of,
            count=len(self.targets),
            batch_size=self.batch_size or len(self.targets),
            epochs=epochs,
            rate=self.rate,
            weight_decay=self.weight_decay,
            l1_decay=self.l1_decay,
            generator=generator,
            after_epoch=after_epoch,
        )
        return best

    def _trained_on(self, model: nn.Module, inputs: Tensor) -> Tensor:
        """Run the model on inputs to train on."""
        if not self.bf16:
            return model(inputs)
        with torch.autocast(inputs.device.type, torch.bfloat16):
            outputs = model(inputs)
        return outputs.to(inputs.dtype)

    def _outputs(self, model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """Run the model without a gradient; refuse outputs that cannot be scored."""
        with torch.no_grad(), switched(model, training=False):
            outputs = model(inputs)
        found = list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs)
        try:
            self.loss(outputs, targets)
        except Exception as error:
            raise ModelError(
                f"The model's outputs must fit targets of shape {list(targets.shape)}, "
                f"got {found} ({one_line(error)}): change the model's last layer."
            ) from error
        return outputs


def _rank(recipe: Recipe, outputs: Tensor, targets: Tensor) -> tuple[float, float]:
    """What makes an epoch better: a higher score, then a lower loss."""
    loss = float(recipe.loss(outputs, targets))
    if not isfinite(loss):
        raise TrainError(
            f"The loss must stay finite, got {loss}: lower learning_rate, or look for "
            "weights that are not finite."
        )
    return float(recipe.score(outputs, targets)), -loss
