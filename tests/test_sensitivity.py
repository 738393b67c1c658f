import copy

import captum.attr
import pytest
import torch
from networks import ZOO, Chain, Concat, Grouped, Residual, mlp, warmed
from torch import nn
from torch.nn import functional as F

from sculpt_plugin.coupling import couple, edge_layers
from sculpt_plugin.errors import DataError, ModelError
from sculpt_plugin.pruning.masks import Masks, apply
from sculpt_plugin.pruning.sensitivity import edge_sensitivity, unit_sensitivity

ALL = (*ZOO, Grouped)


def doubled(kind):
    """A network and samples in double precision, so that sums can be compared."""
    model, inputs = warmed(kind)
    return model.double(), inputs.double(), torch.randint(0, 3, (len(inputs),))


@pytest.mark.parametrize("kind", ALL)
def test_unit_scores_are_the_first_order_effect_of_really_silencing_a_unit(kind):
    """Scale a unit's edges by 1 - h, one sample at a time: the loss moves by -h * a."""
    model, inputs, targets = doubled(kind)
    coupling = couple(model, inputs)
    scores = unit_sensitivity(model, coupling, [(inputs, targets)], F.cross_entropy)
    step = 1e-6
    for group in coupling.prunable:
        for unit in range(group.size):
            trial = copy.deepcopy(model)
            with torch.no_grad():
                for member in group.reads:
                    part = trial.get_parameter(member.parameter)[member.rows]
                    here = member.index[member.unit == unit] % part.shape[member.axis]
                    if len(here):
                        part.index_copy_(
                            member.axis,
                            here,
                            part.index_select(member.axis, here) * (1 - step),
                        )
                moved = F.cross_entropy(trial(inputs), targets, reduction="none")
                still = F.cross_entropy(model(inputs), targets, reduction="none")
            effect = ((moved - still) / step).abs().mean()
            assert scores[group.name][unit] == pytest.approx(effect.item(), abs=2e-5)


@pytest.mark.parametrize("widths", [(8, 6), (8, 1), (1, 8), (4, 4)])
@pytest.mark.parametrize("dimensions", [1, 2])
def test_units_that_a_transposed_convolution_reads_are_scored(dimensions, widths):
    """A gate at 1 on each unit of a sample: its gradient is what silencing moves."""
    below, above = widths
    down = (nn.Conv1d, nn.Conv2d)[dimensions - 1]
    up = (nn.ConvTranspose1d, nn.ConvTranspose2d)[dimensions - 1]
    layers = down(2, below, 1), nn.ReLU(), up(below, above, 2, stride=2), nn.ReLU()
    # Beside a transposed convolution with groups no units may be pruned.
    model = nn.Sequential(*layers, up(above, 6, 2), up(6, 6, 1, groups=2))
    model = model.double()
    inputs = torch.randn(5, 2, *[3] * dimensions).double()
    batches = [(inputs, torch.zeros(5))]

    def loss(outputs, targets):
        return outputs.flatten(1).square().mean()

    scores = unit_sensitivity(model, couple(model, inputs), batches, loss)
    assert list(scores) == ["0", "2"]
    for name, size in zip(scores, widths, strict=True):
        gates = torch.ones(5, size, *[1] * dimensions, dtype=torch.float64)
        gates.requires_grad_()
        relu = model[int(name) + 1]
        handle = relu.register_forward_hook(lambda *seen, gates=gates: seen[2] * gates)
        outputs = model(inputs).flatten(1)
        handle.remove()
        (effect,) = torch.autograd.grad(outputs.square().mean(1).sum(), gates)
        assert torch.allclose(scores[name], effect.flatten(1).abs().mean(0))


def test_edges_of_a_transposed_convolution_with_groups_are_scored():
    model = nn.Sequential(nn.Conv1d(2, 4, 1), nn.ConvTranspose1d(4, 6, 2, groups=2))
    model, inputs = model.double(), torch.randn(5, 2, 3).double()

    def loss(outputs, targets):
        return outputs.square().flatten(1).sum(1).mean()

    batches = [(inputs, torch.zeros(5))]
    found = edge_sensitivity(model, ["1.weight"], batches, loss)["1.weight"]
    weight = model[1].weight
    expected = torch.zeros_like(weight)
    for x in inputs:
        (gradient,) = torch.autograd.grad(model(x[None]).square().sum(), weight)
        expected += (weight * gradient).abs().detach() / 5
    assert torch.allclose(found, expected)


def test_unit_scores_equal_captums_layer_gradient_x_activation():
    model, inputs, targets = doubled(Chain)
    coupling = couple(model, inputs)
    scores = unit_sensitivity(model, coupling, [(inputs, targets)], F.cross_entropy)

    def losses(x):
        return F.cross_entropy(model(x), targets, reduction="none")

    for layer, name in ((model.layers[1], "layers.0"), (model.layers[3], "layers.2")):
        method = captum.attr.LayerGradientXActivation(losses, layer)
        with torch.enable_grad():
            expected = method.attribute(inputs).abs().mean(0)
        assert torch.allclose(scores[name], expected.detach())


def test_edge_scores_are_the_gradients_of_single_samples_times_the_weight():
    for kind in ALL:
        model, inputs, targets = doubled(kind)
        scores = edge_sensitivity(
            model, edge_layers(model), [(inputs, targets)], F.cross_entropy
        )
        for name, score in scores.items():
            weight = model.get_parameter(name)
            expected = torch.zeros_like(weight)
            for x, y in zip(inputs, targets, strict=True):
                loss = F.cross_entropy(model(x[None]), y[None])
                (gradient,) = torch.autograd.grad(loss, weight)
                expected += (weight * gradient).abs() / len(inputs)
            assert torch.allclose(score, expected.detach()), name


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_batching_changes_no_score(kind, size):
    model, inputs, targets = doubled(kind)
    coupling = couple(model, inputs)
    whole = [(inputs, targets)]
    parts = list(zip(inputs.split(size), targets.split(size), strict=True))
    for batches in (whole, parts):
        units = unit_sensitivity(model, coupling, batches, F.cross_entropy)
        edges = edge_sensitivity(model, edge_layers(model), batches, F.cross_entropy)
        if batches is whole:
            expected_units, expected_edges = units, edges
    assert all(torch.allclose(units[n], expected_units[n]) for n in units)
    assert all(torch.allclose(edges[n], expected_edges[n]) for n in edges)


def test_a_summed_loss_gives_the_scores_of_its_mean():
    model, inputs, targets = doubled(Concat)
    coupling = couple(model, inputs)
    batches = list(zip(inputs.split(4), targets.split(4), strict=True))

    def summed(outputs, targets):
        return F.cross_entropy(outputs, targets, reduction="sum")

    mean = unit_sensitivity(model, coupling, batches, F.cross_entropy)
    total = unit_sensitivity(model, coupling, batches, summed)
    assert all(torch.allclose(mean[name], total[name]) for name in mean)


def test_a_unit_that_is_masked_scores_zero():
    model, inputs, targets = doubled(Residual)
    coupling = couple(model, inputs)
    group = coupling.prunable[0]
    gone = torch.arange(group.size) == 2
    apply(model, Masks.dense(model, coupling).without_units(group, gone))
    scores = unit_sensitivity(model, coupling, [(inputs, targets)], F.cross_entropy)
    assert (scores[group.name] == 0).tolist() == gone.tolist()


def test_positions_folded_into_the_batch_stay_with_their_sample():
    class Folded(nn.Module):
        def __init__(self):
            super().__init__()
            self.below, self.above = nn.Linear(3, 4), nn.Linear(4, 3)

        def forward(self, x):
            rows = self.above(self.below(x.reshape(-1, 3)).relu())
            return rows.reshape(len(x), -1, 3).sum(1)

    class Plain(Folded):
        def forward(self, x):
            return self.above(self.below(x).relu()).sum(1)

    folded, plain = Folded().double(), Plain().double()
    plain.load_state_dict(folded.state_dict())
    batches = [(torch.randn(6, 5, 3).double(), torch.randint(0, 3, (6,)))]
    scores = []
    for model in (folded, plain):
        coupling = couple(plain, batches[0][0])
        units = unit_sensitivity(model, coupling, batches, F.cross_entropy)
        edges = edge_sensitivity(model, edge_layers(model), batches, F.cross_entropy)
        scores.append({**units, **edges})
    assert all(torch.allclose(scores[0][n], scores[1][n]) for n in scores[0])


def test_a_layer_that_is_called_twice_adds_its_effects():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.below, self.above = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x):
            return self.above(self.below(self.below(x).tanh()).tanh())

    model = Twice().double()
    inputs, targets = torch.randn(4, 3).double(), torch.randint(0, 3, (4,))
    scores = edge_sensitivity(
        model, edge_layers(model), [(inputs, targets)], F.cross_entropy
    )
    expected = torch.zeros(3, 3).double()
    for x, y in zip(inputs, targets, strict=True):
        loss = F.cross_entropy(model(x[None]), y[None])
        (gradient,) = torch.autograd.grad(loss, model.below.weight)
        expected += (model.below.weight * gradient).abs().detach() / 4
    assert torch.allclose(scores["below.weight"], expected)


def test_in_place_activations_do_not_disturb_what_is_recorded():
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(inplace=True), nn.Linear(6, 3))
    other = mlp(4, 6, 3)
    other.load_state_dict(model.state_dict())
    batches = [(torch.randn(5, 4), torch.randint(0, 3, (5,)))]
    for measure in (
        lambda m: unit_sensitivity(
            m, couple(m, batches[0][0]), batches, F.cross_entropy
        ),
        lambda m: edge_sensitivity(m, edge_layers(m), batches, F.cross_entropy),
    ):
        first, second = measure(model), measure(other)
        assert all(torch.equal(first[name], second[name]) for name in first)


def bad(value):
    return lambda outputs, targets: value(outputs)


@pytest.mark.parametrize(
    ("batches", "loss", "message"),
    [
        ([], F.cross_entropy, "at least one"),
        ([torch.zeros(2, 4)], F.cross_entropy, "pairs, got Tensor"),
        ([(torch.zeros(0, 4), torch.zeros(0))], F.cross_entropy, "at least one sample"),
        ([(torch.zeros(2, 4), None)], bad(lambda y: y), r"one number.*got \[2, 3\]"),
        ([(torch.zeros(2, 4), None)], bad(lambda y: y.sum() / 0), "finite, got"),
        ([(torch.zeros(2, 4), None)], bad(lambda y: y.sum().item()), "one number"),
        ([(torch.zeros(2, 4), None)], bad(lambda y: y.detach().sum()), "no gradient"),
    ],
)
def test_batches_and_losses_that_cannot_be_used_are_refused(batches, loss, message):
    model = mlp(4, 5, 3)
    with pytest.raises(DataError, match=message):
        unit_sensitivity(model, couple(model, torch.zeros(1, 4)), batches, loss)


def test_batches_of_the_wrong_shape_are_refused():
    model = mlp(4, 5, 3)
    with pytest.raises(ModelError, match=r"the inputs in batches of shape \[2, 9\]"):
        unit_sensitivity(
            model,
            couple(model, torch.zeros(1, 4)),
            [(torch.zeros(2, 9), None)],
            F.cross_entropy,
        )


@pytest.mark.parametrize(
    "loss",
    [
        lambda y, t: F.cross_entropy(y, t, weight=torch.tensor([1.0, 2.0, 5.0])),
        lambda y, t: F.cross_entropy(y, t, ignore_index=0),
        lambda y, t: F.cross_entropy(y, t).square(),
    ],
)
def test_a_loss_that_is_no_mean_or_sum_of_samples_is_refused(loss):
    model = mlp(4, 5, 3)
    with torch.no_grad():
        model[2].weight *= 10
    batches = [(torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2]))]
    coupling = couple(model, batches[0][0])
    with pytest.raises(DataError, match=r"loss must be (the mean|finite)"):
        unit_sensitivity(model, coupling, batches, loss)


def test_a_summed_loss_with_several_targets_is_known_for_a_sum():
    model = mlp(4, 5, 3)
    inputs, targets = torch.randn(8, 4), torch.randn(8, 3)

    def loss(outputs, pair):
        return ((outputs - pair[0]).square() * pair[1]).sum()

    scores = [
        unit_sensitivity(
            model,
            couple(model, inputs),
            [
                (x, (t, t.abs()))
                for x, t in zip(inputs.split(size), targets.split(size), strict=True)
            ],
            loss,
        )["0"]
        for size in (8, 4)
    ]
    assert torch.allclose(scores[0], scores[1])


def test_samples_along_another_axis_are_refused():
    class TimeFirst(nn.Module):
        def __init__(self):
            super().__init__()
            self.below, self.above = nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.above(self.below(x).relu()).sum(0)

    model = TimeFirst()
    batches = [(torch.randn(5, 4, 3), torch.randint(0, 2, (4,)))]
    with pytest.raises(DataError, match=r"the 4 samples along its first axis"):
        unit_sensitivity(model, couple(model, batches[0][0]), batches, F.cross_entropy)


def test_a_loss_that_raises_and_targets_that_do_not_fit_are_one_line():
    model = mlp(4, 5, 3)
    batches = [(torch.randn(6, 4), torch.randn(7, 9))]
    with pytest.raises(DataError, match=r"loss\(outputs, targets\) raised") as caught:
        unit_sensitivity(model, couple(model, batches[0][0]), batches, F.mse_loss)
    assert "\n" not in str(caught.value)


def test_targets_of_which_no_part_can_be_taken_are_one_line():
    class Wrapped:
        classes = torch.randint(0, 3, (6,))

    def loss(outputs, targets):
        return F.cross_entropy(outputs, targets.classes)

    model, inputs = mlp(4, 5, 3), torch.randn(6, 4)
    with pytest.raises(DataError, match=r"must take some samples of a ba") as caught:
        edge_sensitivity(model, ["0.weight"], [(inputs, Wrapped())], loss)
    assert "raised ValueError: Expected input batch_size" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_batches_that_fail_while_they_are_read_are_one_line():
    def broken():
        yield torch.randn(6, 4), torch.randint(0, 3, (6,))
        raise RuntimeError("worker 3\ndied")

    model = mlp(4, 5, 3)
    with pytest.raises(DataError, match="reading it failed: worker 3 died"):
        unit_sensitivity(
            model, couple(model, torch.zeros(1, 4)), broken(), F.cross_entropy
        )


def test_half_precision_models_are_scored():
    model = mlp(4, 5, 3).bfloat16()
    batches = [(torch.randn(6, 4).bfloat16(), torch.randint(0, 3, (6,)))]
    scores = unit_sensitivity(
        model, couple(model, batches[0][0]), batches, F.cross_entropy
    )
    assert scores["0"].isfinite().all()
    assert scores["0"].any()


def test_a_model_without_hidden_units_has_no_unit_scores():
    model = mlp(4, 3)
    batches = [(torch.randn(6, 4), torch.randint(0, 3, (6,)))]
    coupling = couple(model, batches[0][0])
    assert unit_sensitivity(model, coupling, batches, F.cross_entropy) == {}


def test_a_layer_that_does_not_run_has_edges_of_score_zero():
    model = mlp(4, 5, 3)
    model.add_module("spare", nn.Linear(3, 3))
    model.forward = lambda x: model[2](model[1](model[0](x)))
    batches = [(torch.randn(6, 4), torch.randint(0, 3, (6,)))]
    scores = edge_sensitivity(model, edge_layers(model), batches, F.cross_entropy)
    assert not scores["spare.weight"].any()
    assert scores["0.weight"].any()
