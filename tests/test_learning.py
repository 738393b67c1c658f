import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from sculpt_plugin import tasks
from sculpt_plugin.errors import ModelError, TaskError
from sculpt_plugin.tasks import FunctionGraph, Task, xor

SMALL = Task(
    "parity",
    FunctionGraph(inputs=("a", "b"), functions={"p": xor("a", "b")}, outputs=("p",)),
)


@pytest.mark.parametrize("seed", [0, 1, 2, 5])
@pytest.mark.parametrize("name", tasks.names("exemplar"))
def test_dense_network_learns_each_exemplar_exactly(name, seed):
    task = tasks.get(name)
    how = tasks.learning(task, seed=seed)
    model = tasks.mlp(task, hidden=(24, 24), seed=seed)

    how.prepare(model)

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


def test_loss_is_torchs_own_cross_entropy():
    logits, targets = 9 * torch.randn(5, 3), torch.randint(0, 2, (5, 3)).float()

    torch.testing.assert_close(
        tasks.learning(SMALL).loss(logits, targets),
        nn.functional.binary_cross_entropy_with_logits(logits, targets),
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


def test_model_of_another_dtype_is_trained_in_it():
    model = tasks.mlp(SMALL, hidden=(8,), seed=0).double()
    how = tasks.learning(SMALL, epochs=3)

    how.train(model)

    assert model[0].weight.dtype == torch.float64
    assert 0.0 <= how.evaluate(model) <= 1.0


@pytest.mark.parametrize("use", ["prepare", "train", "evaluate"])
def test_model_with_other_outputs_is_refused(use):
    how = tasks.learning(SMALL)

    with pytest.raises(ModelError, match=r"must fit targets .*\[4, 1\], got \[4, 3\]"):
        getattr(how, use)(nn.Linear(2, 3))


def test_turns_take_away_what_the_task_does_not_need():
    model = tasks.mlp(SMALL, hidden=(24,), seed=0)
    tasks.learning(SMALL).prepare(model)
    plain = copy.deepcopy(model)

    tasks.learning(SMALL, hidden=(24,), epochs=400).train(model)
    tasks.learning(SMALL, hidden=(24,), epochs=400, l1_decay=0.0).train(plain)

    total, total_plain = (net[0].weight.abs().sum().item() for net in (model, plain))
    assert tasks.learning(SMALL).evaluate(model) == 1.0
    assert total < total_plain


@pytest.mark.parametrize("knobs", [{"first_epochs": 0}, {"epochs": 0}])
def test_learning_without_epochs_is_refused(knobs):
    with pytest.raises(TaskError, match=r"epochs must be 1 or more, got .*0"):
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
