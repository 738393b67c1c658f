"""A check of the graph on the model itself: change some units, see what else changes.

While units of one layer are changed, every other layer hands on what it handed on
before. So the layers whose inputs change are those that read the units directly, and
they must be those that the graph joins them to.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from sculpt_plugin.errors import TraceError, one_line
from sculpt_plugin.inputs import Inputs, flat_tensors, undisturbed, with_fractions
from sculpt_plugin.tracing.following import Follower, follow
from sculpt_plugin.tracing.operation import Operation, tensors_in
from sculpt_plugin.tracing.walking import Walk, copied
from sculpt_plugin.tracing.weights import layout, product
from sculpt_plugin.tracing.wiring import Outputs, Wiring, outputs_of

_TRIES = 3
"""How often an edge that shows no effect is tried with other numbers."""
_RUNS = 100
"""About how often the model is run; of very many layers only some are checked."""
_SHARE = 4
"""One in so many units of a large layer is changed at once, after one unit alone."""


@dataclass(frozen=True, eq=False)
class _Change:
    """What to change: some units of a layer, or of an input."""

    layer: int | None
    number: int
    units: Bool[np.ndarray, " unit"]
    seed: int


class _Rerun(Walk):
    """A run that holds the layers' outputs, apart from units that it changes.

    Attributes:
        made: For each moment at which a layer ran what it made, from the first run.
        read: For each such moment what it read, as rows of columns.
        changed: Whether each column changed, from a later run.
    """

    def __init__(self, wiring: Wiring) -> None:
        super().__init__()
        self.layers = {
            layer.moment: number for number, layer in enumerate(wiring.layers)
        }
        self.wiring = wiring
        self.made: dict[int, list[Tensor]] = {}
        self.read: dict[int, list[Tensor]] = {}
        self.changed: dict[int, np.ndarray] = {}
        self.change: _Change | None = None

    def again(self, model: nn.Module, inputs: Inputs, change: _Change) -> Any:
        """Run with the outputs of the first run held and some units changed."""
        self.moment, self.change = 0, change
        given = copied(inputs)
        if change.layer is None:
            tensor = list(tensors_in(given))[change.number]
            units = self.wiring.inputs[change.number]
            mask = torch.from_numpy(change.units).reshape(units.sizes)
            _shift(tensor, mask.expand(tensor.shape), change.seed)
        return self.run(model, given)

    def see(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        """Compare what a layer reads, and hold what it makes."""
        if self.moment not in self.layers:
            return
        layer = self.wiring.layers[self.layers[self.moment]]
        operation = Operation.of(func, args, kwargs, result)
        found = product(operation, weights_left=layer.weights_left)
        reads = [x.flatten(0, found.column_axes - 1) for x in found.reads]
        made = operation.made[0]
        self._compare(reads, [made])
        change = self.change
        if change is not None and change.layer == self.layers[self.moment]:
            mask = layout(made.shape, found.unit_axes, torch.from_numpy(change.units))
            _shift(made, mask, change.seed)

    def see_block(self, module: nn.Module, read: Sequence[Tensor], made: Any) -> None:
        """Do the same for a recurrent layer."""
        if self.moment not in self.layers:
            return
        tensors = list(tensors_in(made))
        self._compare([read[0].movedim(-1, 0)], tensors)
        change = self.change
        if change is not None and change.layer == self.layers[self.moment]:
            units = torch.from_numpy(change.units)
            for tensor in (
                tensors[0][..., -len(units) :],
                *(x[-1] for x in tensors[1:]),
            ):
                if tensor.shape[-1] == len(units):
                    _shift(tensor, units.expand(tensor.shape), change.seed)

    def _compare(self, reads: Sequence[Tensor], made: Sequence[Tensor]) -> None:
        """Note the columns that changed, and put back what was made."""
        if self.change is None:
            self.read[self.moment] = [x.flatten(1).clone() for x in reads]
            self.made[self.moment] = [x.clone() for x in made]
            return
        columns = [
            differs(now.flatten(1), before).any(1)
            for now, before in zip(reads, self.read[self.moment], strict=True)
        ]
        self.changed[self.moment] = torch.cat(columns).cpu().numpy()
        for now, before in zip(made, self.made[self.moment], strict=True):
            now.copy_(before)


def verify(model: nn.Module, example_inputs: Inputs, wiring: Wiring) -> dict[str, Any]:
    """Check the wiring of a model by changing units in it.

    Of each layer, and of the inputs, one unit and then a quarter of all units is
    changed, chosen by random numbers that are always the same; of a layer with eight
    units or fewer each one alone. The model is run about a hundred times at most, so
    that of a very deep one not every layer is checked.

    Args:
        model: The model, left as it was found.
        example_inputs: A batch of inputs. Fractions among them are replaced by noise.
        wiring: The wiring of the model.

    Returns:
        `units`, how many were changed; `columns`, how many inputs of layers were
        compared; `missed`, how many changed without an edge, so that the graph is
        wrong; `unseen`, how many did not change in spite of an edge, as behind a unit
        that a ReLU keeps silent; `where`, the layers at which inputs were missed.

    Raises:
        TraceError: The model does something else for other inputs.

    Example:
        >>> from sculpt_plugin.tracing.wiring import wire
        >>> net, x = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)), torch.zeros(1, 3)
        >>> found = verify(net, x, wire(net, x))
        >>> found["units"], found["columns"], found["missed"], found["unseen"]
        (6, 30, 0, 0)
    """
    with undisturbed(model):
        inputs = _noisy(example_inputs)
        whole, output = follow(model, inputs, wiring.axes, statistics=True)
        if [x.moment for x in whole.layers] != [x.moment for x in wiring.layers]:
            raise TraceError(
                "The model must take the same path for all inputs to be verified, and "
                "takes another one for random inputs: analyse it without verify."
            )
        ends = outputs_of(whole, output)
        rerun = _Rerun(wiring)
        before = flat_tensors(rerun.run(model, copied(inputs)))
        names = [*(layer.name for layer in wiring.layers), "outputs"]
        found: dict[str, Any] = {"units": 0, "columns": 0, "missed": 0, "unseen": 0}
        where: dict[str, None] = {}
        changes = list(_changes(wiring, inputs))
        changes = changes[:: -(-len(changes) // _RUNS)]
        tries = min(_TRIES, max(1, _RUNS // max(1, len(changes))))
        for change in changes:
            edges = _expected(wiring.follower, wiring.outputs, change)
            bounds = _expected(whole, ends, change)
            changed = [np.zeros_like(each) for each in edges]
            for seed in range(tries):
                try:
                    after = rerun.again(model, inputs, replace(change, seed=seed))
                except Exception as error:
                    raise TraceError(
                        "The model must run again and again to be verified, and fails: "
                        f"{one_line(error)}. Analyse it without verify."
                    ) from error
                now = _changed(rerun, wiring, flat_tensors(after), before)
                changed = [a | b for a, b in zip(changed, now, strict=True)]
                if not any((e & ~c).any() for e, c in zip(edges, changed, strict=True)):
                    break
            found["units"] += int(change.units.sum())
            for name, *each in zip(names, edges, bounds, changed, strict=False):
                expected, bound, seen = each
                found["columns"] += len(seen)
                found["missed"] += int((seen & ~bound & ~expected).sum())
                found["unseen"] += int((expected & ~seen).sum())
                if (seen & ~bound & ~expected).any():
                    where[name] = None
    return {**found, "where": list(where)}


def differs(now: Tensor, before: Tensor) -> Tensor:
    """Tell which numbers are not what they were; two NaN are the same.

    Example:
        >>> nan = float("nan")
        >>> now, before = torch.tensor([1.0, nan, 2.0]), torch.tensor([1.0, nan, 3.0])
        >>> differs(now, before).tolist()
        [False, False, True]
    """
    return (now != before) & ~((now != now) & (before != before))


def _changes(wiring: Wiring, inputs: Inputs) -> Iterator[_Change]:
    """List what to change: a unit alone, then a share of the units, layer by layer."""
    chosen = np.random.default_rng(0)
    sizes = [
        (_Change(None, number, np.zeros(each.count, dtype=bool), seed=0))
        for number, (each, x) in enumerate(
            zip(wiring.inputs, tensors_in(inputs), strict=True)
        )
        if x.is_floating_point()
    ]
    # The last of the layers within a block is the one whose units can be changed.
    last = {layer.moment: number for number, layer in enumerate(wiring.layers)}
    sizes += [
        _Change(
            number,
            number,
            np.zeros(len(wiring.layers[number].kept), dtype=bool),
            seed=0,
        )
        for number in last.values()
    ]
    for change in sizes:
        size = len(change.units)
        order = chosen.permutation(size)
        few = size <= 2 * _SHARE
        for picked in order[:, None] if few else (order[:1], order[: size // _SHARE]):
            units = np.zeros(size, dtype=bool)
            units[picked] = True
            yield replace(change, units=units)


def _expected(
    follower: Follower, outputs: Outputs, change: _Change
) -> list[Bool[np.ndarray, " column"]]:
    """Tell for each layer, and the outputs, which columns a change should change."""
    sets = follower.labels.sets
    touched = np.zeros(sets.unit_count + 1, dtype=bool)
    place = follower.layers if change.layer is not None else follower.inputs
    first = place[change.number].first
    touched[first : first + len(change.units)] = change.units
    for junction in sets.junctions:
        starts = np.cumsum([0, *map(len, junction.members[:-1])])
        summed = np.logical_or.reduceat(
            touched[np.concatenate(junction.members)], starts
        )
        touched[junction.first : junction.first + len(summed)] = summed

    def columns(labels: Int[np.ndarray, " column"]) -> Bool[np.ndarray, " column"]:
        # A set with room to spare names the unit -1, which is never touched.
        return np.any(touched[sets.table(labels)], axis=1)

    ends = [] if outputs.layer is not None else [columns(outputs.columns)]
    return [*(columns(x.columns[: x.seen]) for x in follower.layers), *ends]


def _changed(
    rerun: _Rerun, wiring: Wiring, after: Sequence[Tensor], before: Sequence[Tensor]
) -> list[Bool[np.ndarray, " column"]]:
    """Tell for each layer, and the outputs, which columns changed."""
    found = [rerun.changed[layer.moment][: layer.seen] for layer in wiring.layers]
    if wiring.outputs.layer is None:
        ends = []
        for number, axes in zip(
            wiring.outputs.numbers, wiring.outputs.axes, strict=True
        ):
            different = differs(after[number], before[number])
            others = [axis for axis in range(different.ndim) if axis not in axes]
            count = math.prod(different.shape[axis] for axis in axes)
            ends.append(different.permute([*axes, *others]).reshape(count, -1).any(1))
        found.append(torch.cat(ends).cpu().numpy())
    return found


def _noisy(inputs: Inputs) -> Any:
    """Replace fractions among the inputs by noise."""
    numbers = torch.Generator().manual_seed(0)

    def noise(x: Tensor) -> Tensor:
        return torch.randn(x.shape, generator=numbers, dtype=x.dtype).to(x.device)

    return with_fractions(inputs, noise)


def _shift(tensor: Tensor, mask: Tensor, seed: int) -> None:
    """Change the marked numbers, by more than they are large."""
    numbers = torch.Generator().manual_seed(seed)
    noise = torch.randn(tensor.shape, generator=numbers, dtype=torch.float64)
    noise *= 3 * float(tensor.abs().nanmean()) + 0.3
    shift = torch.where(mask.cpu(), noise, 0.0)
    tensor.add_(shift.to(tensor.device, tensor.dtype))
