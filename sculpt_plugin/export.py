"""Results for other tools: graphs for Gephi and networkx, masks for torch-pruning."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from torch import nn

from sculpt_plugin import store
from sculpt_plugin.errors import ExportError
from sculpt_plugin.exporting.gexf import gexf
from sculpt_plugin.exporting.graphml import graphml
from sculpt_plugin.exporting.kept import check_fits, kept, stops_units, unread
from sculpt_plugin.exporting.node_link import node_link
from sculpt_plugin.exporting.units import units_of
from sculpt_plugin.pruning.keeping import MASKS_FORMAT
from sculpt_plugin.pruning.masks import Masks
from sculpt_plugin.report import Report

_WRITERS = {".graphml": graphml, ".gexf": gexf, ".json": node_link}


def save(report: Report, path: str | Path) -> None:
    """Save the graph of a report with its modules, in the format the suffix names.

    A node is a unit, with the number and the name of its layer, the layer's kind, its
    original number in the layer (`channel`), whether it is live, and its module with
    that module's level. Edges have no weight: a report knows which weights were kept,
    not how large they are. Names are spelled as in a Python string where they hold
    what cannot be seen, and cut after 1,000 letters.

    Args:
        report: The report.
        path: Where to; the folder must exist. `.graphml` for networkx, igraph, yEd and
            Cytoscape, `.gexf` for Gephi, which shows the layers from the bottom up and
            the modules in the colours of `plot`, `.json` for networkx and D3.

    Raises:
        ExportError: The suffix is another one, or the place is no place for a file.
        CheckpointError: The file cannot be written.

    Example:
        >>> import tempfile, networkx, torch
        >>> from sculpt_plugin.report import analyze
        >>> report = analyze(nn.Linear(2, 1), torch.zeros(1, 2))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(report, f"{folder}/graph.graphml")
        ...     found = networkx.read_graphml(f"{folder}/graph.graphml")
        >>> found.nodes["1"]["label"], found.nodes["1"]["module"]
        ('x1', 0)
    """
    check_path(path)
    write = _WRITERS[Path(path).suffix.lower()]
    content = bytearray()
    for piece in write(report.graph, units_of(report.graph, report.hierarchy)):
        content += piece.encode()
    store.write_bytes(Path(path), bytes(content))


def masks(report: Report, model: nn.Module) -> Masks:
    """Give the masks under which a model does all that a report says of it.

    Kept is what is not zero, less the units from which no path leads to an output,
    so that these can be cut out: the model computes the same. Units are only taken
    away where the report covers the model exactly and no norm has a weight of zero.

    Args:
        report: What `analyze` said of the model.
        model: The model, left as it was found.

    Returns:
        The masks, by parameter name; `attach(original, masks)` puts them on another
        model with the same parameters.

    Raises:
        ModelError: The model is not the one that was analyzed.

    Example:
        >>> import torch
        >>> from sculpt_plugin.report import analyze
        >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> with torch.no_grad():
        ...     _ = net[2].weight.copy_(torch.tensor([[1.0, 0.0]]))
        >>> found = masks(analyze(net, torch.zeros(1, 2)), net)
        >>> found.keep["0.weight"].tolist(), found.keep["0.bias"].tolist()
        ([[True, True], [False, False]], [True, False])
    """
    check_fits(report.graph, model)
    return kept(model, _gone(report, model))


def save_masks(report: Report, model: nn.Module, path: str | Path) -> None:
    """Save the masks of `masks` for torch-pruning, or anything that reads safetensors.

    Args:
        report: What `analyze` said of the model.
        model: The model, left as it was found.
        path: Where to; the folder must exist. One boolean tensor for each parameter
            name; in the header, under `sculpt`, JSON whose `gone` lists for each layer
            the numbers of the units that can be cut out. `load_masks` reads it too.

    Raises:
        ModelError: The model is not the one that was analyzed.
        ExportError: The name does not end in .safetensors, or the place is no place for
            a file.
        CheckpointError: The file cannot be written.
    """
    check_masks_path(path)
    found = masks(report, model)
    metadata = {
        "format": MASKS_FORMAT,
        "weights": list(found.weights),
        "gone": {n: x.nonzero()[0].tolist() for n, x in _gone(report, model).items()},
    }
    store.write_tensors(Path(path), found.keep, metadata=metadata)


def check_path(path: str | Path) -> None:
    """Refuse a path that `save` could not write, before there is anything to save.

    Raises:
        ExportError: As for `save`.

    Example:
        >>> check_path("graph.dot")
        Traceback (most recent call last):
            ...
        sculpt_plugin.errors.ExportError: An exported graph must end in .graphml, .gexf
        or .json, got 'graph.dot': rename it.
    """
    *most, last = _WRITERS
    rule = f"An exported graph must end in {', '.join(most)} or {last}"
    check_ending(path, _WRITERS, rule)


def check_masks_path(path: str | Path) -> None:
    """Refuse a path that `save_masks` could not write, before there are any.

    Raises:
        ExportError: As for `save_masks`.

    Example:
        >>> check_masks_path("masks.pt")
        Traceback (most recent call last):
            ...
        sculpt_plugin.errors.ExportError: Masks are saved as .safetensors, got
        'masks.pt': rename it.
    """
    check_ending(path, (".safetensors",), "Masks are saved as .safetensors")


def check_ending(path: str | Path, endings: Collection[str], rule: str) -> None:
    """Refuse a path that ends otherwise, or that is no place for a file.

    Args:
        path: Where a file is to go.
        endings: How its name may end, in small letters, each with its dot.
        rule: What is said of a name that ends otherwise.

    Raises:
        ExportError: As said.
    """
    if Path(path).suffix.lower() not in endings:
        raise ExportError(f"{rule}, got {Path(path).name!r}: rename it.")
    check_place(path)


def check_place(path: str | Path) -> None:
    """Refuse a path that is a folder, or that is in none.

    Raises:
        ExportError: As said.

    Example:
        >>> check_place("no/such/folder/masks.safetensors")
        Traceback (most recent call last):
            ...
        sculpt_plugin.errors.ExportError: 'no/such/folder/masks.safetensors' must be ...
    """
    path = Path(path)
    if path.is_dir():
        raise ExportError(
            f"{str(path)!r} must be a file to write, but is a folder: name a file in "
            "it."
        )
    if not path.parent.is_dir():
        raise ExportError(
            f"{str(path)!r} must be in a folder that exists, and "
            f"{str(path.parent)!r} does not: make it first."
        )


def _gone(report: Report, model: nn.Module) -> dict[str, Bool[np.ndarray, " unit"]]:
    """Give the units of each layer that can be cut out, and nothing changes."""
    if stops_units(model):
        return {}
    return unread(report.graph, covered=report.evidence["coverage"])
