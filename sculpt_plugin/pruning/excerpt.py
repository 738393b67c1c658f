"""An excerpt: the live part of a masked model, trained in its place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Int
from torch import Tensor, nn

from sculpt_plugin.errors import ModelError
from sculpt_plugin.inputs import Inputs, evaluating
from sculpt_plugin.pruning.compaction import (
    Positions,
    check_unchanged,
    cut_masks,
    cut_out,
    tried,
)
from sculpt_plugin.pruning.masks import Masks, named_tensors
from sculpt_plugin.randomness import seeded
from sculpt_plugin.training.best_epoch import put
from sculpt_plugin.training.columns import ReadSome


@dataclass(frozen=True, eq=False)
class Excerpt:
    """The live part of a model, under other numbers.

    Attributes:
        model: What to train: it takes the same inputs as the whole model and gives the
            same outputs. What it has is named as in the whole model.
        masks: What is kept of it.
        positions: For each parameter or buffer that was cut, which of its positions
            are here.
    """

    model: nn.Module
    masks: Masks
    positions: Positions

    def put_back(self, whole: nn.Module) -> None:
        """Write parameters and buffers back to where they were taken from, in place.

        Parameters that were left out become zero. Nothing reads them, and so edges that
        no score holds are the first to go.
        """
        named = named_tensors(whole)
        for name, _ in self.model.named_parameters():
            if name in self.positions:
                named[name].data.zero_()
        with torch.no_grad():
            for name, value in named_tensors(self.model).items():
                target = named[name]
                if name in self.positions:
                    target[_mesh(target, self.positions[name])] = value
                else:
                    put(target, value)

    def laid_out(
        self, values: Mapping[str, Tensor], whole: nn.Module
    ) -> dict[str, Tensor]:
        """Lay out numbers for this part's parameters as in the whole model, else 0."""
        found = {}
        for name, value in values.items():
            found[name] = value.new_zeros(whole.get_parameter(name).shape)
            found[name][_mesh(found[name], self.positions.get(name, {}))] = value
        return found


def excerpt(
    model: nn.Module,
    example_inputs: Inputs,
    *,
    masks: Masks,
    ignore: Sequence[str] = (),
) -> Excerpt:
    """Take the live part out of a masked model.

    Units that nothing reads are left out, as `compact` does. So are inputs that no
    linear layer reads, where only such layers read the model's inputs.

    Args:
        model: The model that the masks were made for, left as it was found.
        example_inputs: What the model can be called with.
        masks: What is kept.
        ignore: Names of layers that keep all their units.

    Returns:
        The excerpt.

    Raises:
        ModelError: The masks do not fit the model, or the part computes something else.

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> keep = {
        ...     "0.weight": torch.tensor([[True, False, True, False]] * 3),
        ...     "2.weight": torch.tensor([[True, False, False], [False, False, True]]),
        ... }
        >>> part = excerpt(net, torch.zeros(1, 4), masks=Masks(keep, tuple(keep)))
        >>> part.model[0]
        Linear(in_features=2, out_features=2, bias=True)
        >>> part.model(torch.zeros(5, 4)).shape
        torch.Size([5, 2])
    """
    small, kept = cut_out(
        model, example_inputs, masks=masks, ignore=ignore, zeros_read=True
    )
    if isinstance(example_inputs, Tensor) and example_inputs.ndim == 2:
        columns = _cut_inputs(small, example_inputs, cut_masks(masks, kept))
        for name, positions in columns.items():
            kept.setdefault(name, {})[1] = positions
    return Excerpt(small, cut_masks(masks, kept), kept)


def _cut_inputs(
    small: nn.Module, inputs: Tensor, masks: Masks
) -> dict[str, Int[Tensor, " input"]]:
    """Leave out the inputs that no weight reads; give those left for each that does."""
    readers = _readers(small, inputs)
    if not readers or not masks.keep.keys() >= readers.keys():
        return {}
    read = torch.stack([masks.keep[name].any(0) for name in readers]).any(0).cpu()
    if read.all():
        return {}
    # A layer without inputs has no shape.
    columns = read.nonzero().flatten() if read.any() else torch.tensor([0])
    with seeded(0):
        trials = (inputs, torch.randn_like(inputs))
    before = tried(small, trials)
    whole = {name: layer.weight for name, layer in readers.items()}
    for name, layer in readers.items():
        # Another parameter: torch remembers the shape that one has in a backward pass.
        part = whole[name].detach()[:, columns.to(whole[name].device)]
        needed = whole[name].requires_grad
        _set_weight(layer, nn.Parameter(part, requires_grad=needed))
    handle = small.register_forward_pre_hook(
        ReadSome(columns.to(next(small.parameters()).device))
    )
    try:
        check_unchanged(before, small)
    except ModelError:
        # One of the weights reads something else, too, as in a layer called twice.
        handle.remove()
        for name, layer in readers.items():
            _set_weight(layer, whole[name])
        return {}
    return dict.fromkeys(readers, columns)


def _set_weight(layer: nn.Linear, weight: Tensor) -> None:
    """Give a layer the weights of other inputs, in place."""
    layer.weight = weight
    layer.in_features = weight.shape[1]


def _readers(model: nn.Module, inputs: Tensor) -> dict[str, nn.Linear]:
    """Find the linear layers that read the inputs by their weights' names.

    There are none if anything else reads them.
    """
    probe = _Watched(inputs.detach().clone())
    readers: dict[str, nn.Linear] = {}

    def note(name: str, layer: nn.Linear, given: tuple) -> tuple[Tensor, ...] | None:
        if not given or given[0] is not probe:
            return None
        readers[f"{name}.weight".lstrip(".")] = layer
        return (probe.as_subclass(Tensor), *given[1:])

    handles = [
        layer.register_forward_pre_hook(partial(note, name))
        for name, layer in model.named_modules()
        if type(layer) is nn.Linear
    ]
    try:
        with evaluating(model), torch.no_grad():
            model(probe)
    except _ReadElsewhereError:
        return {}
    finally:
        for handle in handles:
            handle.remove()
    return readers


class _ReadElsewhereError(ModelError):
    """Something other than a linear layer reads the inputs."""


class _Watched(Tensor):
    """Inputs that say so when an operation reads them."""

    def __new__(cls, values: Tensor) -> "_Watched":
        """Look at the same numbers."""
        return values.as_subclass(cls)

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        """Refuse what is no look at the shape, and not our own."""
        if getattr(func, "__name__", "") in {"as_subclass", "__get__", "size", "dim"}:
            return super().__torch_function__(func, types, args, kwargs or {})
        raise _ReadElsewhereError("read elsewhere")


def _mesh(target: Tensor, cut: Mapping[int, Tensor]) -> tuple[Tensor, ...]:
    """Give the index of the entries at some positions of each axis."""
    axes = target.ndim
    return tuple(
        cut.get(axis, torch.arange(length))
        .to(target.device)
        .view([-1 if other == axis else 1 for other in range(axes)])
        for axis, length in enumerate(target.shape)
    )
