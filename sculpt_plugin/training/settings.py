"""What a recipe refuses: counts, strengths and data that cannot be trained on."""

from math import inf, isfinite
from typing import TYPE_CHECKING

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
    if min(recipe.first_epochs, recipe.epochs) < 1:
        raise DataError(
            "first_epochs and epochs must be 1 or more, got "
            f"{recipe.first_epochs} and {recipe.epochs}."
        )
    if not isinstance(recipe.warm_up, int) or recipe.warm_up < 0:
        raise DataError(
            "warm_up must be a whole number of steps, 0 or more, got "
            f"{recipe.warm_up!r}."
        )
    for name in ("weight_decay", "l1_decay", "noise"):
        strength = getattr(recipe, name)
        if not isinstance(strength, int | float) or not 0 <= strength < inf:
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
    if size is not None and (not isinstance(size, int) or size < 1):
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
