import importlib.util

import pytest
import torch
from networks import Chain, Concat, Grouped, Residual, mlp, warmed
from torch import nn
from torch.nn.utils import parametrizations, prune

from sculpt_plugin.coupling import couple
from sculpt_plugin.errors import ModelError
from sculpt_plugin.vision import import_torchvision


def named(members):
    return sorted((m.parameter, m.axis, m.index.tolist()) for m in members)


def test_a_chain_couples_rows_bias_and_the_columns_above():
    first, second, output = couple(Chain(), torch.zeros(1, 4)).groups
    assert named(first.makes) == [
        ("layers.0.bias", 0, list(range(7))),
        ("layers.0.weight", 0, list(range(7))),
    ]
    assert named(first.reads) == [("layers.2.weight", 1, list(range(7)))]
    assert named(second.makes) == [("layers.2.weight", 0, list(range(5)))]
    assert named(second.reads) == [("output.weight", 1, list(range(5)))]
    assert output.obstacle == "its units are the model's outputs"


def test_an_addition_couples_both_layers_and_a_flatten_spreads_the_columns():
    model, batch = warmed(Residual)
    trunk, hidden, _ = couple(model, batch).groups
    assert {m.parameter for m in trunk.makes} == {
        f"{layer}.{kind}"
        for layer in ("conv1", "norm1", "conv2", "norm2")
        for kind in ("weight", "bias")
    }
    read = {m.parameter: m for m in trunk.reads}
    assert set(read) == {"conv2.weight", "hidden.weight"}
    order = read["hidden.weight"].index.argsort()
    expected = torch.arange(5).repeat_interleave(16)
    assert torch.equal(read["hidden.weight"].unit[order], expected)
    assert hidden.size == 6


def test_concat_shifts_the_columns_of_the_second_branch():
    groups = {g.name: g for g in couple(Concat(), torch.zeros(2, 4)).groups}
    assert named(groups["left"].reads) == [("output.weight", 1, [0, 1, 2])]
    assert named(groups["right"].reads) == [("output.weight", 1, [3, 4, 5, 6, 7])]


def test_a_grouped_convolution_reads_with_part_of_its_rows():
    groups = {g.name: g for g in couple(Grouped(), torch.zeros(2, 1, 4, 4)).groups}
    below = groups["depthwise"]
    parts = [(m.rows.start, m.rows.stop, m.index.tolist()) for m in below.reads]
    assert parts == [(0, 2, [0, 1, 2]), (2, 4, [3, 4, 5])]
    assert not below.shrinks


def test_a_batch_of_one_is_not_unpacked():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(12, 2))
    group = couple(model, torch.zeros(1, 1, 4, 4)).groups[0]
    assert len(group.reads[0].index) == 12


def test_a_linear_added_to_a_flattened_convolution_is_left_alone():
    class Added(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 1)
            self.linear = nn.Linear(4, 8)
            self.output = nn.Linear(8, 2)

        def forward(self, x):
            return self.output(self.conv(x).flatten(1) + self.linear(x.flatten(1)))

    group = couple(Added(), torch.zeros(1, 1, 2, 2)).groups[0]
    assert "through a flatten" in group.obstacle


def test_outputs_that_are_used_again_inside_are_still_outputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.below, self.above = nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, x):
            hidden = self.below(x)
            return hidden, self.above(hidden)

    assert couple(Two(), torch.zeros(1, 3)).prunable == ()


def test_ignored_layers_keep_units_and_edges():
    coupling = couple(Chain(), torch.zeros(1, 4), ignore=["layers.0"])
    assert [g.name for g in coupling.prunable] == ["layers.2"]
    assert coupling.weights == ("layers.2.weight", "output.weight")


def test_the_model_is_left_as_it_was_found():
    model = Residual()
    model.norm1.eval()
    model.conv1.weight.requires_grad_(False)
    before = {name: x.clone() for name, x in model.state_dict().items()}
    modes = [m.training for m in model.modules()]
    with torch.no_grad():
        couple(model, torch.randn(3, *Residual.shape))
    assert modes == [m.training for m in model.modules()]
    assert not model.conv1.weight.requires_grad
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(before[n], x) for n, x in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (torch.zeros(1, 3), r"cannot run on example_inputs of shape \[1, 3\]"),
        (torch.zeros(1, 4, dtype=torch.float64), "model's dtype torch.float32"),
        (torch.zeros(1, 4, device="meta"), "device 'cpu', got 'meta'"),
        ("four", "must be a tensor, or a tuple or dict"),
        ([], "must be a tensor, or a tuple or dict"),
    ],
)
def test_inputs_the_model_cannot_take_are_refused(inputs, message):
    with pytest.raises(ModelError, match=message):
        couple(mlp(4, 3, 2), inputs)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.ReLU(), "no parameters"),
        (nn.BatchNorm1d(4), "no Linear or convolution"),
    ],
)
def test_models_without_edges_are_refused(model, message):
    with pytest.raises(ModelError, match=message):
        couple(model, torch.zeros(2, 4))


def test_an_unknown_ignored_layer_is_named():
    with pytest.raises(ModelError, match=r"ignore names 'fc9'.*0, 2"):
        couple(mlp(4, 3, 2), torch.zeros(1, 4), ignore=["fc9"])


def test_masks_of_torch_prune_are_refused_with_the_remedy():
    model = mlp(4, 3, 2)
    prune.random_unstructured(model[0], "weight", 0.5)
    with pytest.raises(ModelError, match=r"prune\.remove"):
        couple(model, torch.zeros(1, 4))


def test_parametrized_layers_are_refused_with_the_remedy():
    model = mlp(4, 3, 2)
    parametrizations.weight_norm(model[0])
    with pytest.raises(ModelError, match="remove_parametrizations"):
        couple(model, torch.zeros(1, 4))


class Wired(nn.Module):
    """Layers by name, and what to do with them."""

    def __init__(self, forward, **layers):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.wiring = forward

    def forward(self, x):
        return self.wiring(self, x)


def gated(m, x):
    left, right = m.a(x).chunk(2, dim=1)
    return m.b(left * right.sigmoid())


def attending(m, x):
    scores = m.a(x) @ m.k(x).transpose(1, 2)
    return m.b(scores.softmax(-1) @ m.v(x))


MISREAD = {
    "a flatten behind a PReLU": (
        lambda m, x: m.b(m.act(m.a(x)).flatten(1)),
        {"a": nn.Conv2d(1, 6, 3), "act": nn.PReLU(), "b": nn.Linear(216, 2)},
        (1, 8, 8),
    ),
    "a flatten of positions": (
        lambda m, x: m.b(m.a(x).relu().flatten(1)),
        {"a": nn.Linear(3, 6), "b": nn.Linear(30, 2)},
        (5, 3),
    ),
    "halves that gate each other": (
        gated,
        {"a": nn.Linear(3, 6), "b": nn.Linear(3, 2)},
        (3,),
    ),
    "a mean over units": (
        lambda m, x: m.b(m.a(x).relu().mean(1, keepdim=True)),
        {"a": nn.Linear(3, 6), "b": nn.Linear(1, 2)},
        (3,),
    ),
    "a pixel shuffle": (
        lambda m, x: m.b(nn.functional.pixel_shuffle(m.a(x), 2)),
        {"a": nn.Conv2d(1, 8, 1), "b": nn.Conv2d(2, 2, 1)},
        (1, 4, 4),
    ),
    "channels turned into positions": (
        lambda m, x: m.b(m.a(x).relu().transpose(1, 2)),
        {"a": nn.Linear(4, 4), "b": nn.Linear(4, 2)},
        (4, 4),
    ),
    "attention": (
        attending,
        {n: nn.Linear(4, 4) for n in "akv"} | {"b": nn.Linear(4, 2)},
        (3, 4),
    ),
    "two flattened convolutions side by side": (
        lambda m, x: m.b(torch.cat([m.a(x).flatten(1), m.c(x).flatten(1)], 1)),
        {"a": nn.Conv2d(1, 3, 1), "c": nn.Conv2d(1, 5, 3), "b": nn.Linear(68, 2)},
        (1, 4, 4),
    ),
    "a layer that reads itself and the inputs": (
        lambda m, x: m.b(m.a(m.a(x).relu()).relu()),
        {"a": nn.Linear(3, 3), "b": nn.Linear(3, 2)},
        (3,),
    ),
    "a layer that is an output the second time": (
        lambda m, x: (m.b(m.a(x).relu()), m.a(m.a(x).relu())),
        {"a": nn.Linear(3, 3), "b": nn.Linear(3, 2)},
        (3,),
    ),
    "a transposed grouped convolution": (
        lambda m, x: m.b(m.t(m.a(x)).relu()),
        {
            "a": nn.Conv2d(1, 6, 1),
            "t": nn.ConvTranspose2d(6, 6, 2, groups=6),
            "b": nn.Conv2d(6, 2, 1),
        },
        (1, 4, 4),
    ),
}


def test_a_model_on_which_torch_pruning_fails_is_one_line():
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    model = import_torchvision().models.shufflenet_v2_x0_5()
    frozen = next(model.parameters()).requires_grad_(False)
    with pytest.raises(ModelError, match="fails on it with ZeroDivision") as error:
        couple(model, torch.zeros(1, 3, 64, 64))
    assert "\n" not in str(error.value)
    assert not frozen.requires_grad
    assert model.training


@pytest.mark.parametrize("case", MISREAD)
def test_units_that_torch_pruning_follows_wrongly_are_left_alone(case):
    forward, layers, shape = MISREAD[case]
    coupling = couple(Wired(forward, **layers), torch.randn(2, *shape))
    assert coupling.prunable == ()


@pytest.mark.parametrize(
    ("forward", "layers"),
    [
        (
            lambda m, x: m.b(m.a(x).relu() - m.a(2 * x).relu()),
            {"a": nn.Linear(3, 5), "b": nn.Linear(5, 2)},
        ),
        (
            lambda m, x: m.b(m.norm(m.a(x).relu())),
            {"a": nn.Linear(3, 5), "norm": nn.LayerNorm(5), "b": nn.Linear(5, 2)},
        ),
        (
            lambda m, x: m.b(input=m.a(input=x).relu()),
            {"a": nn.Linear(3, 5), "b": nn.Linear(5, 2)},
        ),
        (
            lambda m, x: (m.b(m.a(x).sigmoid()), None),
            {"a": nn.Linear(3, 5), "b": nn.Linear(5, 2)},
        ),
    ],
)
def test_units_that_are_followed_rightly_may_go(forward, layers):
    coupling = couple(Wired(forward, **layers), torch.zeros(1, 3))
    assert [group.name for group in coupling.prunable] == ["a"]


def in_range(m, x):
    assert 0 <= x.min() <= x.max() <= 1, "inputs must be in [0, 1]"
    return m.b(m.a(x).relu())


def test_a_model_that_checks_the_range_of_its_inputs_is_coupled():
    model = Wired(in_range, a=nn.Linear(3, 5), b=nn.Linear(5, 2))
    assert len(couple(model, torch.rand(2, 3)).prunable) == 1


def branching(m, x):
    hidden = m.a(x).relu()
    return m.b(m.c(hidden) if x.mean() > 0.5 else hidden)


def test_a_model_that_goes_another_way_for_other_inputs_is_refused_in_one_line():
    layers = {"a": nn.Linear(3, 5), "c": nn.Linear(5, 5), "b": nn.Linear(5, 2)}
    with pytest.raises(ModelError, match="must run the same way whatever") as caught:
        couple(Wired(branching, **layers), torch.zeros(2, 3))
    assert "\n" not in str(caught.value)


def test_ignoring_what_has_no_edges_is_refused():
    with pytest.raises(ModelError, match="'1', which holds no Linear"):
        couple(mlp(4, 3, 2), torch.zeros(1, 4), ignore=["1"])


def test_transposed_convolutions_make_units_along_their_second_axis():
    model = nn.Sequential(
        nn.ConvTranspose2d(1, 5, 2), nn.ReLU(), nn.ConvTranspose2d(5, 2, 2)
    )
    group = couple(model, torch.zeros(1, 1, 4, 4)).groups[0]
    assert [m.axis for m in group.makes] == [1, 0]
    assert [m.axis for m in group.reads] == [0]


def test_a_forward_that_draws_random_numbers_or_counts_leaves_no_trace():
    class Restless(nn.Linear):
        def __init__(self):
            super().__init__(3, 2)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls += 1
            return super().forward(x + 0 * torch.rand_like(x))

    model = Restless()
    state = torch.get_rng_state()
    couple(model, torch.zeros(1, 3))
    assert torch.equal(state, torch.get_rng_state())
    assert model.calls == 0
