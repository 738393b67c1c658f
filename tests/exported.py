"""Reports for tests of exports: hand-made graphs, one of them with hostile names."""

import numpy as np

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.modules import detect
from sculpt_plugin.report import Report

HOSTILE = {
    "nothing": "",
    "markup": "<script>alert(1)</script>",
    "entity": "&lt; & \"quoted\" 'too' ]]>",
    "terminal": "\x1b[31mred\x07\x00",
    "lines": "a\nb\tc\r\nd",
    "surrogate": "half \ud800 pair",
    "direction": "abc\u202etxt.exe\u2066",
    "no character": "\ufffe\uffff\x85\u2028",
    "backslashes": "a\\nb \\x1b \\\\",
    "other letters": "слой.層.🧠",
    "spaces": "  two  ends ",
}


def report_of(graph: LayeredGraph) -> Report:
    return Report(graph, detect(graph), {}, {"coverage": {"exact": 1.0}})


def halves(*, name: str = "hidden") -> Report:
    """Inputs 0 and 1 feed output 0, inputs 2 and 3 output 1; the hidden unit 8 is dead.

    An edge runs past the hidden layer, and the outputs have their own numbers.
    """
    edges = [(0, 6), (1, 6), (2, 7), (3, 7), (6, 9), (7, 10), (4, 8), (3, 10), (0, 9)]
    graph = LayeredGraph.from_edges(
        (6, 3, 2), edges, names=("inputs", name, "output"), kinds=("input", "a<b", "c")
    )
    return report_of(graph)


def random_report(seed: int) -> Report:
    """Four layers with random edges, some units dead."""
    chance = np.random.default_rng(seed)
    tables = [chance.random(shape) < 0.15 for shape in ((9, 8), (9, 9), (4, 9))]
    tables[0][0, 0] = tables[1][0, 0] = tables[2][0, 0] = True
    return report_of(LayeredGraph.from_layers(tables))
