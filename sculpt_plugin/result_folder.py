"""What is written of one sparse network and its modules, wherever it comes from."""

from pathlib import Path

from torch import nn

from sculpt_plugin import html, plot, store
from sculpt_plugin.pruning.keeping import save_masks, save_model
from sculpt_plugin.pruning.masks import Masks
from sculpt_plugin.report import Report


def write_result(
    folder: Path, model: nn.Module, masks: Masks, report: Report, *, title: str
) -> dict[str, str]:
    """Write a sparse network into a folder, with its report and its pictures.

    Args:
        folder: An existing folder. Files of an earlier result are replaced.
        model: The sparse network.
        masks: What is kept of the original.
        report: Its modules.
        title: What the page for the browser is called.

    Returns:
        The name of each file and what it is.

    Raises:
        CheckpointError: The folder cannot be written.
    """
    save_model(folder / "model.safetensors", model)
    save_masks(folder / "masks.safetensors", masks)
    store.write_bytes(folder / "report.json", (report.to_json() + "\n").encode())
    layers = plot.layered(report.graph, report.hierarchy)
    plot.save(layers, folder / "layers.png")
    plot.save(plot.hierarchy(report.hierarchy), folder / "hierarchy.png")
    html.write(report, folder / "report.html", title=title)
    return {
        "report.html": "modules and hierarchy, to explore in a browser",
        "report.json": "modules and hierarchy, for programs",
        "layers.png": "the network, a box round each module",
        "hierarchy.png": "which module feeds which",
        "model.safetensors": "the sparse network",
        "masks.safetensors": "what is kept of the original",
    }
