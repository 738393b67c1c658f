"""What must be the same for a run to go on from its checkpoint."""

from collections import Counter
from collections.abc import Sequence

import torch_pruning as tp
from torch import nn

from sculpt_plugin.pruning.attempts import Plan
from sculpt_plugin.pruning.ranking import Search


def settings_of(
    search: Search,
    min_score: float | None,
    max_drop: float | None,
    plan: Plan,
    ignore: Sequence[str],
    compacting: bool,
) -> dict[str, object]:
    """Gather what must be the same for a killed run to go on.

    Args:
        search: What the run looks at.
        min_score: As it was given.
        max_drop: As it was given.
        plan: How much goes when.
        ignore: Layers that are left alone.
        compacting: Whether live parts are trained.

    Returns:
        Names to what JSON can hold.
    """
    return {
        **{
            f"parameter {name}": [*parameter.shape, str(parameter.dtype)]
            for name, parameter in search.model.named_parameters()
        },
        "layers": _kinds(search.model),
        "min_score": min_score,
        "max_drop": max_drop,
        "units": plan.units,
        "edges": plan.edges,
        "finest": plan.finest,
        "one_by_one": plan.one_by_one,
        "compacting": compacting,
        "unit_importance": _described(search.unit_importance),
        "edge_importance": _described(search.edge_importance),
        "ignore": list(ignore),
        "seed": search.seed,
    }


def _kinds(model: nn.Module) -> dict[str, int]:
    """Count the layers of each kind, those without parameters too."""
    leaves = (m for m in model.modules() if next(m.children(), None) is None)
    return dict(Counter(type(leaf).__name__ for leaf in leaves))


def _described(importance: tp.importance.Importance) -> str:
    """Name an importance with its plain settings."""
    plain_values = {
        name: value
        for name, value in sorted(vars(importance).items())
        if isinstance(value, bool | int | float | str | None)
    }
    return (
        f"{type(importance).__name__}({plain_values})"
        if plain_values
        else (type(importance).__name__)
    )
