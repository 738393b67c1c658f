import pytest
from judged_by_hand import CELL, fill

from sculpt_plugin.errors import CheckpointError
from sculpt_plugin.reproducing import experiments, outcome
from sculpt_plugin.reproducing.experiments import Cell
from sculpt_plugin.reproducing.reproduce import reproduce
from sculpt_plugin.reproducing.results import judge_folder


@pytest.fixture
def results(tmp_path):
    fill(tmp_path)
    return judge_folder(tmp_path, methods=["agglomerative"])


def test_a_row_counts_what_is_right_and_a_lost_seed_as_wrong(results):
    (row,) = results.rows
    assert (row.family, row.task, row.depth) == ("exemplar", "4,2,4", 1)
    assert (row.criterion, row.published) == ("modules", 1)
    found = {rate.voice: (rate.right, rate.total) for rate in row.rates}
    assert found == {
        "single": (1, 3),
        "within 5 %": (1, 3),
        "within 10 %": (1, 3),
        "within 20 %": (1, 3),
        "typical": (1, 3),
        "consensus": (2, 3),
        "all seeds": (1, 1),
    }


def test_densities_are_of_the_seeds_that_learned(results):
    (row,) = results.densities
    assert row.densities == (16 / 32, 8 / 32)


def test_the_time_is_what_the_cells_took(results):
    assert results.seconds == 1.5
    assert results.cells[0].outcome.cell == CELL


def swift(build, recipe, **grid):
    from small_sweep import engine

    return engine(build, recipe, **grid)


def test_depths_are_pooled_where_the_paper_pools_them(tmp_path, monkeypatch):
    monkeypatch.setattr(outcome, "sweep", swift)
    cells = [
        Cell("5,3,2,2", (6,) * depth, (0.1, 0.2), (0.01,), seeds=(0, 1))
        for depth in (1, 2)
    ]
    reproduce(cells, tmp_path)
    found = judge_folder(tmp_path, families=["overlap"], methods=["agglomerative"])
    assert [(row.criterion, row.depth) for row in found.rows] == [
        (criterion, depth)
        for criterion in ("inputs", "outputs", "apart")
        for depth in (None, 1, 2)
    ]
    assert [row.published for row in found.rows[:3]] == [0.64, None, None]
    assert [row.rates[0].total for row in found.rows[:3]] == [4, 2, 2]
    pooled, one, two = (row.rates[0].right for row in found.rows[:3])
    assert pooled == one + two


def test_a_task_of_two_families_is_in_both_tables(tmp_path, monkeypatch):
    monkeypatch.setattr(outcome, "sweep", swift)
    reproduce([Cell("4,1,2,16", (6,), (0.1,), (0.01,), seeds=(0,))], tmp_path)
    found = judge_folder(tmp_path, methods=["agglomerative"])
    assert [row.family for row in found.rows] == ["exemplar", "reuse"]
    assert len(found.cells) == 1


def test_rows_come_in_the_order_of_the_families_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(outcome, "sweep", swift)
    cells = [
        Cell(name, (6,), (0.1,), (0.01,), seeds=(0,))
        for name in ("4,1,4", "4,1,2,2", "4,2,4")
    ]
    reproduce(cells, tmp_path)
    found = judge_folder(
        tmp_path, families=["reuse", "exemplar"], methods=["agglomerative"]
    )
    assert [row.task for row in found.rows] == ["4,1,2,2", "4,2,4", "4,1,4"]
    assert [row.task for row in found.densities] == ["4,1,2,2", "4,2,4", "4,1,4"]


def test_a_folder_without_cells_of_the_family_says_so(tmp_path):
    fill(tmp_path)
    with pytest.raises(CheckpointError, match="must hold cells of reuse"):
        judge_folder(tmp_path, families=["reuse"])


def test_processes_judge_as_one_would(tmp_path, results):
    again = judge_folder(tmp_path, methods=["agglomerative"], jobs=2)
    assert again == results


def test_judging_says_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(outcome, "sweep", swift)
    cells = [Cell("4,1,4", (width,), (0.1,), (0.01,), seeds=(0,)) for width in (6, 7)]
    reproduce(cells, tmp_path)
    said = []

    judge_folder(tmp_path, methods=["agglomerative"], on_cell=said.append)

    assert [(now.done, now.total, now.share) for now in said] == [
        (1, 2, 0.5),
        (2, 2, 1.0),
    ]
    assert {now.outcome.cell for now in said} == set(cells)


def test_the_papers_seeds_are_taken():
    assert experiments.SEEDS == (0, 1, 2, 5)
