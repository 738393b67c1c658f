"""Types are checked at every call, and shapes only where an annotation has any.

The import hook of jaxtyping puts `jaxtyping.jaxtyped` before every function. Most have
no array to look at, and are checked in a small part of the time without it.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, get_args, get_origin

import jaxtyping
from jaxtyping import AbstractArray, jaxtyped


def check_calls() -> None:
    """Use `checked` for what is imported from now on."""
    jaxtyping.jaxtyped = checked


def checked(thing: Any = None, *, typechecker: Callable[[Any], Any]) -> Any:
    """Check the calls of a function or a dataclass, as `jaxtyped` does."""
    if thing is None:
        return partial(checked, typechecker=typechecker)
    hints = getattr(thing, "__annotations__", {}).values()
    if inspect.isfunction(thing) and not any(map(has_shapes, hints)):
        return typechecker(thing)
    return jaxtyped(thing, typechecker=typechecker)


def has_shapes(hint: Any) -> bool:
    """Tell whether an annotation says anything of the shape of an array."""
    if get_origin(hint) is Literal:
        return False
    if isinstance(hint, str):
        return True  # it may: it is not looked up
    if isinstance(hint, list):
        return any(map(has_shapes, hint))
    is_array = inspect.isclass(hint) and issubclass(hint, AbstractArray)
    return is_array or any(map(has_shapes, get_args(hint)))
