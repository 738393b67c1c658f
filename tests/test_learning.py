import copy
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from sculpt_plugin import tasks
from sculpt_plugin.errors import ModelError, TaskError, TrainError
from sculpt_plugin.tasks import FunctionGraph, Task, xor

SMALL = Task(
    "parity",
    FunctionGraph(inputs=("a", "b"), functions={"p": xor("a", "b")}, outputs=("p",)),
)


@pytest.mark.parametrize("seed", [0, 1, 2, 5])
@pytest.mark.parametrize("name", tasks.names("exemplar"))
def test_dense_network_learns_each_exemplar_exactly(name, seed):
    task = tasks.get(name)
    how = tasks.learning(task)
    model = tasks.mlp(task, hidden=(24, 24), seed=seed)

    how.train(model)

    assert how.evaluate(model) == 1.0


def test_batches_are_the_clean_truth_table():
    ((inputs, targets),) = tasks.learning(SMALL).batches

    assert inputs.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert targets.tolist() == [[0], [1], [1], [0]]


def test_loss_is_the_mean_cross_entropy_of_sigmoid_outputs():
    logits, targets = torch.randn(5, 3), torch.randint(0, 2, (5, 3)).float()
    share = torch.sigmoid(logits)
    expected = -(targets * share.log() + (1 - targets) * (1 - share).log()).mean()

    torch.testing.assert_close(tasks.learning(SMALL).loss(logits, targets), expected)


def test_score_is_the_share_of_right_bits():
    model = nn.Linear(2, 1)
    nn.init.constant_(model.weight, 1.0)
    nn.init.constant_(model.bias, -0.5)  # "or": wrong in the row 1, 1 alone

    assert tasks.learning(SMALL).evaluate(model) == 0.75


def test_training_is_decided_by_torchs_seed_alone():
    how = tasks.learning(SMALL, epochs=5)
    first = tasks.mlp(SMALL, hidden=(4,), seed=0)
    second = copy.deepcopy(first)

    torch.manual_seed(7)
    how.train(first)
    torch.manual_seed(7)
    how.train(second)

    assert torch.equal(first[0].weight, second[0].weight)


def weights_of_each_epoch(model, *, epochs):
    """The weights after each epoch, with torch's own Adam and no shared passes."""
    ((inputs, targets),) = tasks.learning(SMALL).batches
    optimizer = torch.optim.Adam(model.parameters(), lr=1.0, weight_decay=0.01)
    history = []
    for _ in range(epochs):
        noisy = inputs.repeat(2, 1)
        noisy = noisy + 0.3 * torch.randn_like(noisy)
        optimizer.zero_grad()
        loss = binary_cross_entropy_with_logits(model(noisy), targets.repeat(2, 1))
        loss.backward()
        optimizer.step()
        history.append(copy.deepcopy(model.state_dict()))
    return history


@pytest.mark.parametrize(("epochs", "best_epoch"), [(1, 1), (5, 3), (8, 3), (12, 9)])
def test_training_keeps_the_best_epoch_of_torch_adam(epochs, best_epoch):
    how = tasks.learning(
        SMALL, epochs=epochs, learning_rate=1.0, draws=2, noise=0.3, weight_decay=0.01
    )
    ((inputs, targets),) = how.batches
    model = tasks.mlp(SMALL, hidden=(4,), seed=1)
    twin = copy.deepcopy(model)
    torch.manual_seed(3)
    history = weights_of_each_epoch(twin, epochs=epochs)
    scores = []
    for weights in history:
        twin.load_state_dict(weights)
        scores.append((how.evaluate(twin), -how.loss(twin(inputs), targets).item()))

    torch.manual_seed(3)
    how.train(model)

    assert scores.index(max(scores)) + 1 == best_epoch
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(
            weight, history[best_epoch - 1][name], rtol=1e-4, atol=1e-5
        )


def test_masked_weights_are_zero_after_training():
    model = tasks.mlp(SMALL, hidden=(6,), seed=0)
    keep = torch.rand(6, 2) > 0.5

    def enforce(*_):
        model[0].weight.data.mul_(keep)

    model.register_forward_pre_hook(enforce)

    tasks.learning(SMALL, epochs=20).train(model)

    assert not model[0].weight[~keep].any()
    assert model[0].weight[keep].all()


def test_training_leaves_no_gradients_and_keeps_the_mode():
    model = tasks.mlp(SMALL, hidden=(4,), seed=0).eval()

    tasks.learning(SMALL, epochs=2).train(model)

    assert not model.training
    assert all(item.grad is None for item in model.parameters())


def test_model_of_another_dtype_is_trained_in_it():
    model = tasks.mlp(SMALL, hidden=(8,), seed=0).double()
    how = tasks.learning(SMALL, epochs=3)

    how.train(model)

    assert model[0].weight.dtype == torch.float64
    assert 0.0 <= how.evaluate(model) <= 1.0


@pytest.mark.parametrize("use", ["train", "evaluate"])
def test_model_with_other_outputs_is_refused(use):
    how = tasks.learning(SMALL)

    with pytest.raises(ModelError, match=r"parity needs 1 outputs .* gives \(4, 3\)"):
        getattr(how, use)(nn.Linear(2, 3))


def test_loss_that_is_not_finite_is_an_error():
    model = tasks.mlp(SMALL, hidden=(4,), seed=0)
    nn.init.constant_(model[0].weight, float("nan"))

    with pytest.raises(TrainError, match="must stay finite, got nan: lower learning_r"):
        tasks.learning(SMALL).train(model)


@pytest.mark.parametrize("knobs", [{"epochs": 0}, {"draws": 0}])
def test_learning_without_epochs_is_refused(knobs):
    with pytest.raises(TaskError, match="epochs and draws must be 1 or more, got"):
        tasks.learning(SMALL, **knobs)


def test_tasks_load_no_drawing_and_neither_half():
    code = (
        "import sys, sculpt_plugin.tasks\n"
        "unwanted = ('matplotlib', 'rich', 'sculpt_plugin.pruning', "
        "'sculpt_plugin.analysis')\n"
        "print([name for name in unwanted if name in sys.modules])"
    )

    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "[]"
