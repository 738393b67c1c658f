"""What a recipe refuses: counts, strengths and data that cannot be trained on."""

from math import inf, isfinite
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from torch import Tensor

from sculpt_plugin.errors import DataError

if TYPE_CHECKING:
    from sculpt_plugin.training.recipe import Recipe


def check_settings(recipe: "Recipe") -> None:
    """Refuse counts, strengths and data that cannot be trained on.

    Args:
        recipe: The recipe.

    Raises:
        DataError: With what was expected and what was found.
    """
    more: Any = recipe.validation
    more = () if more is None else more if isinstance(more, tuple | list) else (more,)
    data = (recipe.inputs, recipe.targets, *more)
    if not all(isinstance(x, Tensor) for x in data) or len(data) not in (2, 4):
        raise DataError(
            "inputs and targets must be tensors, and validation None or two of them, "
            f"got {', '.join(type(x).__name__ for x in data)}."
        )
    if not all(_is_count(x) for x in (recipe.first_epochs, recipe.epochs)):
        raise DataError(
            "first_epochs and epochs must be 1 or more, got "
            f"{recipe.first_epochs} and {recipe.epochs}."
        )
    if not _is_strength(recipe.learning_rate) or not recipe.learning_rate:
        raise DataError(
            "learning_rate must be a finite number above 0, got "
            f"{recipe.learning_rate!r}."
        )
    if not isinstance(recipe.warm_up, int) or recipe.warm_up < 0:
        raise DataError(
            "warm_up must be a whole number of steps, 0 or more, got "
            f"{recipe.warm_up!r}."
        )
    for name in ("weight_decay", "l1_decay", "noise", "final_share"):
        strength = getattr(recipe, name)
        if not _is_strength(strength):
            raise DataError(
                f"{name} must be a finite number, 0 or more, got {strength!r}."
            )
    if recipe.noise and not recipe.inputs.is_floating_point():
        raise DataError(
            f"noise can be added to floating-point inputs only, but these are "
            f"{recipe.inputs.dtype}: pass noise=0, or inputs.float() where the model "
            "takes it."
        )
    size, enough = recipe.batch_size, recipe.early_accept
    if size is not None and not _is_count(size):
        raise DataError(
            "batch_size must be a whole number, 1 or more, or None for all samples "
            f"in one step, got {size!r}."
        )
    if enough is not None and (
        not isinstance(enough, int | float) or not isfinite(enough)
    ):
        raise DataError(
            "early_accept must be a finite score, such as min_score, or None for "
            f"all epochs, got {enough!r}."
        )
    for inputs, targets in ((recipe.inputs, recipe.targets), recipe.checked_on):
        if len(inputs) != len(targets) or not len(inputs):
            raise DataError(
                "inputs and targets must have one row for each sample, got "
                f"{len(inputs)} and {len(targets)}."
            )


def _is_count(x: Any) -> bool:
    """Tell whether something is a whole number, 1 or more."""
    return isinstance(x, Integral) and not isinstance(x, bool) and int(x) >= 1


def _is_strength(x: Any) -> bool:
    """Tell whether something is a finite number, 0 or more."""
    return isinstance(x, Real) and 0 <= float(x) < inf
