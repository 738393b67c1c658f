"""A sweep does for each run what `sculpt` does alone, and says what it cannot do."""

import copy
from dataclasses import replace

import pytest
import torch
from networks import Concat, Grouped
from tiny_sweep import (
    Branching,
    Dropping,
    Folding,
    Frozen,
    Image,
    Kind,
    OnTask,
    Warmed,
    differences,
    for_kind,
    for_task,
    same_runs,
    timeless,
)

from sculpt_plugin.errors import (
    DataError,
    LaneError,
    ThresholdError,
    TrainError,
)
from sculpt_plugin.pruning import sweep as module
from sculpt_plugin.pruning.lanes import together
from sculpt_plugin.pruning.lanes.training import train_lanes
from sculpt_plugin.pruning.sweep import sweep
from sculpt_plugin.tasks.learning import bit_loss, right_bits
from sculpt_plugin.training.recipe import Recipe

START = OnTask()


def test_data_are_taken_in_the_precision_of_the_networks():
    single = for_task(OnTask(dtype=torch.float32))

    found = sweep(OnTask(), single, seeds=(1,), unit_steps=(0.5,), edge_steps=(0.2,))

    assert found.runs[0].network.values.dtype == torch.float64


def small(build=START, recipe=None, **changes):
    """A sweep of four runs over two seeds."""
    settings = {"seeds": (1, 2), "unit_steps": (0.3, 0.5), "edge_steps": (0.1,)}
    return sweep(build, recipe or for_task(START), **settings | changes)


def test_runs_are_in_the_order_of_the_grid():
    found = small(seeds=(2, 1), unit_steps=(0.5, 0.3), edge_steps=(0.2, 0.1))

    assert [(run.seed, run.unit_step, run.edge_step) for run in found.runs] == [
        (seed, units, edges)
        for seed in (2, 1)
        for units in (0.5, 0.3)
        for edges in (0.2, 0.1)
    ]
    assert (found.seeds, found.unit_steps) == ((2, 1), (0.5, 0.3))
    assert found.edge_steps == (0.2, 0.1)


def test_ranked_and_sparsest_go_by_what_is_kept():
    found = small()

    counts = [run.network.edge_count for run in found.ranked()]
    assert counts == sorted(run.network.edge_count for run in found.runs)
    assert found.sparsest() is found.ranked()[0]
    assert {run.seed for run in found.ranked(2)} == {2}
    assert found.sparsest(2).seed == 2


def test_model_of_a_run_scores_what_its_record_says_and_is_as_sparse():
    found, recipe = small(), for_task(START)

    for run in found.runs:
        model = found.model(run)
        edges = sum(int((model[n].weight != 0).sum()) for n in (0, 2))
        assert recipe.evaluate(model) == run.score == 1.0
        assert edges == run.network.edge_count == found.masks(run).edge_count


def test_callers_random_numbers_and_networks_stay_as_they_were():
    models = {seed: START(seed) for seed in (1, 2)}
    before = torch.cat([p.flatten() for m in models.values() for p in m.parameters()])
    state = torch.get_rng_state()

    small(lambda seed: copy.deepcopy(models[seed]))

    after = torch.cat([p.flatten() for m in models.values() for p in m.parameters()])
    assert torch.equal(before, after)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", [None, Image, Concat])
def test_without_lanes_the_runs_are_the_same(kind):
    build, recipe = START, for_task(START)
    if kind is not None:
        build, recipe = Kind(kind), for_kind(kind)

    together = small(build, recipe, seeds=(1,), unit_steps=(0.4,))
    alone = small(build, recipe, seeds=(1,), unit_steps=(0.4,), lanes=False)

    for one, two in zip(together.runs, alone.runs, strict=True):
        assert timeless(one.record) == timeless(two.record)
        assert torch.equal(one.network.keep, two.network.keep)


@pytest.mark.parametrize("kind", [Warmed, Dropping, Frozen, Grouped])
def test_models_without_lanes_are_sculpted_one_by_one(kind):
    build, recipe = Kind(kind), for_kind(kind)
    steps = {"seeds": (1,), "unit_steps": (0.4,), "edge_steps": (0.2,)}

    found = sweep(build, recipe, lanes=False, **steps)

    (run,) = found.runs
    assert run.score == 1.0
    assert run.density < 1.0
    if kind is not Dropping:
        assert not differences(found, build, recipe, digits=12)
        assert recipe.evaluate(found.model(run)) == 1.0
    assert same_runs(found.runs, sweep(build, recipe, lanes=False, **steps).runs)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Warmed, "also keeps 'norm.running_mean'"),
        (Dropping, "do not: vmap: called random operation"),
        (Frozen, "'hidden.bias' is frozen"),
        (Grouped, "belongs to a grouped convolution"),
        (Branching, "do not: vmap: .* data-dependent control flow"),
        (Folding, "keep its samples along the first axis"),
    ],
)
def test_models_without_lanes_are_refused_in_one_line(kind, why):
    build, recipe = Kind(kind), for_kind(kind)

    with pytest.raises(LaneError, match=why) as caught:
        small(build, recipe)

    assert "lanes=False" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_score_that_is_no_tensor_is_refused():
    def score(outputs, targets):
        return right_bits(outputs, targets).item()

    with pytest.raises(LaneError, match=r"its score must run under .*lanes=False"):
        small(recipe=replace(for_task(START), score=score))


def test_loss_that_adds_the_samples_up_is_as_good():
    def added(outputs, targets):
        return bit_loss(outputs, targets) * len(targets)

    recipe = replace(for_task(START), loss=added, weight_decay=0.01)
    found = small(recipe=recipe, seeds=(1,), unit_steps=(0.4,))

    assert not differences(found, START, recipe, digits=10)


def test_loss_that_is_neither_mean_nor_sum_is_refused():
    def first_only(outputs, targets):
        return bit_loss(outputs[:1], targets[:1])

    with pytest.raises(DataError, match="loss must be the mean or the sum"):
        small(recipe=replace(for_task(START), loss=first_only))


@pytest.mark.parametrize("one_by_one", [False, True])
def test_speculation_changes_nothing(one_by_one, monkeypatch):
    found = {}
    for spare in (0, 64, 1000):
        monkeypatch.setattr(together, "_FREE", spare)
        found[spare] = small(unit_steps=(0.4,), one_by_one=one_by_one)

    for one, two, three in zip(*[found[n].runs for n in (0, 64, 1000)], strict=True):
        assert timeless(one.record) == timeless(two.record) == timeless(three.record)
        assert torch.equal(one.network.keep, two.network.keep)
        assert torch.equal(one.network.keep, three.network.keep)


def test_lanes_are_spared_where_they_cost_much(monkeypatch):
    tried, walk = [], module.walk

    def watched(*arguments, spare, **how):
        tried.append(spare)
        return walk(*arguments, spare=spare, **how)

    monkeypatch.setattr(module, "walk", watched)
    batches = replace(for_task(START), batch_size=8)
    wide = replace(START, hidden=(300,))

    small()
    small(recipe=batches)
    small(wide, recipe=replace(for_task(wide), batch_size=8))
    small(lanes=False)

    assert tried[0] == tried[1] == 64
    assert 1 < tried[2] < 64
    assert tried[3] == 0


def test_one_after_the_other_only_what_a_run_asks_for_is_trained(monkeypatch):
    calls, train = [], Recipe.train
    monkeypatch.setattr(
        Recipe, "train", lambda self, model: calls.append(model) or train(self, model)
    )

    found = small(seeds=(1,), unit_steps=(0.4,), edge_steps=(0.2,), lanes=False)

    assert len(calls) == len(found.runs[0].record) - 1


def test_nothing_is_trained_twice(monkeypatch):
    lanes, epochs = [], []

    def counted(program, rows, keep, seeds, shapes, **how):
        epochs.append(how["epochs"])
        lanes.extend(
            (seed, row.numpy().tobytes(), kept.numpy().tobytes())
            for seed, row, kept in zip(seeds, rows, keep, strict=True)
        )
        return train_lanes(program, rows, keep, seeds, shapes, **how)

    monkeypatch.setattr(together, "train_lanes", counted)

    small(unit_steps=(0.1, 0.2, 0.3, 0.5), edge_steps=(0.1, 0.2))

    assert epochs.count(100) == 1
    assert len(set(lanes)) == len(lanes)


@pytest.mark.parametrize("room", [1, 100_000])
def test_lanes_that_do_not_fit_the_memory_are_trained_in_parts(room, monkeypatch):
    steps = {"unit_steps": (0.4,), "edge_steps": (0.1, 0.3)}
    expected = small(**steps)
    sizes = []

    def counted(program, rows, *others, **how):
        sizes.append(len(rows))
        return train_lanes(program, rows, *others, **how)

    monkeypatch.setattr(together, "_BYTES", room)
    monkeypatch.setattr(together, "train_lanes", counted)
    found = small(**steps)

    assert max(sizes) == 1 if room == 1 else 1 < max(sizes) < 10
    for one, two in zip(found.runs, expected.runs, strict=True):
        assert timeless(one.record) == timeless(two.record)
        assert torch.equal(one.network.keep, two.network.keep)


def test_progress_reaches_the_end():
    seen = []

    small(on_progress=seen.append)

    assert (seen[-1].done, seen[-1].total, seen[-1].share) == (4, 4, 1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": ()}, r"seeds must hold one or more different values, got \[\]"),
        ({"unit_steps": ()}, "unit_steps must hold one or more"),
        ({"edge_steps": ()}, "edge_steps must hold one or more"),
        ({"seeds": (1, 1)}, r"seeds must hold .* different values, got \[1, 1\]"),
        ({"edge_steps": (0.1, 0.1)}, "edge_steps must hold .* different values"),
        ({"seeds": (-1, 2)}, "seeds must be 0 or above, got -1"),
        ({"unit_steps": (5,)}, "each of unit_steps must be a share .* got 5"),
        ({"edge_steps": (0.0,)}, "each of edge_steps must be a share .* got 0"),
        ({"jobs": 0}, "jobs must be 1 or more, got 0"),
    ],
)
def test_grid_that_cannot_be_walked_is_refused(changes, message):
    with pytest.raises(DataError, match=message):
        small(**changes)


def test_task_that_no_network_learns_is_an_error_that_names_the_best():
    recipe = for_task(START, first_epochs=1)

    with pytest.raises(ThresholdError, match=r"none of 2 does: .* scores 0\.\d+"):
        small(recipe=recipe)


@pytest.mark.parametrize("lanes", [True, False])
def test_seed_that_does_not_learn_leaves_the_others_alone(lanes):
    def build(seed):
        model = START(seed)
        if seed == 2:
            torch.nn.init.zeros_(model[0].weight)
        return model

    found = small(build, lanes=lanes)

    expected = small(seeds=(1,), lanes=lanes)
    assert [run.problem is None for run in found.runs] == [True, True, False, False]
    assert "the dense network of seed 2 scores" in (found.runs[-1].problem or "")
    for one, two in zip(found.runs[:2], expected.runs, strict=True):
        assert timeless(one.record) == timeless(two.record)
    assert found.runs[-1].density == 1.0
    assert found.ranked(2) == []
    with pytest.raises(DataError, match="seed 2 scores"):
        found.sparsest(2)


@pytest.mark.parametrize("lanes", [True, False])
def test_network_that_diverges_leaves_the_others_alone(lanes):
    def build(seed):
        model = START(seed)
        if seed == 2:
            torch.nn.init.constant_(model[2].bias, 1e308)
        return model

    def fragile(outputs, targets):
        return bit_loss(outputs, targets) + 0 * outputs.square().mean()

    found = small(build, replace(for_task(START), loss=fragile), lanes=lanes)

    assert [run.problem is None for run in found.runs] == [True, True, False, False]
    assert "diverged" in (found.runs[-1].problem or "")


@pytest.mark.parametrize("lanes", [True, False])
def test_sweep_that_diverges_as_a_whole_is_one_line(lanes):
    recipe = replace(for_task(START), learning_rate=1e200)

    with pytest.raises(ThresholdError, match="the best, of seed 1, scores nan"):
        small(recipe=recipe, lanes=lanes)


def test_runs_that_all_diverge_later_are_one_line(monkeypatch):
    monkeypatch.setattr(Recipe, "train", diverging)

    with pytest.raises(TrainError, match="No run came to its end: the training div"):
        small(lanes=False)


def diverging(recipe, model):
    raise TrainError("The loss must stay finite, got nan.")
