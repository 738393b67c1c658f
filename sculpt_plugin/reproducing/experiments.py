"""The paper's Boolean experiments: which networks are sculpted, with which steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from sculpt_plugin import tasks
from sculpt_plugin.tasks import Family

Criterion = Literal["modules", "inputs", "outputs", "apart"]

SEEDS = (0, 1, 2, 5)
PAPERS_UNIT_STEPS = tuple(number / 100 for number in range(5, 75, 5))
PAPERS_EDGE_STEPS = (0.005, 0.01, 0.015, 0.02, 0.025)
# The finest and the coarsest step of the paper. On the exemplars, which take all five,
# the sparsest network of these two was the sparsest of all in 139 of 144 sweeps of a
# seed, and kept 0.2 % more edges in the mean.
EDGE_STEPS = (0.005, 0.025)


@dataclass(frozen=True)
class Experiment:
    """One family of tasks and the networks that learn them.

    Attributes:
        family: Which tasks.
        depths: Numbers of hidden layers.
        widths: Units of a hidden layer, all layers alike.
        unit_steps: Shares of the units to remove per turn.
        edge_steps: Shares of the edges to remove per turn.
        criteria: What the paper asks of a network.
        pooled: Whether the paper gives one rate for all depths together.
    """

    family: Family
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    unit_steps: tuple[float, ...]
    edge_steps: tuple[float, ...]
    criteria: tuple[Criterion, ...]
    pooled: bool = False

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks, those with fewer outputs first."""
        names = tasks.names(self.family)
        if self.family == "exemplar":
            return names
        order = list(dict.fromkeys(name.rpartition(",")[0] for name in names))
        return tuple(
            sorted(
                names,
                key=lambda name: (
                    order.index(name.rpartition(",")[0]),
                    len(tasks.get(name).graph.outputs),
                ),
            )
        )

    def hidden(self, depth: int) -> tuple[tuple[int, ...], ...]:
        """The hidden layers of all networks of one depth, the narrowest first."""
        return tuple((width,) * depth for width in self.widths)


EXPERIMENTS: dict[Family, Experiment] = {
    "exemplar": Experiment(
        family="exemplar",
        depths=(1, 2, 3),
        widths=(24, 36, 48),
        unit_steps=PAPERS_UNIT_STEPS,
        edge_steps=PAPERS_EDGE_STEPS,
        criteria=("modules",),
    ),
    "reuse": Experiment(
        family="reuse",
        depths=(1, 2, 3),
        widths=(24, 36, 48),
        unit_steps=PAPERS_UNIT_STEPS,
        edge_steps=EDGE_STEPS,
        criteria=("modules",),
    ),
    "overlap": Experiment(
        family="overlap",
        depths=(1, 2, 3),
        widths=(24, 36, 48),
        unit_steps=PAPERS_UNIT_STEPS,
        edge_steps=EDGE_STEPS,
        criteria=("inputs", "outputs", "apart"),
        pooled=True,
    ),
    "hierarchy": Experiment(
        family="hierarchy",
        depths=(1, 2, 3, 4),
        widths=(36, 48, 60),
        unit_steps=PAPERS_UNIT_STEPS,
        edge_steps=EDGE_STEPS,
        criteria=("modules",),
    ),
}


@dataclass(frozen=True)
class Cell:
    """A unit of work: one task and one shape of network, swept over seeds and steps.

    Attributes:
        task: The task's name.
        hidden: Units of each hidden layer.
        unit_steps: Shares of the units to remove per turn.
        edge_steps: Shares of the edges to remove per turn.
        seeds: Name the start networks.
    """

    task: str
    hidden: tuple[int, ...]
    unit_steps: tuple[float, ...]
    edge_steps: tuple[float, ...]
    seeds: tuple[int, ...] = SEEDS

    @property
    def name(self) -> str:
        """What the cell's files are called.

        Example:
            >>> Cell("4,2,4", (24, 24), (0.05,), (0.005,)).name
            '4-2-4_24-24'
        """
        return f"{self.task.replace(',', '-')}_{'-'.join(map(str, self.hidden))}"

    @property
    def cost(self) -> float:
        """How much work the cell is, in a unit of no meaning, to tell the time left."""
        graph = tasks.get(self.task).graph
        sizes = (len(graph.inputs), *self.hidden, len(graph.outputs))
        edges = sum(below * above for below, above in pairwise(sizes))
        rows = max(32, len(graph.rows))
        lanes = len(self.seeds) * len(self.unit_steps) * len(self.edge_steps)
        return lanes * rows * (edges + 1000)


def cells(families: Sequence[Family]) -> tuple[Cell, ...]:
    """List the sweeps that some families need, each once.

    A task of two families is swept once, with the steps of the first.

    Args:
        families: Which families.

    Returns:
        The cells: family by family, task by task, shallow and narrow networks first.

    Example:
        >>> len(cells(["exemplar"])), len(cells(["exemplar", "reuse"]))
        (36, 72)
    """
    found: dict[tuple[str, tuple[int, ...]], Cell] = {}
    for family in families:
        experiment = EXPERIMENTS[family]
        for task in experiment.tasks:
            first = EXPERIMENTS[tasks.get(task).families[0]]
            for depth in experiment.depths:
                for hidden in experiment.hidden(depth):
                    found[task, hidden] = Cell(
                        task, hidden, first.unit_steps, first.edge_steps
                    )
    return tuple(found.values())
