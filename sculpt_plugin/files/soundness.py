"""What a loaded model must be before it is looked at: names to print, real numbers."""

import torch
from torch import nn

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.quoting import quoted
from sculpt_plugin.files.states import LONGEST_NAME

# With fewer bits a weight's zero is no statement about an edge.
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_model(model: nn.Module) -> None:
    r"""Refuse a model whose names cannot be shown or whose weights are no numbers.

    Its names go into tables, pictures and web pages, where invisible characters could
    pass for something else. A weight that is not a number is neither an edge nor none.

    Args:
        model: A model from a file.

    Raises:
        LoadingError: A name holds control characters, or a weight is not finite or no
            floating-point number of 16 to 64 bits.

    Example:
        >>> check_model(nn.ModuleDict({"\x1b[31m": nn.Linear(1, 1)}))
        Traceback (most recent call last):
        ...
        sculpt_plugin.errors.LoadingError: A layer's name must be printable ...
    """
    for name, _ in [*model.named_modules(), *model.named_parameters()]:
        if not name.isprintable() or len(name) > LONGEST_NAME:
            raise LoadingError(
                f"A layer's name must be printable and at most {LONGEST_NAME} "
                f"characters long, but one is {quoted(name)}. Rename it before saving."
            )
    for name, weight in model.named_parameters():
        if weight.dtype not in DTYPES:
            raise LoadingError(
                f"Weights must be floating-point numbers of 16 to 64 bits, but "
                f"{quoted(name)} is {weight.dtype}. Convert it before saving."
            )
        if not bool(torch.isfinite(weight).all()):
            raise LoadingError(
                f"Weights must be finite numbers, but {quoted(name)} has NaN or "
                f"infinity in it. Train the model again, or save an earlier state."
            )
