"""What holds a batch's outputs or targets, of the kinds that models give."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

Pair = namedtuple("Pair", ["logits", "scale"])


class ByAttribute(dict):
    """Its items are its attributes, because they are the same dict."""

    def __init__(self, **items: Any) -> None:
        super().__init__(items)
        self.__dict__ = self


@dataclass
class KeptInStep(OrderedDict):
    """As Hugging Face's ModelOutput: an ordered dict whose fields are its items."""

    logits: Tensor | None = None
    scale: int | None = None
    hidden: tuple[Tensor, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("logits", "scale", "hidden"):
            if getattr(self, name) is not None:
                super().__setitem__(name, getattr(self, name))

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        super().__setattr__(key, value)

    def update(self, *given: Any, **named: Any) -> None:
        raise TypeError("no update")


@dataclass(frozen=True)
class Held:
    logits: Tensor
    scale: int = 2
    total: float = field(init=False, default=0.0)
