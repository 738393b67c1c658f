"""Trace one model with random weights and say in JSON what that took and covered.

    python examples/trace_one_model.py resnet50 [--verify] [--prune 0.9]
    python examples/trace_one_model.py --list

A process of its own, so that the peak of its memory is the model's. The models are
torchvision's classifiers, and the small ones of `tests/zoo_models.py`.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sculpt_plugin.analysis.trace import read
from sculpt_plugin.errors import one_line
from sculpt_plugin.inputs import Inputs, call
from sculpt_plugin.vision import import_torchvision

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from zoo_models import MODELS  # pyright: ignore[reportMissingImports]

PICTURE = 224
PICTURES = {"inception_v3": 299}
# A check takes about a hundred runs, so it gets small pictures where a model takes
# pictures of any size, and no model that is larger than this.
SMALL_PICTURE = 64
SMALL_PICTURES = {"inception_v3": 96}
ONE_SIZE = ("vit_", "maxvit_")
MOST_PARAMETERS = 150_000_000


def classifiers() -> list[str]:
    """List torchvision's classifiers, the smallest first."""
    models = import_torchvision().models
    return sorted(
        models.list_models(module=models),
        key=lambda name: next(iter(models.get_model_weights(name))).meta["num_params"],
    )


def build(name: str) -> tuple[nn.Module, Inputs, Inputs]:
    """Make a model with random weights, an example of its size, and one to check on."""
    if name in MODELS:
        model, inputs = MODELS[name]()
        return model, inputs, inputs
    # Drawing these two models' own first weights takes a minute and changes nothing.
    quick = {"init_weights": False} if name in {"googlenet", "inception_v3"} else {}
    model = import_torchvision().models.get_model(name, weights=None, **quick)
    size = PICTURES.get(name, PICTURE)
    small = SMALL_PICTURES.get(name, SMALL_PICTURE)
    if name.startswith(ONE_SIZE):
        small = size
    return model, torch.randn(1, 3, size, size), torch.randn(1, 3, small, small)


@torch.no_grad()
def prune(model: nn.Module, *, share: float) -> None:
    """Zero a share of all weights at random, and none of the biases and norms.

    Some models are born with a table of zeros, often the last one, which would leave
    nothing to trace: it is drawn anew.
    """
    for parameter in model.parameters():
        if parameter.ndim > 1:
            if not parameter.any():
                parameter.normal_(std=0.02)
            parameter.mul_(torch.rand_like(parameter) >= share)


def gibibytes() -> float:
    """Give the peak of this process's memory so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)


def measure(name: str, *, share: float, verify: bool) -> dict[str, Any]:
    """Trace a model: seconds, memory, what the graph holds and what it covers."""
    torch.manual_seed(0)
    model, inputs, small = build(name)
    prune(model.eval(), share=share)
    row: dict[str, Any] = {"memory of the model": gibibytes()}
    start = time.perf_counter()
    with torch.no_grad():
        call(model, inputs)
    row["seconds of a run"] = time.perf_counter() - start
    start = time.perf_counter()
    found = read(model, inputs)
    row |= {"seconds": time.perf_counter() - start, "memory": gibibytes()}
    row |= {
        "parameters": found.coverage["parameters"],
        "exact": found.coverage["exact"],
        "approximated": found.coverage["approximated"],
        "not exact": [
            layer
            for layer in found.coverage["layers"]
            if layer["coverage"] != "exact" and layer["parameters"]
        ],
        "layers": found.graph.depth,
        "units": found.graph.unit_count,
        "edges": found.graph.edge_count,
    }
    del found
    if verify and row["parameters"] <= MOST_PARAMETERS:
        start = time.perf_counter()
        row["verified"] = read(model, small, verify=True).coverage["verified"]
        row["seconds of verifying"] = time.perf_counter() - start
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description="trace one model")
    parser.add_argument("name", nargs="?", help="one of --list")
    parser.add_argument("--list", action="store_true", help="the models, by size")
    parser.add_argument("--prune", type=float, default=0.0, metavar="SHARE")
    parser.add_argument("--verify", action="store_true")
    options = parser.parse_args()
    if options.list:
        print(json.dumps([*MODELS, *classifiers()]))
        return
    try:
        row = measure(options.name, share=options.prune, verify=options.verify)
    except Exception as error:
        row = {"error": f"{type(error).__name__}: {one_line(error)}"}
    print(json.dumps(row))


if __name__ == "__main__":
    main()
