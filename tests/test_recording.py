"""A trace leaves a model as it found it, and says why a forward fails."""

import copy

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
            r"must run on example_inputs, and fails with: .*example_inputs has shape",
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
        TraceError, match=r"'0' \(Conv2d\) must get a tensor with 4 axes"
    ):
        wire(nn.Sequential(nn.Conv2d(2, 1, 1)), torch.zeros(2, 4, 4))


def test_a_hook_that_changes_an_output_is_seen() -> None:
    layer = nn.Linear(2, 2)
    layer.register_forward_hook(lambda module, args, output: output.flip(1))
    with pytest.raises(TraceError, match="'flip' after '0'"):
        wire(nn.Sequential(layer, nn.Linear(2, 1)), torch.zeros(1, 2))
