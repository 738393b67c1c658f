import pytest

from sculpt_plugin import tasks
from sculpt_plugin.reproducing.experiments import EXPERIMENTS, Cell, cells


def test_the_four_families_have_the_papers_39_tasks():
    counts = [len(experiment.tasks) for experiment in EXPERIMENTS.values()]
    assert counts == [4, 5, 25, 5]


@pytest.mark.parametrize(
    ("family", "count"),
    [("exemplar", 36), ("reuse", 45), ("overlap", 225), ("hierarchy", 60)],
)
def test_each_task_is_learned_by_each_depth_and_width(family, count):
    assert len(cells([family])) == count


def test_a_task_of_two_families_is_swept_once_with_the_finer_grid():
    found = cells(["reuse", "exemplar"])
    twice = [cell for cell in found if cell.task == "4,1,2,16"]
    assert len(found) == 45 + 36 - 9
    assert {len(cell.edge_steps) for cell in twice} == {5}


def test_the_exemplars_take_all_of_the_papers_70_pairs():
    assert {
        len(cell.unit_steps) * len(cell.edge_steps) for cell in cells(["exemplar"])
    } == {70}


def test_the_hierarchy_family_is_deeper_and_wider():
    hidden = {cell.hidden for cell in cells(["hierarchy"])}
    assert len(hidden) == 12
    assert min(hidden) == (36,)
    assert max(hidden) == (60, 60, 60, 60)


def test_tasks_come_in_the_order_of_their_outputs():
    assert EXPERIMENTS["reuse"].tasks == (
        "4,1,2,2",
        "4,1,2,4",
        "4,1,2,8",
        "4,1,2,12",
        "4,1,2,16",
    )


def test_names_of_cells_are_all_different():
    every = cells(list(EXPERIMENTS))
    assert len({cell.name for cell in every}) == len(every) == 357


@pytest.mark.parametrize("family", EXPERIMENTS)
def test_an_experiments_tasks_are_those_of_its_family(family):
    assert set(EXPERIMENTS[family].tasks) == set(tasks.names(family))


def test_more_lanes_and_larger_networks_cost_more():
    small = Cell("4,2,4", (24,), (0.1,), (0.01,))
    longer = Cell("4,2,4", (24,), (0.1, 0.2), (0.01,))
    wider = Cell("4,2,4", (48,), (0.1,), (0.01,))
    assert small.cost < longer.cost
    assert small.cost < wider.cost
