"""A trace leaves a model as it found it, and says why a forward fails."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from sculpt_plugin.errors import ModelError, TraceError
from sculpt_plugin.tracing.wiring import wire


class Counting(nn.Module):
    """Changes its state in every forward, in all the ways a module can."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.norm = nn.BatchNorm1d(2)
        self.last: Tensor | None = None
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("replaced", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.replaced = self.replaced + 1
        self.memory = self.norm(self.layer(x + 0 * torch.rand(())))
        return self.memory


class Constant(nn.Linear):
    """Gives nothing but its weights."""

    def __init__(self) -> None:
        super().__init__(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * 2


def hooks(model: nn.Module) -> list[int]:
    return [
        len(module._forward_hooks) + len(module._forward_pre_hooks)
        for module in model.modules()
    ]


def test_a_model_is_left_as_it_was_found() -> None:
    model = Counting().train()
    model.norm.eval()
    model.layer.weight.requires_grad_(False)
    model.layer.bias.grad = torch.ones(2)
    state = copy.deepcopy(model.state_dict())
    random_state = torch.get_rng_state()
    wire(model, torch.randn(2, 3, generator=torch.Generator()))
    torch.testing.assert_close(model.state_dict(), state, rtol=0, atol=0)
    assert [module.training for module in model.modules()] == [True, True, False]
    assert not model.layer.weight.requires_grad and model.layer.bias.requires_grad
    assert model.layer.bias.grad.tolist() == [1.0, 1.0]
    assert model.layer.weight.grad is None
    assert hooks(model) == [0, 0, 0]
    assert not hasattr(model, "memory")
    assert torch.equal(torch.get_rng_state(), random_state)


def test_a_pruned_model_can_still_be_copied() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    with torch.no_grad():
        prune.l1_unstructured(model[0], "weight", amount=1)
        weight = model[0].weight
    wire(model, torch.zeros(1, 2))
    assert model[0].weight is weight


def test_example_inputs_are_left_as_they_were_found() -> None:
    inputs = torch.tensor([[-1.0, 2.0]])
    wire(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(2, 1)), inputs)
    assert inputs.tolist() == [[-1.0, 2.0]] and not inputs.requires_grad


def test_a_forward_that_fails_leaves_no_hooks() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(3, 2))
    with pytest.raises(ModelError):
        wire(model, torch.zeros(1, 3))
    assert hooks(model) == [0, 0, 0]
    assert model.training


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (
            nn.Sequential(nn.Linear(784, 2)),
            (1, 28, 28),
            r"Layer '0' \(Linear\) takes 784 features, and gets a tensor of shape "
            r"\[1, 28, 28\]; example_inputs has shape \[1, 28, 28\]: pass a batch",
        ),
        (
            nn.Sequential(nn.Conv2d(3, 2, 1)),
            (1, 1, 8, 8),
            r"takes 3 channels, and gets a tensor of shape \[1, 1, 8, 8\]",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(8, 2)),
            (1, 1, 3, 3),
            r"Layer '2' \(Linear\) takes 8 features, and gets .* \[1, 18\]",
        ),
        (
            nn.Sequential(nn.Linear(2, 2), nn.Unflatten(1, (3, 3))),
            (1, 2),
            r"must run on example_inputs, and fails: .*example_inputs has shape",
        ),
    ],
)
def test_a_forward_that_fails_is_explained_in_one_line(
    model: nn.Module, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ModelError, match=message) as failure:
        wire(model, torch.zeros(shape))
    assert "\n" not in str(failure.value)


def test_an_unbatched_image_is_not_taken_for_a_batch() -> None:
    with pytest.raises(
        ModelError, match=r"'0' \(Conv2d\) must get a batch, with 4 axes"
    ):
        wire(nn.Sequential(nn.Conv2d(2, 1, 1)), torch.zeros(2, 4, 4))


def test_a_hook_that_changes_an_output_is_seen() -> None:
    layer = nn.Linear(2, 2)
    layer.register_forward_hook(lambda module, args, output: output.flip(1))
    last = wire(nn.Sequential(layer, nn.Linear(2, 1)), torch.zeros(1, 2)).layers[1]
    assert last.columns[0] > last.columns[1]


def test_a_frozen_model_is_wired_whatever_the_mode_of_autograd() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)).requires_grad_(False)
    with torch.no_grad():
        assert len(wire(model, torch.zeros(1, 2)).layers) == 2
    with torch.inference_mode():
        assert len(wire(model, torch.zeros(1, 2)).layers) == 2


def test_attention_is_as_fast_afterwards_as_before() -> None:
    layer = nn.TransformerEncoderLayer(4, 2, 4, batch_first=True)
    before = torch.backends.mha.get_fastpath_enabled()
    wire(layer, torch.zeros(1, 3, 4))
    assert torch.backends.mha.get_fastpath_enabled() == before


def test_the_compiler_of_torch_is_not_loaded() -> None:
    code = (
        "import sys, torch; from sculpt_plugin.analysis.trace import trace;"
        "trace(torch.nn.Linear(2, 1), torch.zeros(1, 2));"
        "print('torch._dynamo' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, text=True).strip() == "False"


@pytest.mark.parametrize(
    ("model", "inputs", "message"),
    [
        ("weights", torch.zeros(1, 2), "model must be a torch.nn.Module, got str"),
        (nn.Linear(2, 1), [1.0], "must be a tensor, or a tuple or dict with tensors"),
        (nn.Linear(2, 1), torch.zeros(2), "must have a batch axis and a unit axis"),
        (nn.Linear(2, 1), torch.zeros(0, 2), r"must not be empty, got shape \[0, 2\]"),
        (nn.LazyLinear(1), torch.zeros(1, 2), "'weight' has no shape yet"),
        (nn.Linear(2, 1, device="meta"), torch.zeros(1, 2), "'weight' is on the meta"),
        (nn.Linear(2, 1), torch.zeros(1, 2).double(), "type that the model was made"),
    ],
)
def test_what_a_trace_cannot_begin_with_is_refused(model, inputs, message) -> None:
    with pytest.raises(ModelError, match=message):
        wire(model, inputs)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.ReLU(), "must have weights, and ReLU has none"),
        (Constant(), "must depend on example_inputs"),
    ],
)
def test_a_model_without_anything_to_follow_is_refused(model, message) -> None:
    with pytest.raises(TraceError, match=message):
        wire(model, torch.zeros(1, 2))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_weights_that_are_not_finite_are_refused(place: int) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    with torch.no_grad():
        model[place].weight.view(-1)[0] = float("nan")
    with pytest.raises(TraceError, match=f"'{place}' must have finite"):
        wire(model, torch.zeros(2, 2))
