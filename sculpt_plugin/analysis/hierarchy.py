"""What an analysis finds: clusters, modules and the hierarchy they form."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Int

Rule = Literal["outputs", "single", "scan", "all apart", "all one"]


@dataclass(frozen=True)
class Approximation:
    """How a layer that is too large to compare unit by unit was approximated.

    Attributes:
        rows: How many different rows the units of the layer have.
        groups: How many groups they were put into, by the nearest of so many landmark
            rows. The rows of a group counted as equal; between groups, the mean
            distance of their rows was taken.
        columns: How many of the columns in which rows differ were looked at.
        differing: How many such columns there are.
    """

    rows: int
    groups: int
    columns: int
    differing: int


@dataclass(frozen=True, eq=False)
class LayerClusters:
    """The clusters of one layer and how they were chosen.

    Attributes:
        labels: The cluster of each unit of the layer, -1 for a dead unit. Clusters are
            numbered in order of first appearance.
        modularity: The score `q_k` of each number of clusters `k` that was scored.
        rule: What decided.
        approximation: What is not exact about them; None where all is.
    """

    labels: Int[np.ndarray, " unit"]
    modularity: dict[int, float]
    rule: Rule
    approximation: Approximation | None = None


@dataclass(frozen=True)
class TaskModule:
    """One sub-function: clusters of units joined across layers.

    Attributes:
        id: Number of the module, in order of first appearance from the inputs up.
        level: Longest path, in modules, from an input module; 0 for those.
        layers: The layers it has units in.
        units: How many units it has.
        inputs: Numbers of the network's inputs that reach it or belong to it.
        outputs: Numbers of the network's outputs that it reaches or that belong to it.
        used_by: The modules it feeds.
        input_separable: Whether it shares no input with another module of its level.
        density: Share of the possible edges between its own units that are there.
    """

    id: int
    level: int
    layers: tuple[int, ...]
    units: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    used_by: tuple[int, ...]
    input_separable: bool
    density: float


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """The modules of a network and which of them feeds which.

    Attributes:
        modules: The modules; `modules[m].id == m`.
        label: For each unit of the graph its module, -1 for a dead unit.
        edges: `(from module, to module) -> number of edges`, between different modules.
        clusters: One entry per layer.
    """

    modules: tuple[TaskModule, ...]
    label: Int[np.ndarray, " unit"]
    edges: dict[tuple[int, int], int]
    clusters: tuple[LayerClusters, ...] = field(default=())

    @property
    def undivided(self) -> TaskModule | None:
        """The only module that inputs reach, None where there are several.

        Beside it are outputs that nothing feeds, if any: modules that say nothing of
        structure.

        Example:
            >>> one = TaskModule(0, 0, (0, 1), 3, (0, 1), (0,), (), True, 1.0)
            >>> unfed = TaskModule(1, 0, (1,), 1, (), (1,), (), True, 0.0)
            >>> Hierarchy((one, unfed), np.array([0, 0, 0, 1]), {}).undivided.id
            0
        """
        fed = [module for module in self.modules if module.inputs]
        return fed[0] if len(fed) == 1 else None

    @property
    def is_dense(self) -> bool:
        """Whether one module has all units and all edges, as before any pruning.

        Example:
            >>> one = TaskModule(0, 0, (0, 1), 2, (0,), (0,), (), True, 1.0)
            >>> Hierarchy((one,), np.array([0, 0]), {}).is_dense
            True
            >>> Hierarchy((one,), np.array([0, -1, 0]), {}).is_dense
            False
        """
        one = len(self.modules) == 1 and self.modules[0].density == 1
        return one and bool((self.label >= 0).all())
