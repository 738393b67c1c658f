"""Reports made by hand for the tests of the interactive page."""

import numpy as np
from drawn import network

from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.report import Report

SETTINGS = {"hops": None, "method": "agglomerative"}
HOSTILE = (
    "</script><script>window.broken = 1</script>",
    '"><img src=x onerror="window.broken = 1">',
    "<!-- \u2028 \x1b[31m \u202e ${1} `x` {{y}}",
    "<svg onload='window.broken = 1'>&amp;",
)


def report(sizes, edges, label, *, names=None, coverage=None) -> Report:
    """A report about a network whose modules are given."""
    graph, hierarchy = network(sizes, edges, label)
    named = LayeredGraph(
        graph.sizes, names or graph.names, graph.kinds, graph.channel, graph.adjacency
    )
    evidence = {"coverage": coverage or {"exact": 1.0, "parameters": 12}}
    return Report(named, hierarchy, SETTINGS, evidence)


def tower(*, names=None) -> Report:
    """Four modules: M0 and M1 with two inputs each, M2 above both, M3 above M1.

    Units 0-3 are inputs, 4 and 5 the first hidden layer, 6 and 7 the second, 8 and 9
    outputs; unit 10, an output, is dead.
    """
    edges = [(0, 4), (1, 4), (2, 5), (3, 5), (4, 6), (5, 6), (5, 7), (6, 8), (7, 9)]
    label = [0, 0, 1, 1, 0, 1, 2, 3, 2, 3, -1]
    return report((4, 2, 2, 3), edges, label, names=names)


def lump() -> Report:
    """One module and nothing else."""
    return report((2, 2, 1), [(0, 2), (1, 3), (0, 3), (2, 4), (3, 4)], [0] * 5)


def rows(*, width: int, depth: int = 4, fan: int = 2, parts: int = 10) -> Report:
    """Layers of equal width in modules side by side, each unit read by a few above."""
    unit = np.repeat(np.arange(width * (depth - 1)), fan)
    part = width // parts
    place = unit % width
    step = np.tile(np.arange(fan), width * (depth - 1))
    target = (unit // width + 1) * width + place // part * part + (place + step) % part
    label = np.arange(width * depth) % width // part
    return report([width] * depth, np.stack([unit, target], axis=1), label)
