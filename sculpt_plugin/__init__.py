"""Sculpt: prune a network as far as accuracy allows and read the modules it shows.

`sculpt` prunes, `analyze` explains; either works without the other. The names below
are loaded when they are first used, so `import sculpt_plugin` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sculpt_plugin import errors, export, html, plot, tasks
    from sculpt_plugin.analysis.consensus import Consensus, consensus
    from sculpt_plugin.analysis.graph import LayeredGraph
    from sculpt_plugin.analysis.hierarchy import Hierarchy, TaskModule
    from sculpt_plugin.analysis.modules import detect
    from sculpt_plugin.analysis.trace import Trace, read, trace
    from sculpt_plugin.loading import LoadedModel, load_model
    from sculpt_plugin.pruning import schedule
    from sculpt_plugin.pruning.compaction import compact
    from sculpt_plugin.pruning.grid import Run, Sweep
    from sculpt_plugin.pruning.importance import (
        EdgeMagnitude,
        EdgeSaliency,
        EdgeSensitivity,
        UnitSensitivity,
    )
    from sculpt_plugin.pruning.keeping import (
        load_masks,
        save_compacted,
        save_masks,
    )
    from sculpt_plugin.pruning.kernels import WholeKernels
    from sculpt_plugin.pruning.masks import Masks, attach
    from sculpt_plugin.pruning.record import Step
    from sculpt_plugin.pruning.sculptor import Sculpture, sculpt
    from sculpt_plugin.pruning.sweep import sweep
    from sculpt_plugin.report import Report, analyze
    from sculpt_plugin.running import sculpt_task
    from sculpt_plugin.sweeping import sweep_task
    from sculpt_plugin.training.recipe import Recipe

__version__ = "0.1.0"

__all__ = [
    "Consensus",
    "EdgeMagnitude",
    "EdgeSaliency",
    "EdgeSensitivity",
    "Hierarchy",
    "LayeredGraph",
    "LoadedModel",
    "Masks",
    "Recipe",
    "Report",
    "Run",
    "Sculpture",
    "Step",
    "Sweep",
    "TaskModule",
    "Trace",
    "UnitSensitivity",
    "WholeKernels",
    "analyze",
    "attach",
    "compact",
    "consensus",
    "detect",
    "errors",
    "export",
    "html",
    "load_masks",
    "load_model",
    "plot",
    "read",
    "save_compacted",
    "save_masks",
    "schedule",
    "sculpt",
    "sculpt_task",
    "sweep",
    "sweep_task",
    "tasks",
    "trace",
]

_HOMES = {
    "Consensus": "analysis.consensus",
    "EdgeMagnitude": "pruning.importance",
    "EdgeSaliency": "pruning.importance",
    "EdgeSensitivity": "pruning.importance",
    "Hierarchy": "analysis.hierarchy",
    "LayeredGraph": "analysis.graph",
    "LoadedModel": "loading",
    "Masks": "pruning.masks",
    "Recipe": "training.recipe",
    "Report": "report",
    "Run": "pruning.grid",
    "Sculpture": "pruning.sculptor",
    "Step": "pruning.record",
    "Sweep": "pruning.grid",
    "TaskModule": "analysis.hierarchy",
    "Trace": "analysis.trace",
    "UnitSensitivity": "pruning.importance",
    "WholeKernels": "pruning.kernels",
    "analyze": "report",
    "attach": "pruning.masks",
    "compact": "pruning.compaction",
    "consensus": "analysis.consensus",
    "detect": "analysis.modules",
    "load_masks": "pruning.keeping",
    "load_model": "loading",
    "read": "analysis.trace",
    "save_compacted": "pruning.keeping",
    "save_masks": "pruning.keeping",
    "sculpt": "pruning.sculptor",
    "sculpt_task": "running",
    "sweep": "pruning.sweep",
    "sweep_task": "sweeping",
    "trace": "analysis.trace",
}
_MODULES = {
    "errors": "errors",
    "export": "export",
    "html": "html",
    "plot": "plot",
    "schedule": "pruning.schedule",
    "tasks": "tasks",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for."""
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{_MODULES[name]}")
    if name in _HOMES:
        home = importlib.import_module(f"{__name__}.{_HOMES[name]}")
        return getattr(home, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted([*globals(), *__all__])
