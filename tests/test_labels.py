"""Labels follow the memory of tensors: views, writes, and tensors that are gone."""

import numpy as np
import pytest
import torch

from sculpt_plugin.tracing.labels import NotLabelledError, TensorLabels, spread_out
from sculpt_plugin.tracing.sets import UnitSets


def labelled(*shape: int) -> tuple[torch.Tensor, TensorLabels]:
    labels, x = TensorLabels(UnitSets()), torch.zeros(shape)
    labels.put(x, np.arange(1, x.numel() + 1).reshape(shape))
    return x, labels


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.t(),
        lambda x: x[1:, ::2],
        lambda x: x.reshape(-1)[3:],
        lambda x: x.unsqueeze(0).expand(2, -1, -1),
        lambda x: x.diagonal(),
    ],
)
def test_a_view_has_the_labels_of_its_places(view) -> None:
    x, labels = labelled(2, 4)
    numbers = torch.arange(1, 9).reshape(2, 4)
    torch.testing.assert_close(labels.of(view(x)), view(numbers).to(torch.int32))


def test_what_is_written_into_a_view_is_found_in_the_whole() -> None:
    x, labels = labelled(2, 2)
    labels.put(x[:, 1], np.array([7, 8]))
    assert labels.of(x).tolist() == [[1, 7], [3, 8]]


def test_a_tensor_that_took_the_memory_of_another_has_no_labels() -> None:
    x, labels = labelled(1000)
    del x
    assert all(labels.of(torch.zeros(1000)) is None for _ in range(10))


def test_the_parts_of_a_complex_number_share_its_label() -> None:
    labels, x = TensorLabels(UnitSets()), torch.zeros(2, dtype=torch.complex64)
    labels.put(x, np.array([1, 2]))
    assert labels.of(torch.view_as_real(x)).tolist() == [[1, 1], [2, 2]]


def test_a_complex_number_carries_what_its_parts_do() -> None:
    labels, x = TensorLabels(UnitSets()), torch.zeros(1, 2)
    labels.put(x, labels.sets.new_units(2))
    (label,) = labels.of(torch.view_as_complex(x)).tolist()
    assert labels.sets.units(label).tolist() == [0, 1]


def test_what_is_written_into_the_real_parts_is_found_in_the_whole() -> None:
    labels, x = TensorLabels(UnitSets()), torch.zeros(2, dtype=torch.complex64)
    labels.put(x.real, labels.sets.new_units(2))
    units = [labels.sets.units(label).tolist() for label in labels.of(x).tolist()]
    assert units == [[0], [1]]
    assert labels.of(x.imag).tolist() == [0, 0]


def test_memory_that_grew_has_no_labels_where_it_is_new() -> None:
    x, labels = labelled(2)
    assert labels.of(x.resize_(4)).tolist() == [1, 2, 0, 0]


def test_a_sparse_tensor_is_refused() -> None:
    _, labels = labelled(1)
    with pytest.raises(NotLabelledError, match="not stored densely"):
        labels.of(torch.eye(2).to_sparse())


def test_a_view_of_weights_is_a_weight() -> None:
    _, labels = labelled(1)
    weight = torch.ones(2, 2)
    labels.mark_weights([weight])
    assert labels.is_weight(weight.t()) and not labels.is_weight(torch.ones(2, 2))


def test_axes_along_which_nothing_differs_are_spread_out() -> None:
    channels = torch.arange(3).reshape(1, 3, 1).expand(2, 3, 4).contiguous()
    assert spread_out(channels).shape == (1, 3, 1)
