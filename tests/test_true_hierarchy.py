import pytest

from sculpt_plugin import tasks
from sculpt_plugin.tasks.function_graph import FunctionGraph
from sculpt_plugin.tasks.gates import and_, or_, xor
from sculpt_plugin.tasks.true_hierarchy import true_hierarchy

INPUTS = {
    "8,": (0, 0, 0, 0, 1, 1, 1, 1),
    "7,": (0, 0, 0, 1, 2, 2, 2),
    "6,": (0, 0, 1, 1, 2, 2),
    "5,": (0, 1, 1, 1, 2),
    "4,1,": (0, 0, 0, 0),
    "4,2,4": (0, 0, 1, 1),
}


@pytest.mark.parametrize("name", tasks.names())
def test_inputs_are_grouped_as_the_paper_groups_them(name):
    expected = [labels for start, labels in INPUTS.items() if name.startswith(start)]

    assert [tasks.get(name).truth.input_label] == expected


@pytest.mark.parametrize("name", [name for name in tasks.names() if name != "4,2,4"])
def test_equal_outputs_are_together_and_different_ones_apart(name):
    task = tasks.get(name)
    functions = [column.tobytes() for column in task.graph.table.T]

    same_function = [[a == b for a in functions] for b in functions]
    labels = task.truth.output_label

    assert [[a == b for a in labels] for b in labels] == same_function


def test_a_function_and_its_opposite_are_one_module():
    assert tasks.get("4,2,4").truth.output_label == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("name", "count"), [("4,2,4", 2), ("4,1,2,16", 3), ("6,3,3,3", 6), ("4,1,4", 1)]
)
def test_exemplars_have_the_papers_number_of_modules(name, count):
    assert len(tasks.get(name).truth.modules) == count


def test_three_levels_worked_out_by_hand():
    graph = FunctionGraph(
        inputs=("a", "b", "c", "unread", "d"),
        functions={
            "p": xor("a", "b"),
            "q": and_("p", "c"),
            "r": or_("q", "d"),
            "s": xor("p", "q"),
        },
        outputs=("r", "s", "q"),
    )

    truth = true_hierarchy(graph)

    assert truth.input_label == (0, 0, 1, -1, 2)
    named = {module.function: module for module in truth.modules if module.function}
    assert {name: module.level for name, module in named.items()} == {
        "p": 0,
        "q": 1,
        "r": 2,
        "s": 2,
    }
    assert named["p"].used_by == tuple(sorted((named["q"].id, named["s"].id)))
    assert named["p"].inputs == (0, 1)
    assert named["q"].outputs == (2,)
    assert truth.edges == tuple(
        sorted(
            [
                (named["p"].id, named["q"].id),
                (named["p"].id, named["s"].id),
                (1, named["q"].id),
                (named["q"].id, named["r"].id),
                (named["q"].id, named["s"].id),
                (2, named["r"].id),
            ]
        )
    )


@pytest.mark.parametrize("name", tasks.names())
def test_modules_labels_and_edges_tell_the_same_story(name):
    truth = tasks.get(name).truth

    assert [module.id for module in truth.modules] == list(range(len(truth.modules)))
    pairs = [(m.id, later) for m in truth.modules for later in m.used_by]
    assert tuple(sorted(pairs)) == truth.edges
    levels = [module.level for module in truth.modules]
    assert all(levels[start] < levels[to] for start, to in truth.edges)
    owners = [truth.input_label[place] for m in truth.modules for place in m.inputs]
    assert owners == [m.id for m in truth.modules for _ in m.inputs]
