"""How much the loss rises without an edge: against what it does rise, and by hand."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sculpt_plugin.errors import DataError
from sculpt_plugin.pruning.saliency import edge_saliency

NUMBERS = torch.Generator().manual_seed(0)
X = torch.randn(40, 5, generator=NUMBERS) * torch.tensor([1.0, 2.0, 0.1, 1.0, 3.0]) + 1
IMAGES = torch.randn(12, 4, 5, 5, generator=NUMBERS) + 0.5
CLASSES = torch.randint(0, 3, (40,), generator=NUMBERS)


def squared(outputs, targets):
    return (outputs - targets).square().sum(dim=1).mean()


def logistic(outputs, targets):
    return F.binary_cross_entropy_with_logits(outputs, F.one_hot(targets, 3).float())


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_it_is_what_the_loss_does_rise_where_the_rest_is_as_good_as_it_can_be():
    # Least squares: cut an edge, and let the bias take over what it carried.
    targets = torch.randn(40, 2)
    design = torch.cat([X, torch.ones(40, 1)], dim=1).double()
    found = torch.linalg.lstsq(design, targets.double()).solution.T
    layer = nn.Linear(5, 2).double()
    with torch.no_grad():
        layer.weight.copy_(found[:, :5])
        layer.bias.copy_(found[:, 5])
    x = X.double()
    scores = edge_saliency(nn.Sequential(layer), ["0.weight"], [(x, targets)], squared)[
        "0.weight"
    ]
    before = squared(layer(x), targets)
    for i in range(2):
        for j in range(5):
            weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
            bias[i] += weight[i, j] * x[:, j].mean()
            weight[i, j] = 0
            rise = squared(F.linear(x, weight, bias), targets) - before
            assert scores[i, j].item() == pytest.approx(rise.item(), rel=1e-9)


@pytest.mark.parametrize("loss", [F.cross_entropy, logistic])
def test_in_a_deeper_network_it_is_the_curvature_by_gauss_and_newton(loss):
    net = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    x = X.double()
    scores = edge_saliency(net, ["0.weight", "2.weight"], [(x, CLASSES)], loss)
    hidden = torch.tanh(net[0](x)).detach()
    for name, layer, read in (("0.weight", 0, x), ("2.weight", 2, hidden)):
        rest = net[layer + 1 :]
        curvature = torch.zeros(40, net[layer].out_features, dtype=torch.float64)
        for sample in range(40):
            at = net[layer](read[sample]).detach()
            target = CLASSES[sample : sample + 1]
            jacobian = torch.autograd.functional.jacobian(rest, at)
            outer = torch.autograd.functional.hessian(
                lambda y, target=target: loss(y[None], target), rest(at).detach()
            )
            curvature[sample] = (jacobian.T @ outer @ jacobian).diagonal()
        varying = (read - read.mean(0)).square()
        expected = curvature.T @ varying / 40 / 2 * net[layer].weight.square()
        torch.testing.assert_close(scores[name], expected.detach())


def test_of_a_convolution_it_is_summed_over_positions_before_it_is_squared():
    net = nn.Sequential(nn.Conv2d(4, 3, 3, padding=1), nn.Flatten(), nn.Linear(75, 2))
    net = net.double()
    x, targets = IMAGES.double(), torch.zeros(12, 2)
    found = edge_saliency(net, ["0.weight"], [(x, targets)], squared)["0.weight"]
    varying = x - x.mean(dim=(0, 2, 3), keepdim=True)
    total = torch.zeros_like(found)
    for sample in range(12):
        for output in range(2):
            # The loss curves by 2 along each output.
            delta = net[2].weight[output].view(1, 3, 5, 5).detach()
            total += (
                2
                * torch.nn.grad.conv2d_weight(
                    varying[sample : sample + 1], net[0].weight.shape, delta, padding=1
                ).square()
            )
    expected = net[0].weight.detach().square() / 2 * total / 12
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("outputs", [3, 7])
@pytest.mark.parametrize("size", [1, 9])
def test_how_samples_are_batched_changes_nothing(outputs, size):
    net = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, outputs))
    names = ["0.weight", "2.weight"]
    whole = edge_saliency(net, names, [(X, CLASSES)], F.cross_entropy)
    parts = list(zip(X.split(size), CLASSES.split(size), strict=True))
    cut = edge_saliency(net, names, parts, F.cross_entropy)
    for name in names:
        torch.testing.assert_close(cut[name], whole[name], rtol=1e-4, atol=1e-6)


def test_of_many_outputs_a_few_sums_say_nearly_the_same():
    x = torch.randn(4000, 5)
    net = nn.Sequential(nn.Linear(5, 12)).double()
    classes = torch.randint(0, 12, (4000,))
    found = edge_saliency(net, ["0.weight"], [(x.double(), classes)], F.cross_entropy)
    share = net(x.double()).softmax(dim=1).detach()
    varying = (x - x.mean(0)).square().double()
    expected = (share * (1 - share)).T @ varying / 4000 / 2 * net[0].weight.square()
    torch.testing.assert_close(found["0.weight"], expected.detach(), rtol=0.1, atol=0)


def test_the_mean_and_the_sum_of_the_losses_say_the_same():
    net = nn.Sequential(nn.Linear(5, 3))

    def summed(outputs, targets):
        return F.cross_entropy(outputs, targets, reduction="sum")

    one, other = (
        edge_saliency(net, ["0.weight"], [(X, CLASSES)], loss)["0.weight"]
        for loss in (F.cross_entropy, summed)
    )
    torch.testing.assert_close(one, other)


def test_an_edge_that_always_carries_the_same_scores_nothing():
    x = X.clone()
    x[:, 1] = 7.0
    net = nn.Sequential(nn.Linear(5, 3))
    scores = edge_saliency(net, ["0.weight"], [(x, CLASSES)], F.cross_entropy)
    assert scores["0.weight"][:, 1].abs().max() < 1e-9
    assert scores["0.weight"][:, 0].min() > 1e-6


def test_a_loss_without_curvature_scores_nothing():
    net = nn.Sequential(nn.Linear(5, 3))
    scores = edge_saliency(
        net, ["0.weight"], [(X, CLASSES)], lambda outputs, targets: outputs.mean()
    )
    assert scores["0.weight"].abs().max() == 0


def test_a_layer_that_no_output_depends_on_scores_nothing():
    class Aside(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.aside = nn.Linear(5, 3), nn.Linear(5, 3)

        def forward(self, x):
            self.aside(x)
            return self.used(x)

    names = ["used.weight", "aside.weight"]
    scores = edge_saliency(Aside(), names, [(X, CLASSES)], F.cross_entropy)
    assert scores["aside.weight"].abs().max() == 0 < scores["used.weight"].min()


class TwoOutputs(nn.Module):
    def forward(self, x):
        return x, x


@pytest.mark.parametrize(
    ("net", "found"),
    [
        (nn.Linear(5, 65), "got 65"),
        (TwoOutputs(), "got a tuple"),
        (nn.Flatten(0), r"got shape \[200\] for 40 samples"),
    ],
)
def test_outputs_whose_pairs_cannot_be_tabulated_are_refused(net, found):
    with pytest.raises(DataError, match=f"{found}: take EdgeMagnitude or") as error:
        edge_saliency(
            nn.Sequential(nn.Linear(5, 5), net), [], [(X, CLASSES)], F.cross_entropy
        )
    assert "\n" not in str(error.value)


def test_batches_that_can_be_read_only_once_are_refused():
    net, once = nn.Sequential(nn.Linear(5, 3)), iter([(X, CLASSES)])
    with pytest.raises(DataError, match="which can be read more than once"):
        edge_saliency(net, ["0.weight"], once, F.cross_entropy)
