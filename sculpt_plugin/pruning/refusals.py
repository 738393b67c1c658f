"""What a search refuses: arguments, models and scores that cannot be meant."""

import math
from collections.abc import Sequence
from contextlib import suppress
from operator import index
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from sculpt_plugin.coupling import Coupling
from sculpt_plugin.errors import (
    DataError,
    ModelError,
    SculptError,
    ThresholdError,
    TrainError,
)
from sculpt_plugin.finite import all_finite
from sculpt_plugin.inputs import check_call, flat_tensors, undisturbed
from sculpt_plugin.pruning.importance import EdgeImportance
from sculpt_plugin.pruning.masks import named_tensors
from sculpt_plugin.pruning.record import Step
from sculpt_plugin.pruning.schedule import Schedule, check
from sculpt_plugin.randomness import seeded
from sculpt_plugin.training.recipe import Recipe


def checked_score(score: Any, where: str) -> float:
    """Refuse a score that is no finite number."""
    try:
        value = float(score)
    except (TypeError, ValueError, RuntimeError):
        raise DataError(
            f"evaluate must return one number, got {type(score).__name__} in {where}."
        ) from None
    if not math.isfinite(value):
        raise DataError(
            f"evaluate must return a finite number, got {value} in {where}: the model "
            "has diverged, or the metric divides by zero."
        )
    return value


def too_low(min_score: float, score: float) -> ThresholdError:
    """Say that the unpruned model is already below the threshold."""
    advice = "train it further, or lower min_score"
    if min_score > 2 and 0 <= score <= 1:
        advice = f"if the score is a fraction, pass min_score={min_score / 100:g}"
    return ThresholdError(
        f"min_score is {min_score:g} but the unpruned model scores {score:g}: {advice}."
    )


def check_dense(step: Step, floor: float, max_drop: float | None) -> None:
    """Refuse an unpruned model that scores too little, or may lose all of its score.

    Raises:
        ThresholdError: One of the two.
    """
    if step.stage != "dense":
        return
    if not step.accepted:
        raise too_low(floor, step.score)
    if max_drop is not None and 0 < step.score <= 1 and max_drop >= step.score:
        raise ThresholdError(
            f"max_drop is {max_drop:g} and the unpruned model scores {step.score:g}: "
            "any model would do. If the score is a fraction, one point is 0.01."
        )


def check_names(model: nn.Module, names: Sequence[str], where: str) -> None:
    """Refuse a model that has come to have other parameters or buffers.

    Raises:
        TrainError: It names one of them.
    """
    changed = {*names}.symmetric_difference(named_tensors(model))
    if changed:
        raise TrainError(
            "train must leave a model the parameters and buffers that it has, but in "
            f"{where} {min(changed)!r} came or went: make it before sculpting."
        )


def check_arguments(
    min_score: float | None,
    max_drop: float | None,
    units: Schedule | None,
    edges: Schedule | None,
    edge_importance: Any,
    finest: Any = 0.0,
    one_by_one: bool = False,
) -> None:
    """Refuse arguments that cannot be meant."""
    if (min_score is None) == (max_drop is None):
        found = "neither" if min_score is None else "both"
        raise ThresholdError(
            f"Exactly one of min_score and max_drop must be given, got {found}."
        )
    limit = min_score if min_score is not None else max_drop
    assert limit is not None
    if (
        not _is_number(limit)
        or not math.isfinite(limit)
        or (max_drop is not None and max_drop < 0)
    ):
        name = "min_score" if max_drop is None else "max_drop"
        rule = "finite" if max_drop is None else "a finite number, 0 or above"
        raise ThresholdError(f"{name} must be {rule}, got {limit}.")
    if units is None and edges is None:
        raise DataError(
            "At least one of units and edges must be given, got None twice."
        )
    if edge_importance is not None and not isinstance(edge_importance, EdgeImportance):
        raise DataError(
            "edge_importance must score single edges, as EdgeMagnitude() and "
            f"EdgeSensitivity() do, got {type(edge_importance).__name__}."
        )
    if not _is_number(finest) or not 0 <= finest < 1:
        raise DataError(
            "finest must be a share of what is left, 0 or above and below 1 (0.01 ends "
            f"a stage where removing 1 % fails), got {finest!r}."
        )
    if one_by_one and (finest or edges is None):
        found = "edges=None" if edges is None else f"finest={finest:g}"
        raise DataError(
            "one_by_one goes on to single edges, which takes edges and a finest of 0, "
            f"got {found}: leave one of the two out."
        )
    for name, schedule in (("units", units), ("edges", edges)):
        if schedule is not None:
            check(schedule, name=name)


def flag(value: Any, *, name: str) -> bool:
    """Give a yes or no as Python's own, whatever library it came from.

    Raises:
        DataError: It is neither.

    Example:
        >>> flag(True, name="one_by_one")
        True
    """
    try:
        if value in (True, False):
            return bool(value)
    except (TypeError, ValueError, RuntimeError):
        pass  # Several values at once.
    raise DataError(f"{name} must be True or False, got {type(value).__name__}.")


def seed_of(value: Any) -> int:
    """Give a seed as Python's own whole number, whatever library it came from.

    Raises:
        DataError: It is none, or below 0.

    Example:
        >>> import numpy
        >>> seed_of(numpy.int64(3))
        3
    """
    with suppress(TypeError):
        if (seed := index(value)) >= 0:
            return seed
    raise DataError(f"seed must be a whole number, 0 or above, got {value!r}.")


def folder_of(checkpoint: Any) -> Path | None:
    """Give the folder that a checkpoint goes to, None for none.

    Raises:
        DataError: It is no path.

    Example:
        >>> folder_of("runs/first").name
        'first'
    """
    if checkpoint is None or isinstance(checkpoint, str | PathLike):
        return None if checkpoint is None else Path(checkpoint)
    raise DataError(f"checkpoint must be a folder's path or None, got {checkpoint!r}.")


def check_grid(
    seeds: Sequence[int],
    unit_steps: Sequence[float],
    edge_steps: Sequence[float],
    jobs: int,
) -> None:
    """Refuse a grid without runs."""
    grid = {"seeds": seeds, "unit_steps": unit_steps, "edge_steps": edge_steps}
    for name, values in grid.items():
        if not values or len(set(values)) < len(values):
            raise DataError(
                f"{name} must hold one or more different values, got {list(values)}."
            )
    if min(seeds) < 0:
        raise DataError(f"seeds must be 0 or above, got {min(seeds)}.")
    for name, steps in (("unit_steps", unit_steps), ("edge_steps", edge_steps)):
        for step in steps:
            check(step, name=f"each of {name}")
    if jobs < 1:
        raise DataError(f"jobs must be 1 or more, got {jobs}.")


def check_model(
    coupling: Coupling, units: Schedule | None, edges: Schedule | None
) -> None:
    """Refuse a model with nothing to prune."""
    if units is not None and not coupling.prunable:
        reasons = "; ".join(f"{n!r}: {why}" for n, why in coupling.obstacles.items())
        raise ModelError(
            f"The model has no hidden units to prune ({reasons}). Pass units=None to "
            "prune edges only."
        )
    if edges is not None and not coupling.weights:
        raise ModelError("All layers with edges are ignored: pass edges=None.")


def check_weights(model: nn.Module, when: str, error: type[SculptError]) -> None:
    """Refuse weights that are not finite."""
    for name, parameter in model.named_parameters():
        if not all_finite(parameter):
            raise error(
                f"Weights must be finite, but {name!r} is not {when}: train with a "
                "lower learning rate."
            )


def _is_number(value: Any) -> bool:
    """Tell whether something is a number, of whatever library."""
    try:
        float(value)
    except (TypeError, ValueError, RuntimeError):
        return False
    return not isinstance(value, str | bool)


def check_makers(build: Any, recipe: Any) -> None:
    """Refuse what makes no start networks, and what says nothing of how they learn.

    Raises:
        ModelError: `build` is no function of a seed.
        DataError: `recipe` is no `Recipe`.
    """
    if isinstance(build, nn.Module) or not callable(build):
        raise ModelError(
            "build must be a function that gives a start network for a seed, got "
            f"{type(build).__name__}: pass a function, or tasks.StartNetworks."
        )
    if not isinstance(recipe, Recipe):
        raise DataError(
            f"recipe must be a Recipe, got {type(recipe).__name__}: make one, or take "
            "tasks.learning for a task."
        )


def check_early_accept(recipe: Recipe, min_score: float) -> None:
    """Refuse a recipe that ends every turn before it can be accepted.

    Raises:
        ThresholdError: With both scores.
    """
    if recipe.early_accept is not None and recipe.early_accept < min_score:
        raise ThresholdError(
            f"early_accept must be min_score or above, but {recipe.early_accept:g} is "
            f"below {min_score:g}: turns would end before they can be accepted."
        )


def check_built(models: Sequence[Any]) -> None:
    """Refuse start networks that are none.

    Raises:
        ModelError: One of the models is no `nn.Module`.
    """
    for model in models:
        if not isinstance(model, nn.Module):
            raise ModelError(
                "build must give a torch.nn.Module for each seed, and gave "
                f"{type(model).__name__}: return the network."
            )


def check_alike(
    models: Sequence[nn.Module], seeds: Sequence[int], inputs: Tensor
) -> None:
    """Refuse start networks that differ in more than their weights.

    Each is given the weights of the first, and must then compute what that computes, as
    far as some of the inputs show.

    Raises:
        ModelError: A network has other parameters, computes something else, or cannot
            run.
    """
    first = named_tensors(models[0])
    shapes = {name: tensor.shape for name, tensor in first.items()}
    inputs = inputs[:_SOME]
    expected = _computed(models[0], first, inputs)
    for seed, model in zip(seeds[1:], models[1:], strict=True):
        own = {name: tensor.shape for name, tensor in named_tensors(model).items()}
        found = "have other parameters"
        if own == shapes:
            check_call(model, inputs)
            outputs = _computed(model, first, inputs)
            if len(outputs) == len(expected) and all(map(_close, outputs, expected)):
                continue
            found = "compute something else even with the same weights"
        raise ModelError(
            "build must give networks of one architecture, but those of seeds "
            f"{seeds[0]} and {seed} {found}: sweep them one by one."
        )


_SOME = 256
"""So many inputs show what a network computes; all may not fit the memory at once."""


def _computed(
    model: nn.Module, values: dict[str, Tensor], inputs: Tensor
) -> list[Tensor]:
    """Give what a model computes with the given parameters and buffers."""
    with undisturbed(model), torch.no_grad(), seeded(0):
        given = {name: value.clone() for name, value in values.items()}
        return flat_tensors(functional_call(model, given, (inputs,)))


def _close(some: Tensor, others: Tensor) -> bool:
    """Tell whether two outputs are the same but for rounding."""
    return some.shape == others.shape and torch.allclose(
        some, others, rtol=1e-3, atol=1e-5, equal_nan=True
    )
