"""Which versions are at work, told without loading any of them."""

import platform
from importlib.metadata import PackageNotFoundError, version

from sculpt_plugin import __version__

_PACKAGES = (
    "torch",
    "torch-pruning",
    "networkx",
    "numpy",
    "scipy",
    "safetensors",
    "matplotlib",
    "torchvision",
)


def versions() -> dict[str, str]:
    """Give the versions that decide what comes out, Sculpt's own first.

    Returns:
        Name to version; packages that may be missing are left out where they are.

    Example:
        >>> list(versions())[:3]
        ['sculpt', 'python', 'torch']
    """
    found = {"sculpt": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
