"""What a report calls a layer: by its module, or by the parameter that it uses."""

from collections import Counter

from torch import Tensor, nn

from sculpt_plugin.errors import ModelError, TraceError
from sculpt_plugin.finite import all_finite
from sculpt_plugin.tracing.labels import storage_key


class Names:
    """Names the layers of one model, each use of a layer by a name of its own.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 2))
        >>> names = Names(net)
        >>> names.of(net[0].weight, "0"), names.of(net[0].weight, "0")
        ('0', '0 #2')
    """

    def __init__(self, model: nn.Module) -> None:
        self._modules = dict(model.named_modules())
        self._owners: dict[int | None, tuple[str, Tensor]] = {}
        for name, parameter in model.named_parameters():
            key = storage_key(parameter)
            if key is not None:
                self._owners.setdefault(key, (name, parameter))
        self._checked: set[int | None] = set()
        self._uses: Counter[str] = Counter()

    def of(self, weight: Tensor, path: str) -> str:
        """Name the layer that uses a weight while the module at a path runs."""
        return self.again(self._name(weight, path))

    def again(self, name: str) -> str:
        """Tell several uses of one name apart."""
        self._uses[name] += 1
        uses = self._uses[name]
        return name if uses == 1 else f"{name} #{uses}"

    def _name(self, weight: Tensor, path: str) -> str:
        key = storage_key(weight)
        module = self._modules[path]
        for name, parameter in module.named_parameters(recurse=False):
            if key is not None and storage_key(parameter) == key:
                where = f"{path}." if path else ""
                return _shortened(f"{where}{name}", path) + _rows(weight, parameter)
        if key in self._owners:
            name, parameter = self._owners[key]
            return _shortened(name, path) + _rows(weight, parameter)
        return path or "model"

    def check(self, weight: Tensor, path: str) -> None:
        """Refuse weights that are no numbers."""
        key = storage_key(weight)
        if key in self._checked or key not in self._owners:
            return
        self._checked.add(key)
        if weight.is_floating_point() and not all_finite(weight):
            raise TraceError(
                f"Layer {path or 'model'!r} must have finite numbers only, and a "
                "parameter of it holds NaN or infinity: train it again, or load "
                "another checkpoint."
            )


def _shortened(name: str, path: str) -> str:
    """Drop what every layer's parameter is called."""
    owner, _, last = name.rpartition(".")
    if ".parametrizations." in f".{name}":
        return path or "model"
    if last in ("weight", "weight_orig"):
        return owner or "model"
    return name.removesuffix("_weight")


def _rows(weight: Tensor, parameter: Tensor) -> str:
    """Say which rows of a parameter are used, if not all."""
    if parameter.ndim < 2 or weight.numel() >= parameter.numel():
        return ""
    row = parameter[0].numel()
    first = int(weight.storage_offset()) // row
    return f"[{first}:{first + weight.numel() // row}]"


def check_placed(model: nn.Module) -> None:
    """Refuse a model whose parameters have no values yet.

    Raises:
        ModelError: A parameter has no shape, or is on the meta device.
    """
    for name, parameter in model.named_parameters():
        if isinstance(parameter, nn.UninitializedParameter):
            raise ModelError(
                f"Parameter {name!r} has no shape yet: run the model once first."
            )
        if parameter.is_meta:
            raise ModelError(
                f"Parameter {name!r} is on the meta device and has no values: load the "
                "model's weights first."
            )
