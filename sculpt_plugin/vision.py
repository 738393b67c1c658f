"""The one place that imports torchvision, also where its compiled part does not fit.

torchvision's models, transforms and datasets are plain Python. Its compiled part only
adds detection operators, and is built for one torch: beside a torch built for other
hardware `import torchvision` dies of a missing operator that no classifier uses.
"""

import importlib
import re
import sys
import warnings
from types import ModuleType

import torch

from sculpt_plugin.errors import ModelError, one_line

# What torchvision describes to torch on import: its two operators of unknown size.
_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_MISSING_OPERATOR = re.compile(r"operator torchvision::\w+ does not exist")


def import_torchvision() -> ModuleType:
    """Import torchvision, whichever torch its compiled part was built for.

    Where that part cannot be loaded, the operators that torchvision asks for on import
    are declared without a body: they can be named, and calling one raises torch's own
    error. Asking again gives the same module.

    Returns:
        The module `torchvision`, with `models`, `transforms` and `datasets`.

    Raises:
        ModelError: torchvision is not installed, or does not fit this torch.

    Example:
        >>> vision = import_torchvision()
        >>> vision.models.resnet18(num_classes=3).fc.out_features
        3
    """
    try:
        return _import()
    except ModuleNotFoundError as error:
        if error.name != "torchvision":
            raise _unfit(error) from error
        raise ModelError(
            "torchvision must be installed for its models and datasets, and is not: "
            'pip install "sculpt_plugin[vision]".'
        ) from error
    except (ImportError, OSError, RuntimeError) as error:
        if not _MISSING_OPERATOR.search(str(error)):
            raise _unfit(error) from error
    _declare_operators()
    try:
        return _import()
    except (ImportError, OSError, RuntimeError) as error:
        raise _unfit(error) from error


def _import() -> ModuleType:
    """Import afresh, unless the module is there and whole."""
    if "torchvision" not in sys.modules:
        # A failed import leaves its first submodules behind.
        for name in [name for name in sys.modules if name.startswith("torchvision.")]:
            del sys.modules[name]
    with warnings.catch_warnings():
        # Said of the readers of image files, which no model needs.
        warnings.filterwarnings("ignore", message="Failed to load")
        return importlib.import_module("torchvision")


def _declare_operators() -> None:
    """Declare the operators that are missing, for as long as Python runs."""
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", schema)


def _unfit(error: Exception) -> ModelError:
    """Say that what is installed cannot be imported."""
    return ModelError(
        f"torchvision must fit torch {torch.__version__}, and cannot be imported: "
        f"{one_line(error)}. Install the release of torchvision made for this torch."
    )
