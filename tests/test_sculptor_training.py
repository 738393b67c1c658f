"""What a search gives to `train`, and what it takes back from it."""

import copy
import itertools
from dataclasses import replace

import pytest
import torch
from networks import FixedWidth, Residual, warmed
from search_by_recipe import RIGHT, WIDE, by_recipe, learned, recipe
from small_search import INPUTS, TARGETS, dense, evaluate, search, train
from torch import nn
from torch.nn import functional as F

from sculpt_plugin.errors import ModelError, TrainError
from sculpt_plugin.inputs import evaluating
from sculpt_plugin.pruning.sculptor import sculpt


def test_a_rejected_step_restores_weights_buffers_and_flags_exactly():
    """After every turn, the next one starts from the last accepted state."""
    accepted, entered = [], []

    class Counting(nn.Sequential):
        def __init__(self, *layers):
            super().__init__(*layers)
            self.register_buffer("calls", torch.zeros(()), persistent=False)

    def state(model):
        numbers = [*model.parameters(), *model.buffers()]
        return [x.detach().clone() for x in numbers], model.training

    def spy(model):
        entered.append(state(model))
        train(model)
        model.calls += 1
        model.eval()

    def score(model):
        accepted.append(state(model)[0])
        return evaluate(model)

    steps = []
    model = Counting(*dense())
    search(model, train=spy, evaluate=score, on_step=steps.append)
    last = accepted[0]
    for step, (numbers, training), after in zip(
        steps[1:], entered, accepted[1:], strict=True
    ):
        assert training
        for before, now in zip(last, numbers, strict=True):
            # What this turn has masked is zero already; all else is as it was.
            assert torch.equal(torch.where(now == 0, 0, before), now)
        assert numbers[-1] == last[-1]
        last = after if step.accepted else last
    assert not all(step.accepted for step in steps)


def test_what_train_writes_into_masked_entries_is_not_evaluated():
    def naughty(model):
        train(model)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += (parameter == 0) * 1.0

    def score(model):
        zeros.append(sum(int((p == 0).sum()) for p in model.parameters()))
        return evaluate(model)

    zeros = []
    search(train=naughty, evaluate=score)
    assert min(zeros[1:]) > 0


def test_what_evaluate_writes_into_masked_entries_is_not_kept():
    def writing(model):
        score = evaluate(model)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(1e-6)
        return score

    sculpture = search(evaluate=writing)
    parameters = dict(sculpture.model.named_parameters())
    assert sculpture.masks.gone_count > 0
    for name, keep in sculpture.masks.keep.items():
        assert not parameters[name][~keep].any()


def test_a_train_that_diverges_is_named_and_the_model_comes_back():
    model = dense()
    before = copy.deepcopy(model.state_dict())

    def diverge(model):
        with torch.no_grad():
            model[0].bias.fill_(torch.inf)

    with pytest.raises(TrainError, match=r"'0.bias' is not after train in turn 1"):
        search(model, train=diverge)
    assert all(torch.equal(before[n], x) for n, x in model.state_dict().items())


def test_an_interrupt_leaves_the_last_accepted_state():
    model = dense()
    count = itertools.count()

    def interrupted(model):
        train(model)
        if next(count) == 4:
            raise KeyboardInterrupt

    steps = []
    with pytest.raises(KeyboardInterrupt):
        search(model, train=interrupted, on_step=steps.append)
    assert evaluate(model) == [s for s in steps if s.accepted][-1].score
    assert not model._forward_pre_hooks
    assert torch.equal(INPUTS[:, :1], TARGETS[:, :1])


def without_unread(model):
    """Set to zero, by hand, what makes a unit of a chain that nothing reads."""
    layers = [layer for layer in model if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for below, above in reversed([*itertools.pairwise(layers)]):
            unread = (above.weight == 0).all(0)
            below.weight[unread] = 0
            below.bias[unread] = 0


def outcome(sculpture):
    record = [replace(step, seconds=0.0) for step in sculpture.record]
    return record, {name: mask.tolist() for name, mask in sculpture.masks.keep.items()}


@pytest.mark.parametrize(
    ("sizes", "changes"),
    [((4, 10, 10, 2), {}), ((4, 12, 2), {"batch_size": 8})],
    ids=str,
)
@pytest.mark.parametrize("decay", [0.0, 1.5e-3])
@pytest.mark.parametrize("seed", [1, 2])
def test_compacting_does_what_the_whole_model_would(seed, decay, changes, sizes):
    """Down to the last turn, where what nothing reads is zero."""
    how = recipe(seed=seed, weight_decay=decay, **changes)
    start = learned(how, *sizes)

    def train(model):
        how.train(model)
        without_unread(model)

    whole = by_recipe(copy.deepcopy(start), how, train=train)
    found = by_recipe(start, how, compacting=True)

    assert outcome(found) == outcome(whole)
    for one, other in zip(
        found.model.parameters(), whole.model.parameters(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_train_gets_a_small_model_that_takes_the_whole_inputs():
    sizes, names, how = [], [], recipe(seed=1)

    def train(model):
        assert model(WIDE).shape == RIGHT.shape
        sizes.append(sum(p.numel() for p in model.parameters()))
        names.append([name for name, _ in model.named_parameters()])
        how.train(model)

    start = learned(how, 4, 10, 10, 2)
    found = by_recipe(start, how, train=train, compacting=True)

    assert sizes[-1] < sum(p.numel() for p in start.parameters()) / 3
    assert all(each == [n for n, _ in start.named_parameters()] for each in names)
    assert how.evaluate(found.model) == found.score == 1.0
    assert not found.model._forward_pre_hooks
    for name, keep in found.masks.keep.items():
        assert (found.model.get_parameter(name)[~keep] == 0).all()


def test_unpruned_model_is_evaluated_as_it_was_given_when_compacting():
    start = learned(how := recipe(seed=1), 4, 10, 10, 2)
    before = copy.deepcopy(start.state_dict())

    by_recipe(
        start, how, compacting=True, units=None, edges=[0.0, 1.0],
        train=lambda model: nn.init.zeros_(model[4].weight),
    )  # fmt: skip

    assert all(torch.equal(before[n], x) for n, x in start.state_dict().items())


@pytest.mark.parametrize("mode", [True, False])
def test_residual_networks_are_sculpted_by_their_live_part(mode):
    """Statistics come back, modes stay, and a frozen parameter is not trained."""
    inputs = torch.randn(24, *Residual.shape).double()
    targets = inputs.mean((1, 2, 3)).gt(0).long()

    def fit(model):
        was = model.training
        model.train()
        adam = torch.optim.Adam(
            [p for p in model.parameters() if p.requires_grad], lr=0.01
        )
        for _ in range(8):
            adam.zero_grad()
            F.cross_entropy(model(inputs), targets).backward()
            adam.step()
        model.train(was)

    def score(model):
        assert model.training is mode
        with torch.no_grad(), evaluating(model):
            return (model(inputs).argmax(1) == targets).double().mean().item()

    model = Residual().double().train(mode)
    fit(model)
    model.norm1.bias.requires_grad_(False)
    flags = [p.requires_grad for p in model.parameters()]
    sculpture = sculpt(
        model, inputs, train=fit, evaluate=score, max_drop=0.2, compacting=True,
        batches=[(inputs, targets)], loss=F.cross_entropy, units=0.3, edges=0.4,
    )  # fmt: skip
    assert sculpture.density < 0.5
    assert score(model) == sculpture.score
    assert model.norm1.num_batches_tracked > 8
    assert [p.requires_grad for p in model.parameters()] == flags
    assert {module.training for module in model.modules()} == {mode}
    small = sculpture.compact().model.eval()
    assert torch.allclose(small(inputs), model.eval()(inputs))


def test_train_that_fails_on_a_live_part_leaves_the_model_as_it_was():
    start = learned(how := recipe(seed=1), 4, 10, 10, 2)
    before = copy.deepcopy(start.state_dict())

    def fails(model):
        nn.init.zeros_(model[0].weight)
        raise ZeroDivisionError("no samples")

    with pytest.raises(TrainError, match="train raised ZeroDivisionError in turn 1"):
        by_recipe(start, how, compacting=True, train=fails)
    assert all(torch.equal(before[n], x) for n, x in start.state_dict().items())
    assert not start._forward_pre_hooks


def test_a_model_that_cannot_be_cut_is_refused_with_compacting_and_left():
    model, inputs = warmed(FixedWidth)
    before = {name: x.clone() for name, x in model.state_dict().items()}
    with pytest.raises(ModelError, match=r"depends on how many .* without compacting"):
        sculpt(
            model,
            inputs,
            train=lambda model: None,
            evaluate=lambda model: 1.0,
            batches=[(inputs, torch.zeros(len(inputs)).long())],
            loss=F.cross_entropy,
            min_score=1.0,
            units=0.3,
            compacting=True,
        )
    assert all(torch.equal(x, before[name]) for name, x in model.state_dict().items())


@pytest.mark.parametrize("ignore", [[], ["0"]])
def test_frozen_layers_are_pruned_unless_they_are_ignored(ignore):
    model = dense()
    before = model[0].weight.clone()
    model[0].requires_grad_(False)
    sculpture = search(model, units=None, edges=0.5, min_score=0.0, ignore=ignore)
    assert torch.equal(model[0].weight, before) == bool(ignore)
    assert ("0.weight" in sculpture.masks.weights) != bool(ignore)
    assert not model[0].weight.requires_grad


class Reader(nn.Module):
    """Reads words; only its last two layers have edges."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(9, 6)
        self.steps = nn.LSTM(6, 5, batch_first=True)
        self.hidden, self.output = nn.Linear(5, 4), nn.Linear(4, 2)

    def forward(self, x):
        state = self.steps(self.words(x))[0][:, -1]
        return self.output(self.hidden(state).relu())


def test_embeddings_and_recurrent_layers_are_neither_pruned_nor_counted():
    model, words = Reader(), torch.randint(0, 9, (8, 3))
    kept = {n: x.clone() for n, x in model.named_parameters() if n[:5] in "words steps"}
    sculpture = sculpt(
        model,
        words,
        train=lambda model: None,
        evaluate=lambda model: 1.0,
        batches=[(words, torch.zeros(8).long())],
        loss=F.cross_entropy,
        min_score=1.0,
        units=0.5,
        edges=0.5,
    )
    assert sculpture.masks.edge_total == 4 * 5 + 2 * 4
    assert all(torch.equal(model.get_parameter(n), x) for n, x in kept.items())
