"""The tree of modules in wide, narrow and plain terminals, few modules and many."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy, TaskModule
from sculpt_plugin.analysis.modules import detect
from sculpt_plugin.drawing.module_tree import ModuleTree


def two_pairs() -> ModuleTree:
    """Inputs 0, 1 and inputs 2, 3, each with a unit, which the output reads."""
    edges = [(0, 4), (1, 4), (2, 5), (3, 5), (4, 6), (5, 6)]
    graph = LayeredGraph.from_edges((4, 2, 1), edges)
    return ModuleTree(graph, detect(graph))


def pairs(count: int) -> ModuleTree:
    """So many pairs of an input and an output."""
    edges = [(unit, count + unit) for unit in range(count)]
    graph = LayeredGraph.from_edges((count, count), edges)
    return ModuleTree(graph, detect(graph))


def made_up(*modules: TaskModule) -> ModuleTree:
    """A tree of modules that no graph stands for."""
    tree = pairs(1)
    found = tree.hierarchy
    edges = {(m.id, user): 1 for m in modules for user in m.used_by}
    return ModuleTree(tree.graph, Hierarchy(modules, found.label, edges))


def printed(tree: ModuleTree, *, width: int = 100, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=file, width=width, color_system=None).print(tree)
    file.seek(0)
    return file.read()


def test_each_level_lists_its_modules_with_size_ends_and_users() -> None:
    lines = [line.rstrip() for line in printed(two_pairs()).splitlines()]
    inner, outer = "3 units in inputs, layer 1", "1 unit in layer 2          "
    assert lines[:6] == [
        "3 modules on 2 levels",
        "├── level 0, 2 modules",
        f"│   ├── M0  {inner}  x0, x1 → y0  used by M2  input-separable",
        f"│   └── M1  {inner}  x2, x3 → y0  used by M2  input-separable",
        "└── level 1, 1 module",
        f"    └── M2  {outer} x0-x3 → y0               input-separable",
    ]


@pytest.mark.parametrize("width", [30, 40, 78])
def test_narrow_terminals_get_more_lines_and_none_too_long(width: int) -> None:
    text = printed(two_pairs(), width=width)
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(re.sub("[│├└─]", "", text).split())
    assert (
        "M0 3 units in inputs, layer 1; input-separable x0, x1 → y0; used by M2"
        in words
    )


def test_terminal_without_other_letters_gets_plain_ones() -> None:
    tree = two_pairs()
    graph = replace(tree.graph, names=("größe", "a" * 20, "output"))
    text = printed(replace(tree, graph=graph), encoding="ascii")
    assert "x0, x1 -> y0" in text
    assert r"gr\xf6\xdfe, aaaaaaa..aaaaaaa" in text


def test_module_that_several_read_says_how_many() -> None:
    read = TaskModule(0, 0, (0,), 1, (0,), (0,), (1, 2, 3), True, 1.0)
    users = [TaskModule(m, 1, (1,), 1, (0,), (0,), (), False, 1.0) for m in (1, 2, 3)]
    assert "used by 3: M1-M3" in printed(made_up(read, *users))


def test_long_lists_say_how_many_names_there_are_in_all() -> None:
    odd = tuple(range(1, 600, 2))
    module = TaskModule(0, 0, (0,), 300, odd, (), (), False, 0.5)
    text = printed(made_up(module))
    assert "x1 ... x599, 300 in all → nothing" in text


@pytest.mark.parametrize(
    ("density", "said"),
    [
        (0.5, "One module: no structure here\n"),
        (1.0, "here, and no edge is missing: prune the network first\n"),
    ],
)
def test_one_module_is_called_what_it_is(density: float, said: str) -> None:
    text = printed(made_up(TaskModule(0, 0, (0,), 2, (0,), (0,), (), True, density)))
    assert said in text
    assert "input-separable" not in text and "level" not in text


@pytest.mark.parametrize(("unfed", "said"), [(1, "1 output"), (2, "2 outputs")])
def test_outputs_that_nothing_feeds_are_no_structure(unfed: int, said: str) -> None:
    edges = [(0, 2), (1, 2), (1, 3), (2, 4), (3, 4)]
    graph = LayeredGraph.from_edges((2, 2, 1 + unfed), edges)
    found = detect(graph)
    assert len(found.modules) == 1 + unfed
    text = printed(ModuleTree(graph, found))
    assert f"One module: no structure here, beside {said} without edges\n" in text


def test_what_is_left_of_a_pruned_network_is_not_to_be_pruned_first() -> None:
    edges = [(0, 2), (1, 2), (2, 4)]
    graph = LayeredGraph.from_edges((2, 2, 1), edges)
    text = printed(ModuleTree(graph, detect(graph)))
    assert "One module: no structure here\n" in text


def test_of_many_modules_the_largest_are_shown_and_the_rest_are_counted() -> None:
    sizes = [1] * 3000 + [7] * 20 + [2]
    modules = [
        TaskModule(number, 0, (0,), size, (number,), (0,), (), True, 1.0)
        for number, size in enumerate(sizes)
    ]
    lines = printed(made_up(*modules)).splitlines()
    assert lines[1].endswith("level 0, 3,021 modules, the 20 largest")
    assert lines[2].split()[1] == "M3000"
    assert lines[22].endswith("3,001 more of 1 to 2 units; --json has all")
    assert len(lines) < 30


def test_the_more_levels_the_fewer_modules_of_each() -> None:
    modules = [
        TaskModule(number, number // 50, (0,), 1, (0,), (0,), (0,), False, 1.0)
        for number in range(500)
    ]
    text = printed(made_up(*modules))
    assert text.count("level ") == text.count("50 modules, the 6 largest") == 10
    assert text.count("44 more of 1 unit; --json has all") == 10
    assert len(text.splitlines()) < 100


def test_of_many_levels_the_first_and_the_last_are_shown() -> None:
    modules = [
        TaskModule(number, number, (0,), 1, (0,), (0,), (number + 1,), False, 1.0)
        for number in range(500)
    ]
    text = printed(made_up(*modules))
    assert "488 more levels with 488 modules" in text
    assert "level 10," in text and "level 499," in text and "level 11," not in text


def test_colours_are_those_of_the_pictures_where_they_can_be_told_apart() -> None:
    file = io.StringIO()
    console = Console(
        file=file, width=99, force_terminal=True, color_system="truecolor"
    )
    console.print(two_pairs())
    assert "\x1b[38;2;0;114;178m■" in file.getvalue()
    assert "■" not in printed(two_pairs())


def test_names_from_a_file_are_no_markup() -> None:
    tree = two_pairs()
    names = ("inputs", "[red]h[/]", "layer 2")
    text = printed(replace(tree, graph=replace(tree.graph, names=names)))
    assert "[red]h[/]" in text
