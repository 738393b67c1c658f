"""Sculptures on disk: weights and masks as safetensors, unit numbers as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from sculpt_plugin import store
from sculpt_plugin.coupling import edge_layers, layer_of, output_axis
from sculpt_plugin.errors import CheckpointError, ModelError
from sculpt_plugin.files.chains import chain
from sculpt_plugin.pruning.compaction import Compacted, check_unchanged, tried
from sculpt_plugin.pruning.masks import Masks
from sculpt_plugin.randomness import seeded

MODEL_FORMAT, MASKS_FORMAT = "sculpt-model/1", "sculpt-masks/1"


@dataclass(frozen=True, eq=False)
class Kept:
    """A model's tensors as they were saved.

    Attributes:
        tensors: The `state_dict` of the model.
        units: For each layer that was cut, the original numbers of its units; empty
            for a model that was not.
        sizes: For each of these layers, how many units it had.
    """

    tensors: dict[str, Tensor]
    units: Mapping[str, list[int]]
    sizes: Mapping[str, int]


def save_model(path: str | Path, model: nn.Module) -> None:
    """Save a model's `state_dict` as safetensors, all units under their own numbers.

    Raises:
        CheckpointError: The place cannot be written.
    """
    metadata = {"format": MODEL_FORMAT, "units": {}, "sizes": {}}
    store.write_tensors(Path(path), model.state_dict(), metadata=metadata)


def save_compacted(path: str | Path, compacted: Compacted, original: nn.Module) -> None:
    """Save a compacted model with the numbers its units had in the original.

    `load_model` tells a chain of Linear layers with a ReLU between each two from its
    weights. The file says nothing else, so any other model is refused; keep it whole,
    with `torch.save(compacted.model, path)`.

    Args:
        path: Where to; its folder must exist.
        compacted: What `compact` gave.
        original: The model that was compacted, for the sizes of its layers.

    Raises:
        ModelError: The model is no such chain; nothing is written.
        CheckpointError: The place cannot be written.

    Example:
        >>> import tempfile, torch
        >>> from sculpt_plugin.pruning.compaction import compact
        >>> net = nn.Sequential(nn.Linear(1, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> masks = Masks({"2.weight": torch.tensor([[False, True, True]])}, ())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "small.safetensors"
        ...     save_compacted(path, compact(net, torch.zeros(1, 1), masks=masks), net)
        ...     kept = load_kept(path)
        >>> kept.units["0"], kept.sizes["0"], list(kept.tensors["0.weight"].shape)
        ([1, 2], 3, [2, 1])
    """
    if not _is_told_by_weights(compacted.model):
        raise ModelError(
            "A compacted model must be a chain of Linear layers with a ReLU between "
            "each two, as load_model gives it back, but this one computes something "
            "else: keep it whole, with torch.save(compacted.model, path)."
        )
    sizes = {
        layer_of(name): layer.get_parameter("weight").shape[output_axis(layer)]
        for name, layer in edge_layers(original).items()
    }
    metadata = {
        "format": MODEL_FORMAT,
        "units": {name: units.tolist() for name, units in compacted.units.items()},
        "sizes": sizes,
    }
    store.write_tensors(Path(path), compacted.model.state_dict(), metadata=metadata)


def _is_told_by_weights(model: nn.Module) -> bool:
    """Tell whether the chain that a model's weights seem to be computes the same."""
    try:
        again = chain(model.state_dict(), in_order=False)
        first = next(m for m in again.modules() if isinstance(m, nn.Linear)).weight
        with seeded(0):
            inputs = first.new_empty(64, first.shape[1]).normal_()
        # Small and large, for activations are alike at one of the ends.
        check_unchanged(tried(model, [inputs, 10 * inputs, 100 * inputs]), again)
    except Exception:  # The model may raise anything on inputs of the chain's shape.
        return False
    return True


def load_kept(path: str | Path) -> Kept:
    """Read a model that was saved here: its tensors and its original unit numbers.

    Raises:
        CheckpointError: The file is missing, damaged, or was not written by Sculpt.
    """
    tensors, metadata = _read(Path(path), MODEL_FORMAT)
    return Kept(tensors, metadata.get("units", {}), metadata.get("sizes", {}))


def save_masks(path: str | Path, masks: Masks) -> None:
    """Save masks by parameter name, as boolean safetensors.

    Raises:
        CheckpointError: The place cannot be written.

    Example:
        >>> import tempfile, torch
        >>> masks = Masks({"weight": torch.tensor([[True, False]])}, ("weight",))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_masks(Path(folder) / "masks.safetensors", masks)
        ...     load_masks(Path(folder) / "masks.safetensors").density
        0.5
    """
    metadata = {"format": MASKS_FORMAT, "weights": list(masks.weights)}
    store.write_tensors(Path(path), masks.keep, metadata=metadata)


def load_masks(path: str | Path) -> Masks:
    """Read masks that `save_masks` wrote; `attach(model, masks)` puts them on.

    Raises:
        CheckpointError: The file is missing, damaged, or holds no masks.
    """
    tensors, metadata = _read(Path(path), MASKS_FORMAT)
    return Masks(tensors, tuple(metadata["weights"]))


def _read(path: Path, wanted: str) -> tuple[dict[str, Tensor], dict]:
    """Read a file of the wanted format."""
    tensors, metadata = store.read_tensors(path)
    found = metadata.get("format") if isinstance(metadata, dict) else None
    if found != wanted:
        raise CheckpointError(
            f"{path} must be a file of format {wanted}, got {found or 'another one'}: "
            "pass a file that Sculpt wrote."
        )
    return tensors, metadata
