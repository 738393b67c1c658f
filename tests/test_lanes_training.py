"""Each lane is trained as its network would be trained alone."""

import gc
import weakref
from dataclasses import replace

import pytest
import torch
from networks import Concat
from tiny_sweep import Image, Kind, for_kind
from torch import nn

from sculpt_plugin.errors import TrainError
from sculpt_plugin.pruning.lanes.alone import put_row, row_of
from sculpt_plugin.pruning.lanes.feeding import Feed
from sculpt_plugin.pruning.lanes.program import program
from sculpt_plugin.pruning.lanes.training import _Best, _Lanes, train_lanes


class Mixing(nn.Module):
    """Samples that are centred together, so that none is seen by itself."""

    shape = (4,)

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.output = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.hidden(x)
        return self.output((hidden - hidden.mean(0)).relu())


def trained_both_ways(kind, recipe, *, keep=None):
    """Three lanes, two with the same noise: together, and one after the other."""
    models, seeds = [Kind(kind)(seed) for seed in (0, 1, 2)], (4, 4, 9)
    rows = torch.stack([row_of(model) for model in models])
    keep = torch.ones_like(rows, dtype=torch.bool) if keep is None else keep
    shapes = [tuple(p.shape) for p in models[0].parameters()]
    made = program(models[0], recipe)
    together = train_lanes(
        made,
        rows,
        keep,
        seeds,
        shapes,
        epochs=recipe.epochs,
        enough=recipe.early_accept,
    )
    scores, values = [], []
    for model, row, seed, kept in zip(models, rows, seeds, keep, strict=True):
        own = replace(recipe, seed=seed)
        parts = (~kept).split([p.numel() for p in model.parameters()])
        put_row(model, row)

        def hold(module, inputs, model=model, parts=parts):
            for parameter, gone in zip(model.parameters(), parts, strict=True):
                parameter.data.masked_fill_(gone.view_as(parameter), 0)

        hook = model.register_forward_pre_hook(hold)
        own.train(model)
        hook.remove()
        hold(model, ())
        scores.append(own.evaluate(model))
        values.append(row_of(model))
    return together, torch.stack(values), scores


@pytest.mark.parametrize(("noise", "l1_decay"), [(0.0, 0.0), (0.1, 0.0), (0.1, 0.02)])
@pytest.mark.parametrize("kind", [Image, Concat, Mixing])
def test_lanes_end_where_each_network_would_alone(kind, noise, l1_decay):
    recipe = for_kind(kind, noise=noise, l1_decay=l1_decay)

    together, values, scores = trained_both_ways(kind, recipe)

    torch.testing.assert_close(together.values, values)
    assert together.score.tolist() == pytest.approx(scores)


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize(("batch_size", "steps"), [(4, 3), (3, 3), (10, 1), (1, 10)])
@pytest.mark.parametrize("kind", [Image, Concat, Mixing])
def test_lanes_learn_in_mini_batches_too(kind, batch_size, steps, noise):
    recipe = for_kind(kind, noise=noise, batch_size=batch_size, l1_decay=0.01)

    together, values, scores = trained_both_ways(kind, recipe)

    # A single sample that is left of ten goes with the three before.
    assert Feed(program(Kind(kind)(0), recipe), (4,), epochs=2).steps == steps
    torch.testing.assert_close(together.values, values)
    assert together.score.tolist() == pytest.approx(scores)


@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize("enough", [0.5, 0.8, 0.95, 2.0])
def test_each_lane_ends_where_it_is_good_enough(enough, batch_size):
    recipe = for_kind(
        Concat,
        noise=0.1,
        early_accept=enough,
        batch_size=batch_size,
        learning_rate=0.02,
    )

    together, values, scores = trained_both_ways(Concat, recipe)

    torch.testing.assert_close(together.values, values)
    assert together.score.tolist() == pytest.approx(scores)


def test_lanes_that_are_good_enough_are_not_trained_on(monkeypatch):
    counts, step = [], _Lanes.step

    def counted(self, batch, *numbers):
        counts.append(len(batch.inputs))
        step(self, batch, *numbers)

    monkeypatch.setattr(_Lanes, "step", counted)
    recipe = for_kind(Concat, noise=0.1, early_accept=0.8, learning_rate=0.02)

    together, values, scores = trained_both_ways(Concat, recipe)

    # Two of three are good enough after seven epochs, the third never is.
    assert counts == [3] * 7 + [1] * 13
    torch.testing.assert_close(together.values, values)
    assert together.score.tolist() == pytest.approx(scores)


def test_score_in_single_precision_is_compared_as_it_is():
    best = _Best.before(torch.zeros(2, 3))
    score = torch.tensor([0.9, 1.0])

    best.take(torch.ones(2, 3), torch.zeros(2), score, enough=0.9)

    # As a float32 nine tenths are a hair less.
    assert best.below(0.9).tolist() == [True, False]


def test_what_comes_after_a_lanes_own_end_is_nothing_to_it():
    best = _Best.before(torch.zeros(2, 3))
    some, others = torch.full((2, 3), 1.0), torch.full((2, 3), 2.0)
    nan = float("nan")

    best.take(some, torch.tensor([0.5, 0.5]), torch.tensor([0.9, 0.6]), enough=0.8)
    best.take(others, torch.tensor([nan, 0.4]), torch.tensor([1.0, 0.7]), enough=0.8)

    assert best.values.tolist() == [[1.0] * 3, [2.0] * 3]
    assert best.score.tolist() == pytest.approx([0.9, 0.7])
    assert best.seen.tolist() == pytest.approx([0.5, 0.9])


def test_validation_set_decides_in_lanes_too():
    recipe = for_kind(Concat, noise=0.1)
    some = (recipe.inputs[:4], recipe.targets[:4])

    together, values, scores = trained_both_ways(
        Concat, replace(recipe, validation=some)
    )

    torch.testing.assert_close(together.values, values)
    assert together.score.tolist() == pytest.approx(scores)


def test_what_is_pruned_stays_exactly_zero():
    recipe = for_kind(Concat)
    size = row_of(Kind(Concat)(0)).numel()
    keep = torch.rand(3, size) < 0.5

    together, values, scores = trained_both_ways(Concat, recipe, keep=keep)

    assert not together.values[~keep].any()
    assert (together.values[keep] != 0).float().mean() > 0.9
    torch.testing.assert_close(together.values, values)
    assert together.score.tolist() == pytest.approx(scores)


def test_lane_that_diverges_has_no_score_and_harms_no_other():
    recipe = for_kind(Concat)
    models = [Kind(Concat)(seed) for seed in (0, 1)]
    rows = torch.stack([row_of(model) for model in models])
    shapes = [tuple(p.shape) for p in models[0].parameters()]
    keep = torch.ones_like(rows, dtype=torch.bool)
    made = program(models[0], recipe)
    expected = train_lanes(made, rows, keep, (0, 0), shapes, epochs=9)
    rows[1] *= 1e200

    found = train_lanes(made, rows, keep, (0, 0), shapes, epochs=9)

    assert found.score.isnan().tolist() == [False, True]
    assert torch.equal(found.values[0], expected.values[0])
    put_row(models[1], rows[1])
    with pytest.raises(TrainError):
        recipe.train(models[1])


def test_rows_that_are_given_stay_as_they_are():
    recipe, model = for_kind(Concat), Kind(Concat)(0)
    rows = row_of(model)[None]
    before = rows.clone()
    keep = torch.rand_like(rows) < 0.5

    train_lanes(
        program(model, recipe), rows, keep, (0,), [p.shape for p in model.parameters()],
        epochs=2,
    )  # fmt: skip

    assert torch.equal(rows, before)


@pytest.mark.parametrize("changes", [{}, {"noise": 0.1, "batch_size": 4}])
def test_memory_of_lanes_is_free_once_they_are_trained(changes, monkeypatch):
    lanes, start = [], _Lanes.start

    def watched(*arguments):
        made = start(*arguments)
        lanes.append(weakref.ref(made))
        return made

    monkeypatch.setattr(_Lanes, "start", watched)
    gc.disable()
    try:
        trained_both_ways(Concat, for_kind(Concat, **changes))
        assert [lane() for lane in lanes] == [None]
    finally:
        gc.enable()
