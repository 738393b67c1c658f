"""Products with weights, laid out by hand."""

import torch
from torch import Tensor, nn

from sculpt_plugin.analysis.trace import trace
from sculpt_plugin.tracing.wiring import wire


class Free(nn.Module):
    """A weight of its own and a function that uses it."""

    def __init__(self, weight: list, run) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))
        self.run = run

    def forward(self, x: Tensor) -> Tensor:
        return self.run(x, self.weight)


WEIGHT = [[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]]


def kept(model: nn.Module, *shape: int) -> list:
    (layer,) = wire(model, torch.zeros(shape)).layers
    return layer.kept.astype(int).tolist()


def test_weights_on_the_right_have_a_column_for_each_unit() -> None:
    assert kept(Free(WEIGHT, lambda x, w: x @ w), 1, 2) == [[1, 0], [0, 0], [1, 1]]


def test_weights_on_the_left_have_a_row_for_each_unit() -> None:
    model = Free(WEIGHT, lambda x, w: (w @ x.mT).mT)
    assert kept(model, 1, 3) == [[1, 0, 1], [0, 0, 1]]


def test_a_vector_of_weights_makes_one_unit() -> None:
    assert kept(Free([1.0, 0.0], lambda x, w: x @ w), 1, 2) == [[1, 0]]


def test_matrices_of_a_batch_make_blocks() -> None:
    weight = [[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [0.0, 0.0]]]
    model = Free(weight, lambda x, w: torch.bmm(x.transpose(0, 1), w).transpose(0, 1))
    assert kept(model, 1, 2, 2) == [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 1, 0],
    ]


def test_one_matrix_for_a_batch_is_one_layer() -> None:
    model = Free(WEIGHT, lambda x, w: torch.einsum("bni,io->bno", x, w))
    assert kept(model, 2, 4, 2) == [[1, 0], [0, 0], [1, 1]]


def test_a_transposed_convolution_reads_by_group() -> None:
    layer = nn.ConvTranspose1d(2, 4, 1, groups=2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[1.0], [0.0]], [[2.0], [3.0]]]))
    assert kept(layer, 1, 2, 3) == [[1, 0], [0, 0], [0, 1], [0, 1]]


def test_a_bilinear_layer_reads_two_tensors() -> None:
    layer = nn.Bilinear(2, 2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[0.0, 1.0], [0.0, 0.0]]]))
    graph = trace(layer, (torch.zeros(1, 2), torch.zeros(1, 2)))
    assert graph.adjacency.toarray()[:4, 4].tolist() == [True, False, False, True]


def test_a_sum_made_along_with_a_product_is_kept() -> None:
    # addmm adds what is labelled: the layer's units and the inputs.
    model = Free([[1.0, 0.0], [0.0, 1.0]], lambda x, w: torch.addmm(x, x, w))
    graph = trace(model, torch.zeros(1, 2))
    assert graph.names == ("inputs", "model", "outputs")
    assert graph.adjacency.nnz == 2 + 4
