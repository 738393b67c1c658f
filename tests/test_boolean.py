import json
from pathlib import Path

import pytest

from sculpt_plugin import tasks
from sculpt_plugin.errors import TaskError

TABLES = Path(__file__).parents[2] / "shared" / "reference" / "truth_tables.json"


@pytest.mark.skipif(not TABLES.exists(), reason="the paper's tables are not here")
def test_all_39_tables_are_the_papers():
    reference = json.loads(TABLES.read_text())
    ours = {}
    for key in reference:
        _, name = key.split(" ", 1)
        columns = tasks.get(name).graph.table.T.astype(int)
        ours[key] = ["".join(map(str, column)) for column in columns]

    assert len(ours) == 39
    assert ours == reference


@pytest.mark.parametrize(
    ("family", "count"), [("exemplar", 4), ("reuse", 5), ("overlap", 25)]
)
def test_family_has_as_many_tasks_as_in_the_paper(family, count):
    assert len(tasks.names(family)) == count


def test_task_of_two_families_is_listed_once():
    assert tasks.get("4,1,2,16").families == ("exemplar", "reuse")
    assert tasks.names().count("4,1,2,16") == 1


@pytest.mark.parametrize("spelling", ["4,1,2,2", "[4,1,2,2]", " [4, 1, 2, 2] "])
def test_name_may_be_spelled_as_in_the_paper(spelling):
    assert tasks.get(spelling).name == "4,1,2,2"


def test_longer_name_is_another_task():
    short, long = tasks.get("4,1,2,2"), tasks.get("4,1,2,2,2")

    assert (short.families, long.families) == (("reuse",), ("overlap",))
    assert (short.graph.table != long.graph.table).any()


def test_outputs_of_the_reuse_family_alternate():
    table = tasks.get("4,1,2,4").graph.table

    assert (table[:, :2] == table[:, 2:]).all()
    assert table[0b1100].tolist() == [True, False, True, False]
    assert table[0b0011].tolist() == [False, True, False, True]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("[4,2,5]", r"got '\[4,2,5\]': did you mean 4,2,4 or"),
        ("4" * 10_000, r"^.{1,100}$"),
        ("numbers", "got 'numbers': `sculpt tasks` lists"),
        ("digits-pair", "sculpt run digits-pair --data DIR, or sculpt_plugin.tasks"),
    ],
)
def test_unknown_name_is_refused_with_advice(name, message):
    with pytest.raises(TaskError, match=message):
        tasks.get(name)
