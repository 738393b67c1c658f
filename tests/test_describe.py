import numpy as np
import pytest

from sculpt_plugin.analysis.describe import describe
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import TaskModule


def two_pairs_and_a_reader() -> tuple[TaskModule, ...]:
    """Modules 0: inputs 0, 1, unit 4; 1: inputs 2, 3, unit 5; 2: the output, 6."""
    edges = [(0, 4), (1, 4), (2, 5), (4, 6), (5, 6), (3, 5)]
    graph = LayeredGraph.from_edges((4, 2, 1), edges)
    return describe(graph, np.array([0, 0, 1, 1, 0, 1, 2]))[0]


def test_module_that_reads_others_lies_above_them() -> None:
    assert [module.level for module in two_pairs_and_a_reader()] == [0, 0, 1]


def test_module_knows_who_uses_it() -> None:
    used_by = [module.used_by for module in two_pairs_and_a_reader()]
    assert used_by == [(2,), (2,), ()]


def test_module_lists_inputs_and_outputs_of_its_own_and_beyond() -> None:
    modules = two_pairs_and_a_reader()
    assert [module.inputs for module in modules] == [(0, 1), (2, 3), (0, 1, 2, 3)]
    assert [module.outputs for module in modules] == [(0,), (0,), (0,)]


def test_module_counts_its_units_and_layers() -> None:
    modules = two_pairs_and_a_reader()
    assert [module.units for module in modules] == [3, 3, 1]
    assert [module.layers for module in modules] == [(0, 1), (0, 1), (2,)]


def test_density_is_the_share_of_possible_edges_and_none_without_room() -> None:
    edges = [(0, 3), (0, 4), (1, 4), (2, 4), (3, 5), (4, 5)]
    graph = LayeredGraph.from_edges((3, 2, 1), edges)
    modules, _ = describe(graph, np.array([0, 0, 0, 0, 0, 1]))
    assert [module.density for module in modules] == [4 / 6, 0.0]


def test_density_allows_for_layers_that_are_joined_past_others() -> None:
    graph = LayeredGraph.from_edges((2, 1, 1), [(0, 2), (2, 3), (0, 3)])
    modules, _ = describe(graph, np.zeros(4, dtype=int))
    assert modules[0].density == 3 / 5


def test_edges_between_modules_are_counted() -> None:
    graph = LayeredGraph.from_edges((2, 2), [(0, 2), (0, 3), (1, 2), (1, 3)])
    _, edges = describe(graph, np.array([0, 1, 0, 1]))
    assert edges == {(0, 1): 1, (1, 0): 1}


@pytest.mark.parametrize("back", [True, False])
def test_modules_that_feed_each_other_share_a_level(back: bool) -> None:
    # Chains 0-2-4-6 and 1-3-5-7: the first feeds the second, which may feed it back.
    edges = [(0, 2), (2, 4), (4, 6), (1, 3), (3, 5), (5, 7), (0, 3), (5, 8), (4, 8)]
    graph = LayeredGraph.from_edges((2, 2, 2, 3), [*edges, *[(3, 4)] * back])
    modules, _ = describe(graph, np.array([0, 1, 0, 1, 0, 1, 0, 1, 2]))
    assert [module.level for module in modules] == ([0, 0, 1] if back else [0, 1, 2])


def test_input_separable_modules_share_no_input_with_their_level() -> None:
    edges = [(0, 3), (1, 4), (2, 4), (2, 5)]
    graph = LayeredGraph.from_edges((3, 3), edges)
    modules, _ = describe(graph, np.array([0, 1, 2, 0, 3, 4]))
    # Outputs 3 and 4 of level 1 both read input 2.
    separable = [module.input_separable for module in modules]
    assert separable == [True, True, True, False, False]


def test_output_that_nothing_feeds_is_not_input_separable() -> None:
    graph = LayeredGraph.from_edges((1, 2), [(0, 1)])
    modules, _ = describe(graph, np.array([0, 0, 1]))
    assert (modules[1].inputs, modules[1].input_separable) == ((), False)


def test_inputs_and_outputs_keep_their_original_numbers() -> None:
    graph = LayeredGraph.from_edges((3, 2), [(2, 4), (2, 3)])
    modules, _ = describe(graph.live(), np.array([0, 0, 0]))
    assert (modules[0].inputs, modules[0].outputs) == ((2,), (0, 1))
