"""Importing what the user vouches for: classes for --allow, a factory for --model."""

import contextlib
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType

from torch import nn

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.quoting import quoted


def allowed_classes(allow: Sequence[str]) -> dict[str, type[nn.Module]]:
    """Import the classes that the user trusts, by both names a pickle may use.

    Args:
        allow: Dotted names of classes, or of modules for all layers made there.

    Returns:
        The classes, by those names and by their own.

    Raises:
        LoadingError: A name cannot be imported, or is no class of layers.

    Example:
        >>> list(allowed_classes(["torch.nn.ReLU"]))
        ['torch.nn.ReLU', 'torch.nn.modules.activation.ReLU']
    """
    classes: dict[str, type[nn.Module]] = {}
    for name in allow:
        # The colon of --model is taken here too.
        module, _, attribute = name.replace(":", ".").rpartition(".")
        said = f"--allow {name}"
        kind = _imported(module, attribute, said=said) if module else None
        # A package may call a function like the module that it comes from.
        whole = (
            sys.modules.get(f"{module}.{attribute}")
            if module
            else _whole(attribute, said=said)
        )
        if whole is not None:
            layers = _layers_of(whole)
            if not layers:
                raise LoadingError(
                    f"{quoted(said)} must name a class derived from nn.Module or a "
                    f"module with such classes, but none is made in {quoted(name)}. "
                    f"Name the class, as pkg.mod.Class."
                )
            classes |= layers
            continue
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            raise LoadingError(
                f"--allow takes classes derived from nn.Module, but {quoted(name)} is "
                f"none. Build the model in your own code with --model pkg.mod:factory."
            )
        classes[f"{module}.{attribute}"] = classes[
            f"{kind.__module__}.{kind.__qualname__}"
        ] = kind
    return classes


def _layers_of(module: ModuleType) -> dict[str, type[nn.Module]]:
    """Give the layer classes that are made in a module."""
    return {
        f"{module.__name__}.{kind.__qualname__}": kind
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, nn.Module)
        and kind.__module__ == module.__name__
    }


def built(spec: str) -> nn.Module:
    """Build a model by calling the user's factory.

    Args:
        spec: `package.module:factory`.

    Returns:
        What the factory gives when it is called without arguments.

    Raises:
        LoadingError: It cannot be imported or called, or gives no model.

    Example:
        >>> built("torch.nn:Identity")
        Identity()
    """
    module, _, attribute = spec.partition(":")
    said = f"--model {spec}"
    factory = _imported(module, attribute, said=said)
    if not callable(factory):
        raise LoadingError(
            f"{quoted(said)} must name a function or class that builds the model, but "
            f"names a {type(factory).__name__}. Name a callable."
        )
    try:
        model = factory()
    except (Exception, SystemExit) as error:
        # The user's own code ran, and can raise anything.
        raise LoadingError(
            f"{quoted(said)} must build a model when called without arguments, but "
            f"raised {summary(error)}. Mend it, and give every argument a default."
        ) from None
    if not isinstance(model, nn.Module):
        raise LoadingError(
            f"{quoted(said)} must return an nn.Module, but returned a "
            f"{type(model).__name__}. Return the model."
        )
    return model


def summary(error: BaseException) -> str:
    """Give the kind of an error and the start of its text, on one line.

    Example:
        >>> print(summary(ValueError("bad")))
        ValueError: 'bad'
    """
    line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {line[:120]!r}" if line else type(error).__name__


def _whole(module: str, *, said: str) -> ModuleType:
    """Import a module that is in no package, as a script of the user's own is."""
    if not module.isidentifier():
        raise LoadingError(
            f"{quoted(said)} must name a class, as pkg.mod.Class, or a module with "
            f"classes. Correct the name."
        )
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:
        # The module's own code ran, and can raise anything.
        raise LoadingError(
            f"{quoted(said)} must name a class, as pkg.mod.Class, or a module that can "
            f"be imported, but importing {quoted(module)} failed ({summary(error)}). "
            f"Name the class with its module, and check PYTHONPATH."
        ) from None


def _imported(module: str, attribute: str, *, said: str) -> object:
    """Import what the user named on purpose."""
    parts = [*module.split("."), attribute]
    if not all(part.isidentifier() for part in parts):
        raise LoadingError(
            f"{quoted(said)} must name something in a module, as pkg.mod:factory for "
            f"--model or pkg.mod.Class for --allow. Correct the name."
        )
    try:
        if parts[0] == "torchvision":
            from sculpt_plugin.vision import import_torchvision

            import_torchvision()
        found = importlib.import_module(module)
        if not hasattr(found, attribute) and hasattr(found, "__path__"):
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module(f"{module}.{attribute}")
    except (Exception, SystemExit) as error:
        # The module's own code ran, and can raise anything.
        raise LoadingError(
            f"{quoted(said)} must name an importable module, but importing "
            f"{quoted(module)} failed ({summary(error)}). Check the name and "
            f"PYTHONPATH."
        ) from None
    if not hasattr(found, attribute):
        raise LoadingError(
            f"{quoted(said)} must name something in {quoted(module)}, which has no "
            f"{quoted(attribute)}. Correct the name."
        )
    return getattr(found, attribute)
