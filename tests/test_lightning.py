"""A fit with the callback ends as `sculpt` ends with the same training."""

import doctest
import importlib
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from sculpt_plugin.errors import CheckpointError, DataError, ModelError, ThresholdError
from sculpt_plugin.pruning.sculptor import sculpt

try:
    import sculpt_plugin.lightning as ours
except ModelError as error:
    pytest.skip(str(error), allow_module_level=True)

from lightning import pytorch as lit
from lightning.pytorch.callbacks import (
    EarlyStopping,
    ModelCheckpoint,
    RichProgressBar,
    TQDMProgressBar,
)

pytestmark = [
    # Lightning's own, with this torch.
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*number of training batches"),
]

INPUTS = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
TARGETS = INPUTS[:, :1]
DENSE, TURN, RATE = 25, 10, 0.1


class Module(lit.LightningModule):
    """The first input is wanted; the second does not matter."""

    def __init__(self, through_forward=True):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 1))
        self.through_forward = through_forward
        self.optimizers_made = self.epochs = 0

    def forward(self, inputs):
        return self.layers(inputs)

    @property
    def net(self):
        return self if self.through_forward else self.layers

    def training_step(self, batch, number):
        return F.mse_loss(self.net(batch[0]), batch[1])

    def on_train_epoch_end(self):
        self.epochs += 1

    def validation_step(self, batch, number):
        self.log("right", right(self.net, *batch))

    def configure_optimizers(self):
        self.optimizers_made += 1
        return torch.optim.Adam(self.parameters(), lr=RATE)


def right(model, inputs=INPUTS, targets=TARGETS):
    return ((model(inputs) > 0.5) == (targets > 0.5)).double().mean().item()


def callback(**changes):
    settings = {"monitor": "right", "loss": F.mse_loss, "min_score": 1.0}
    steps = {"turn_epochs": TURN, "units": 0.34, "edges": 0.3}
    return ours.SculptCallback(**(settings | steps | changes))


def trainer(*callbacks, package=lit, **changes):
    quiet = dict.fromkeys(
        ("logger", "enable_checkpointing", "enable_progress_bar"), False
    )
    settings = {"max_epochs": DENSE, "accelerator": "cpu", "devices": 1}
    summary = {"enable_model_summary": False, "callbacks": [*callbacks]}
    return package.Trainer(**(quiet | settings | summary | changes))


def loader():
    return DataLoader(TensorDataset(INPUTS, TARGETS), batch_size=4)


def fit(module, *callbacks, **changes):
    trainer(*callbacks, **changes).fit(module, loader(), loader())


def by_hand():
    """The same training without Lightning."""

    def train(model, epochs=TURN):
        adam = torch.optim.Adam(model.parameters(), lr=RATE)
        for _ in range(epochs):
            adam.zero_grad()
            F.mse_loss(model(INPUTS), TARGETS).backward()
            adam.step()

    module = Module()
    train(module, DENSE)
    return sculpt(
        module, INPUTS, train=train, evaluate=right, batches=[(INPUTS, TARGETS)],
        loss=F.mse_loss, min_score=1.0, units=0.34, edges=0.3,
    )  # fmt: skip


def told(record):
    return [(s.stage, s.turn, s.removed, s.score, s.accepted) for s in record]


@pytest.fixture(scope="module")
def expected():
    return by_hand()


@pytest.mark.parametrize("through_forward", [True, False])
def test_a_fit_ends_as_sculpt_does_with_the_same_training(expected, through_forward):
    module, sculpting = Module(through_forward), callback()
    fit(module, sculpting)
    found = sculpting.sculpture
    assert told(found.record) == told(expected.record)
    assert found.model is module
    assert 0 < found.masks.edge_count < 6
    for one, other in zip(
        module.parameters(), expected.model.parameters(), strict=True
    ):
        assert torch.equal(one, other)


class Watched(Module):
    """Notes how many of its 18 weights are not zero when a step begins."""

    def __init__(self):
        super().__init__(through_forward=False)
        self.seen = {"training": [], "validation": []}

    def note(self, where):
        if self.epochs >= DENSE:
            weights = [p for p in self.parameters() if p.ndim > 1]
            kept = sum(int(weight.count_nonzero()) for weight in weights)
            self.seen[where].append(kept)

    def training_step(self, batch, number):
        self.note("training")
        return super().training_step(batch, number)

    def validation_step(self, batch, number):
        self.note("validation")
        super().validation_step(batch, number)


@pytest.mark.parametrize("where", ["training", "validation"])
def test_masks_are_held_in_steps_that_do_not_call_forward(where):
    module = Watched()
    sculpting = callback(units=None, edges=0.3)
    halves = DataLoader(TensorDataset(INPUTS, TARGETS), batch_size=2)
    trainer(sculpting).fit(module, halves, halves)
    left = [step.left for step in sculpting.sculpture.record[1:]]
    assert module.seen[where] == [count for count in left for _ in range(2 * TURN)]


def test_each_turn_has_optimizers_of_its_own_and_its_epochs():
    module, sculpting = Module(), callback()
    fit(module, sculpting)
    turns = len(sculpting.sculpture.record) - 1  # the dense one is not trained again
    assert module.optimizers_made == 1 + turns
    assert module.epochs == DENSE + turns * TURN


def test_the_last_checkpoint_of_a_fit_is_the_sparse_model(tmp_path):
    module, sculpting = Module(), callback()
    saving = ModelCheckpoint(dirpath=tmp_path, save_last=True)
    fit(module, sculpting, saving, enable_checkpointing=True)
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    masks = sculpting.sculpture.masks
    assert masks.edge_count == sum(int(saved[n].count_nonzero()) for n in masks.weights)


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_a_fit_keeps_its_precision(precision):
    module, sculpting = Module(), callback()
    fit(module, sculpting, precision=precision)
    assert sculpting.sculpture.score == 1
    assert sculpting.sculpture.density < 0.5


class Broken(Module):
    """Fails in an epoch of its second turn."""

    def training_step(self, batch, number):
        if self.epochs == DENSE + TURN + 3:
            raise RuntimeError("the disk is on fire")
        return super().training_step(batch, number)


def test_a_fit_that_fails_leaves_the_last_accepted_weights(expected):
    steps = []
    module = Broken()
    with pytest.raises(RuntimeError, match="on fire"):
        fit(module, callback(on_step=steps.append))
    assert told(steps) == told(expected.record[:2])
    assert steps[-1].accepted
    held = sum(int(p.count_nonzero()) for p in module.parameters() if p.ndim > 1)
    assert held == round(steps[-1].density * 18)


def test_a_fit_that_failed_goes_on_without_training_a_dense_model(expected, tmp_path):
    with pytest.raises(RuntimeError, match="on fire"):
        fit(Broken(), callback(checkpoint=tmp_path / "turns"))
    module, sculpting = Module(), callback(checkpoint=tmp_path / "turns")
    fit(module, sculpting)
    record = sculpting.sculpture.record
    assert told(record) == told(expected.record)
    assert module.epochs == (len(record) - 2) * TURN


def test_a_fit_that_has_ended_is_not_trained_again(expected, tmp_path):
    fit(Module(), callback(checkpoint=tmp_path / "turns"))
    module, sculpting = Module(), callback(checkpoint=tmp_path / "turns")
    fit(module, sculpting)
    assert module.epochs == 0
    assert told(sculpting.sculpture.record) == told(expected.record)
    assert torch.equal(module.layers[0].weight, expected.model.layers[0].weight)


class Opposite(Module):
    """Wants what is not."""

    def validation_step(self, batch, number):
        self.log("right", right(self.net, batch[0], 1 - batch[1]))


@pytest.mark.parametrize("bar", [TQDMProgressBar, RichProgressBar])
def test_a_fit_on_other_data_does_not_go_on(bar, tmp_path):
    fit(Module(), callback(checkpoint=tmp_path / "turns"))
    module = Opposite()
    before = module.layers[0].weight.detach().clone()
    with pytest.raises(CheckpointError, match="scores 1, but here it scores 0, below"):
        fit(
            module,
            callback(checkpoint=tmp_path / "turns"),
            bar(),
            enable_progress_bar=True,
        )
    assert torch.equal(module.layers[0].weight, before)


def test_a_metric_that_is_not_logged_is_refused_after_the_first_epoch():
    module = Module()
    with pytest.raises(DataError, match="got 'acc', and logged is right"):
        fit(module, callback(monitor="acc"))
    assert module.epochs == 0


def test_a_model_that_has_not_learned_is_refused():
    with pytest.raises(ThresholdError, match="min_score is 1"):
        fit(Module(), callback(min_score=1.5), max_epochs=1)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"max_steps": 5}, "max_steps=5"),
        ({"max_epochs": -1}, "max_epochs=-1"),
        ({"max_time": "00:00:01:00"}, "got Timer"),
        ({"check_val_every_n_epoch": 2}, "check_val_every_n_epoch=2"),
        ({"limit_val_batches": 0}, "limit_val_batches=0"),
    ],
)
def test_a_trainer_that_cannot_hold_the_turns_is_refused(changes, what):
    with pytest.raises(DataError, match=what):
        fit(Module(), callback(), **changes)


def test_early_stopping_is_refused():
    with pytest.raises(DataError, match="got EarlyStopping: train with it first"):
        fit(Module(), callback(), EarlyStopping("right"))


def test_several_devices_are_refused():
    many = SimpleNamespace(callbacks=[], world_size=2)
    with pytest.raises(DataError, match="one device, got 2 devices"):
        callback().setup(many, None, "fit")


def test_several_validation_loaders_are_refused():
    with pytest.raises(DataError, match="one validation loader"):
        many = Module()
        many.validation_step = lambda batch, number, dataloader_idx=0: many.log(
            "right", 1.0, add_dataloader_idx=dataloader_idx == 1
        )
        trainer(callback(), max_epochs=1).fit(many, loader(), [loader(), loader()])


def test_no_epochs_in_a_turn_are_refused():
    with pytest.raises(DataError, match="turn_epochs must be 1 or more, got 0"):
        callback(turn_epochs=0)


def test_without_lightning_the_error_says_what_to_install(monkeypatch):
    for name in ("lightning.pytorch", "pytorch_lightning"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "sculpt_plugin.lightning")
    with pytest.raises(ModelError, match=r"pip install \"sculpt_plugin\[lightning\]\""):
        importlib.import_module("sculpt_plugin.lightning")


def test_the_trainer_of_pytorch_lightning_takes_it_too(expected):
    other = pytest.importorskip("pytorch_lightning")

    class Theirs(other.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = Module().layers

        validation_step = Module.validation_step

        def forward(self, inputs):
            return self.net(inputs)

        def training_step(self, batch, number):
            return F.mse_loss(self(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=RATE)

    sculpting = callback()
    trainer(sculpting, package=other).fit(Theirs(), loader(), loader())
    assert told(sculpting.sculpture.record) == told(expected.record)


def test_the_example_runs():
    found = doctest.testmod(ours, optionflags=doctest.ELLIPSIS)
    assert (found.failed, found.attempted > 5) == (0, True)
