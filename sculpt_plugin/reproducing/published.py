"""What the paper reports of its Boolean experiments, cell by cell.

Reference:
    Patil, Michael and Dovrolis, "Neural Sculpting", NeurIPS 2023,
    https://arxiv.org/abs/2305.18402
"""

from sculpt_plugin.reproducing.experiments import Criterion
from sculpt_plugin.tasks import Family

# Outputs of a task in the columns of the tables below: each of the two functions is
# used by half of them.
_OUTPUT_COUNTS = (2, 4, 8, 12, 16)

# Share of 12 networks, at one, two and three hidden layers.
_EXEMPLARS = {
    "4,2,4": (1, 1, 1),
    "4,1,2,16": (0, 1, 0.92),
    "6,3,3,3": (1, 1, 1),
    "4,1,4": (1, 1, 1),
}

# Share of 12 networks, by the number of hidden layers.
_REUSE = {
    1: (0, 0, 0, 0, 0),
    2: (0.58, 0.92, 1, 1, 1),
    3: (0.67, 0.75, 0.83, 0.83, 0.92),
}

# Share of 36 networks: one, two and three hidden layers together.
_OVERLAP: dict[str, dict[str, tuple[float, ...]]] = {
    "8,2": {
        "inputs": (1, 1, 1, 1, 1),
        "outputs": (1, 1, 1, 1, 1),
        "apart": (1, 1, 1, 1, 1),
    },
    "7,3,2": {
        "inputs": (0.97, 1, 1, 1, 1),
        "outputs": (1, 1, 1, 1, 1),
        "apart": (1, 1, 1, 1, 1),
    },
    "6,3,2": {
        "inputs": (0.92, 1, 1, 1, 1),
        "outputs": (0.97, 1, 1, 1, 1),
        "apart": (1, 1, 1, 1, 1),
    },
    "5,3,2": {
        "inputs": (0.64, 0.72, 0.78, 0.89, 0.86),
        "outputs": (0.58, 0.58, 0.69, 0.67, 0.72),
        "apart": (0, 0, 0.03, 0.06, 0.06),
    },
    "4,1,2,2": {
        "inputs": (0.94, 0.94, 1, 1, 0.89),
        "outputs": (0.25, 0.31, 0.44, 0.53, 0.61),
        "apart": (0, 0, 0.06, 0.17, 0.17),
    },
}

# Share of 12 networks, by the number of hidden layers, from 4 outputs on.
_HIERARCHY = {
    2: (1, 1, 1, 0.83),
    3: (0.5, 0.83, 1, 1),
    4: (0.75, 0.92, 1, 1),
}

DENSITY_HIDDEN = (24, 24)
"""The hidden layers of the networks whose densities the paper gives."""

_DENSITY = {"4,2,4": 0.0208, "4,1,2,16": 0.0275, "6,3,3,3": 0.0189, "4,1,4": 0.0182}


def published_rate(
    family: Family, task: str, *, depth: int | None, criterion: Criterion
) -> float | None:
    """Give the share of networks that the paper found right.

    Args:
        family: The experiment.
        task: The task's name.
        depth: How many hidden layers; None for all depths together.
        criterion: What was right.

    Returns:
        The share, or None where the paper gives none.

    Example:
        >>> published_rate("reuse", "4,1,2,2", depth=2, criterion="modules")
        0.58
        >>> published_rate("overlap", "5,3,2,16", depth=None, criterion="apart")
        0.06
    """
    prefix, _, last = task.rpartition(",")
    column = _OUTPUT_COUNTS.index(int(last)) if int(last) in _OUTPUT_COUNTS else None
    if family == "overlap":
        if depth is not None or column is None or criterion == "modules":
            return None
        return _OVERLAP[prefix][criterion][column]
    if depth is None or criterion != "modules":
        return None
    if family == "exemplar":
        return _EXEMPLARS[task][depth - 1]
    if column is None:
        return None
    if family == "reuse":
        return _REUSE[depth][column]
    return _HIERARCHY[depth][column - 1] if depth in _HIERARCHY and column else None


def published_count(*, depth: int | None) -> int:
    """Give how many networks a rate of the paper is the share of.

    Example:
        >>> published_count(depth=2), published_count(depth=None)
        (12, 36)
    """
    return 36 if depth is None else 12


def published_density(task: str, hidden: tuple[int, ...]) -> float | None:
    """Give the density of the paper's sparsest network, None where it gives none.

    Example:
        >>> published_density("4,2,4", (24, 24))
        0.0208
    """
    return _DENSITY.get(task) if hidden == DENSITY_HIDDEN else None
