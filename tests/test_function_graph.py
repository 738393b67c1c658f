import numpy as np
import pytest

from sculpt_plugin.errors import TaskError
from sculpt_plugin.tasks.function_graph import FunctionGraph
from sculpt_plugin.tasks.gates import Gate, and_, not_, or_, xnor, xor


def test_table_of_a_full_adder_is_binary_addition():
    graph = FunctionGraph(
        inputs=("a", "b", "carry in"),
        functions={
            "carry": or_("both", and_("half", "carry in")),
            "half": xor("a", "b"),
            "both": and_("a", "b"),
            "sum": xor("half", "carry in"),
        },
        outputs=("carry", "sum"),
    )

    carry, total = graph.table.astype(int).T

    assert np.array_equal(2 * carry + total, graph.rows.sum(axis=1))


def test_functions_may_be_given_in_any_order():
    graph = FunctionGraph(
        inputs=("a", "b", "c"),
        functions={"late": and_("early", "c"), "early": xor("a", "b")},
        outputs=("late",),
    )

    assert graph.order == ("early", "late")


def test_opposite_output_belongs_to_the_function_it_turns_over():
    graph = FunctionGraph(
        inputs=("a", "b"), functions={"p": xor("a", "b")}, outputs=("p", not_("p"))
    )

    assert graph.output_functions == ("p", "p")
    assert np.array_equal(graph.table[:, 0], ~graph.table[:, 1])


def graph_with(functions, outputs=("p",), inputs=("a", "b")):
    return FunctionGraph(inputs=inputs, functions=functions, outputs=outputs)


CIRCLE = {"p": and_("a", "q"), "q": or_("b", "p")}
TWINS = {"p": xor("a", "b"), "q": xnor("a", "b")}
USELESS = {"p": xor("a", "b"), "q": and_("a", "b")}
NEVER = {"p": and_("both", "none"), "both": and_("a", "b"), "none": not_(or_("a", "b"))}
MANY = tuple(f"x{place}" for place in range(17))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: graph_with(CIRCLE),
            r"must not read itself, got the circle (p -> q -> p|q -> p -> q)\.",
        ),
        (
            lambda: graph_with({"p": and_("a", "bb")}),
            "Function 'p' reads 'bb', which is no input and no function: "
            "did you mean 'b'",
        ),
        (
            lambda: graph_with({"p": and_("a", "weather")}),
            "reads 'weather', which is no .*: add it to the functions",
        ),
        (
            lambda: graph_with({"p": xor("a", "b")}, outputs=("p", "q2")),
            "Output 1 is 'q2', which is no input and no function",
        ),
        (
            lambda: graph_with({"a": xor("a", "b")}, outputs=("a",)),
            "needs a name of its own, got 'a' twice",
        ),
        (
            lambda: graph_with({"p": xor("a", "b")}, inputs=("a", "b", "a")),
            "needs a name of its own, got 'a' twice",
        ),
        (
            lambda: graph_with({"p": and_(*MANY[:16])}, inputs=MANY),
            "can have 16 inputs at most, got 17",
        ),
        (lambda: graph_with({"p": not_("a")}, inputs=()), "at least one input, got no"),
        (
            lambda: graph_with({"p": xor("a", "b")}, outputs=()),
            "at least one output, got none",
        ),
        (
            lambda: graph_with({"p": Gate(("a", "b"), "0011")}),
            "'p' must depend on all that it reads, but 'b' never changes it: leave 'b'",
        ),
        (
            lambda: graph_with(NEVER),
            "Function 'p' must change between rows, but is always 0",
        ),
        (
            lambda: graph_with(TWINS, outputs=("p", "q")),
            r"'q' equals 'p' or its opposite in every row: .* 'p' or not_\('p'\)",
        ),
        (
            lambda: graph_with(USELESS),
            "must reach an output, but nothing reads 'q': leave it out",
        ),
        (
            lambda: graph_with({"p": xor("a", "b")}, outputs=("p", "a")),
            "must be a function, but output 1 is the input 'a'",
        ),
        (
            lambda: graph_with(USELESS, outputs=("p", and_("p", "q"))),
            "but output 1 combines p, q: give that combination a name in functions",
        ),
        (
            lambda: graph_with({"p": xor("a", "b")}, outputs=(Gate(("p",), "11"),)),
            "output 0 never does: write 'p' or not_",
        ),
    ],
)
def test_graph_that_is_no_task_is_refused(make, message):
    with pytest.raises(TaskError, match=message):
        make()
