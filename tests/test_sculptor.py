"""What a search finds, records and refuses."""

import copy
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch_pruning as tp
from holders import ByAttribute, Held, KeptInStep, Pair
from networks import Residual, mlp
from search_by_recipe import by_recipe, learned, recipe
from small_search import INPUTS, TARGETS, dense, evaluate, search, train
from torch import nn
from torch.nn import functional as F

from sculpt_plugin.errors import DataError, ModelError
from sculpt_plugin.pruning.importance import EdgeSensitivity
from sculpt_plugin.pruning.masks import Masks, apply, attach
from sculpt_plugin.pruning.refusals import flag
from sculpt_plugin.pruning.schedule import linear
from sculpt_plugin.pruning.sculptor import sculpt


@pytest.fixture(scope="module")
def found():
    return search()


def test_the_result_holds_the_score_with_few_edges(found):
    assert evaluate(found.model) == found.score == 1.0
    assert found.density < 0.2


def test_what_is_printed_says_how_much_is_left_and_how_good_it_is(found):
    kept, total = found.masks.edge_count, found.masks.edge_total
    assert repr(found) == (
        f"Sculpture({kept} of {total} edges kept, score=1, min_score=1)"
    )


def test_masked_entries_are_zero_and_no_hook_stays(found):
    for name, keep in found.masks.keep.items():
        assert (found.model.get_parameter(name)[~keep] == 0).all()
    assert not found.model._forward_pre_hooks


def test_the_record_tells_units_then_one_retraining_then_edges(found):
    stages = [stage for stage, _ in itertools.groupby(s.stage for s in found.record)]
    assert stages == ["dense", "units", "retrain", "edges"]
    assert [step.turn for step in found.record] == list(range(len(found.record)))
    assert sum(step.stage == "retrain" for step in found.record) == 1
    assert all(step.removed + step.left == step.total for step in found.record)


def test_a_step_is_accepted_exactly_where_the_score_holds(found):
    assert all(step.accepted == (step.score >= 1.0) for step in found.record)
    densities = [step.density for step in found.record if step.accepted]
    assert densities == sorted(densities, reverse=True)
    assert found.density == densities[-1]


def test_each_stage_ends_with_a_failure_at_the_smallest_step(found):
    for stage in ("units", "edges"):
        steps = [step for step in found.record if step.stage == stage]
        accepted = [step.removed for step in steps if step.accepted]
        assert not steps[-1].accepted
        assert steps[-1].removed == max(accepted, default=steps[-1].removed - 1) + 1


def test_gradient_importances_of_torch_pruning_get_gradients():
    sculpture = search(unit_importance=tp.importance.GroupTaylorImportance())
    assert sculpture.density < 0.3
    assert all(p.grad is None for p in sculpture.model.parameters())


def test_an_importance_that_fails_is_named():
    class Broken(tp.importance.Importance):
        def __call__(self, group):
            raise IndexError("no such\nchannel")

    with pytest.raises(DataError, match="raised IndexError on layer '0': no such"):
        search(unit_importance=Broken())


def test_numbers_of_other_libraries_are_numbers(tmp_path):
    sculpture = search(
        min_score=np.float64(1), units=np.float64(0.3), edges=(0, np.float64(0.5)),
        checkpoint=tmp_path,
    )  # fmt: skip
    assert sculpture.score == 1.0


def test_inputs_given_as_a_dict_are_passed_by_name():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = dense()

        def forward(self, *, values):
            return self.inside(values)

    model = Named()
    batches = [({"values": INPUTS}, TARGETS)]

    def score(model):
        return evaluate(lambda x: model(values=x))

    sculpture = sculpt(
        model, {"values": INPUTS}, train=lambda m: train(lambda x: m(values=x), m),
        evaluate=score, batches=batches, min_score=1.0, units=0.3, edges=None,
        loss=F.binary_cross_entropy_with_logits,
    )  # fmt: skip
    assert sculpture.density < 0.6
    assert sculpture.compact().model(values=INPUTS).shape == TARGETS.shape


def test_the_same_seed_gives_the_same_weights_and_leaves_no_trace():
    model = dense()
    torch.manual_seed(11)
    np.random.seed(11)
    expected = torch.rand(3), np.random.rand()
    torch.manual_seed(11)
    np.random.seed(11)
    one = search(copy.deepcopy(model))
    assert torch.equal(torch.rand(3), expected[0])
    assert np.random.rand() == expected[1]
    two = search(copy.deepcopy(model))
    for a, b in zip(one.model.parameters(), two.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_compact_gives_a_smaller_model_with_the_same_score(found):
    small = found.compact()
    assert evaluate(small.model) == 1.0
    count = sum(p.numel() for p in small.model.parameters())
    assert count < sum(p.numel() for p in found.model.parameters()) / 2


def test_importances_and_schedules_of_torch_pruning_work():
    sculpture = search(
        unit_importance=tp.importance.GroupMagnitudeImportance(),
        edge_importance=EdgeSensitivity(),
        units=linear(0.4, 2),
        edges=linear(0.6, 2),
    )
    tried = {step.removed for step in sculpture.record if step.stage == "units"}
    assert max(tried) <= 8
    assert sculpture.density >= 0.4


def test_max_drop_counts_from_the_unpruned_score():
    sculpture = search(min_score=None, max_drop=0.25)
    assert sculpture.min_score == 0.75
    assert sculpture.score >= 0.75


def test_ignored_layers_keep_everything():
    sculpture = search(ignore=["0"])
    assert (sculpture.model[0].weight != 0).all()
    assert sculpture.left_alone == {
        "0": "layer '0' is ignored",
        "4": "its units are the model's outputs",
    }


def test_stages_can_be_left_out():
    assert {s.stage for s in search(units=None).record} == {"dense", "edges"}
    assert {s.stage for s in search(edges=None).record} == {"dense", "units"}


def test_residual_networks_with_norms_are_sculpted():
    inputs = torch.randn(24, *Residual.shape)
    targets = inputs.mean((1, 2, 3)).gt(0).long()

    def fit(model):
        model.train()
        adam = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(15):
            adam.zero_grad()
            F.cross_entropy(model(inputs), targets).backward()
            adam.step()
        model.eval()

    def score(model):
        with torch.no_grad():
            return (model(inputs).argmax(1) == targets).float().mean().item()

    model = Residual()
    fit(model)
    sculpture = sculpt(
        model, inputs, train=fit, evaluate=score, max_drop=0.1,
        batches=[(inputs, targets)], loss=F.cross_entropy, units=0.3, edges=0.4,
    )  # fmt: skip
    assert score(model) == sculpture.score >= sculpture.min_score
    small = sculpture.compact().model
    assert torch.allclose(small(inputs), model(inputs), atol=1e-5)


def test_a_layer_with_one_unit_keeps_it():
    def always(model):
        return 1.0

    sculpture = search(mlp(4, 1, 3, 2), evaluate=always, train=lambda m: None)
    alive = sculpture.model[0].weight.shape[0]
    assert alive == 1
    assert min(s.left for s in sculpture.record if s.stage == "units") == 2


def test_non_finite_weights_are_refused_by_name():
    model = mlp(4, 10, 10, 2)
    with torch.no_grad():
        model[2].weight[0, 0] = torch.nan
    with pytest.raises(ModelError, match=r"'2\.weight' is not before pruning"):
        search(model)


def test_smallest_share_saves_turns_and_no_more_than_it_says():
    start = learned(how := recipe(seed=1), 4, 10, 10, 2)

    long = by_recipe(copy.deepcopy(start), how)
    short = by_recipe(copy.deepcopy(start), how, finest=0.2)

    assert len(short.record) < len(long.record)
    for stage in ("units", "edges"):
        steps = [step for step in short.record if step.stage == stage]
        held = max((s.removed for s in steps if s.accepted), default=None)
        assert not steps[-1].accepted
        if held is not None:
            left = steps[-1].total - held
            assert steps[-1].removed - held <= max(1, 0.2 * left)


@pytest.mark.parametrize("value", ["no", np.ones(2), torch.ones(2), None, 2])
def test_what_is_neither_yes_nor_no_is_refused_in_one_line(value):
    with pytest.raises(DataError, match="one_by_one must be True or False, got"):
        flag(value, name="one_by_one")


@pytest.mark.parametrize("value", [np.bool_(True), torch.tensor(True), 1])
def test_a_yes_of_another_library_is_a_yes(value):
    assert flag(value, name="one_by_one") is True


def test_one_by_one_ends_where_no_edge_can_go():
    how = recipe()
    start = learned(how, 4, 10, 10, 2)
    plain = by_recipe(copy.deepcopy(start), how)

    found = by_recipe(start, how, one_by_one=True)

    # Up to the first edge that cannot go the two searches are one.
    same = len(plain.record)
    strip = [replace(step, seconds=0.0) for step in plain.record]
    assert [replace(step, seconds=0.0) for step in found.record[:same]] == strip
    assert found.masks.edge_count < plain.masks.edge_count
    *turns, last = found.record
    assert (last.stage, last.accepted) == ("retrain", True)
    kept = found.masks.edge_count
    assert [step.accepted for step in turns[-kept:]] == [False] * kept
    state = copy.deepcopy(found.model.state_dict())
    for name in found.masks.weights:
        for place in found.masks.keep[name].nonzero().tolist():
            found.model.load_state_dict(state)
            keep = {k: x.clone() for k, x in found.masks.keep.items()}
            keep[name][tuple(place)] = False
            less = Masks(keep, found.masks.weights)
            handle = attach(found.model, less)
            how.train(found.model)
            apply(found.model, less)
            handle.remove()
            assert how.evaluate(found.model) < 1


@pytest.mark.parametrize("finest", [-0.1, 1.0, 2, float("nan")])
def test_smallest_share_that_cannot_be_meant_is_refused(finest):
    with pytest.raises(DataError, match="finest must be a share of what is") as caught:
        search(finest=finest)
    assert "\n" not in str(caught.value)


def test_smallest_share_of_another_library_is_a_number(tmp_path):
    found = search(finest=np.float64(0.25), edges=None, checkpoint=tmp_path)
    assert found.score == 1.0


@pytest.mark.parametrize("holder", [ByAttribute, Held, KeptInStep, Pair])
def test_outputs_and_targets_of_every_kind_are_measured(holder):
    class Holding(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = mlp(4, 6, 2)

        def forward(self, x):
            return holder(logits=self.inside(x), scale=2)

    def loss(outputs, targets):
        at = outputs.logits * outputs.scale
        return F.binary_cross_entropy_with_logits(at, targets.logits)

    torch.manual_seed(0)
    wanted = holder(logits=TARGETS, scale=2)
    sculpture = sculpt(
        Holding(),
        INPUTS,
        train=lambda model: None,
        evaluate=lambda model: -loss(model(INPUTS), wanted).item(),
        batches=[(INPUTS, wanted)],
        loss=loss,
        max_drop=0.5,
        units=0.3,
        edges=0.2,
        edge_importance=EdgeSensitivity(),
        finest=0.1,
    )
    stages = {step.stage for step in sculpture.record if step.accepted}
    assert stages >= {"units", "edges"}


def test_a_network_with_transposed_convolutions_is_sculpted():
    torch.manual_seed(0)
    down, up = nn.Conv2d(1, 8, 2, stride=2), nn.ConvTranspose2d(8, 6, 2, stride=2)
    grouped = nn.ConvTranspose2d(6, 4, 1, groups=2)
    model = nn.Sequential(down, nn.ReLU(), up, grouped, nn.ReLU(), nn.Conv2d(4, 1, 1))
    images = torch.randn(12, 1, 4, 4)

    def error(model):
        return F.mse_loss(model(images), images)

    sculpture = sculpt(
        model,
        images,
        train=lambda model: None,
        evaluate=lambda model: -error(model).item(),
        batches=[(images, images)],
        loss=F.mse_loss,
        max_drop=0.5,
        units=0.2,
        edges=0.2,
        edge_importance=EdgeSensitivity(),
        finest=0.1,
    )
    stages = {step.stage for step in sculpture.record if step.accepted}
    assert stages >= {"units", "edges"}
