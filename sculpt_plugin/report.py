"""What an analysis says: layers, modules and hierarchy, as data, JSON or a tree."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int
from torch import nn

from sculpt_plugin import covered as coverage
from sculpt_plugin.analysis.chain import outputs_alike_in
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy
from sculpt_plugin.analysis.louvain import RESTARTS, SEED, compared
from sculpt_plugin.analysis.modules import (
    Method,
    as_taken,
    chosen_method,
    detect,
)
from sculpt_plugin.analysis.trace import read
from sculpt_plugin.drawing.module_tree import ModuleTree
from sculpt_plugin.inputs import Inputs

if TYPE_CHECKING:
    import rich.console

SCHEMA = "sculpt-report/1"


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """The modules of a network, how they were found, and what that rests on.

    Printed with rich, it is a tree of its modules, level by level, with how much of the
    model it covers.

    Attributes:
        graph: All units and edges, dead ones included.
        hierarchy: The modules and which feeds which.
        settings: The arguments of the analysis.
        evidence: What the report rests on: `coverage` of the model by the trace,
            `consensus` where other networks of the same task were asked as well, and
            `second_opinion` where `louvain` was set beside the paper's method.
    """

    graph: LayeredGraph
    hierarchy: Hierarchy
    settings: Mapping[str, Any]
    evidence: Mapping[str, Any]

    def __repr__(self) -> str:
        """Say how much was found."""
        live = int((self.hierarchy.label >= 0).sum())
        return (
            f"Report({len(self.hierarchy.modules)} modules, {live} live units, "
            f"{self.graph.edge_count} edges)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the report in the versioned format that other tools read.

        Returns:
            Plain dicts, lists, numbers and strings. Inputs are called `x0`, `x1`, ...
            and outputs `y0`, `y1`, ... by their original numbers; a module's are those
            that reach it and that it reaches. A dead unit's module is None.

        Example:
            >>> import torch
            >>> net = nn.Sequential(nn.Linear(2, 1))
            >>> report = analyze(net, torch.zeros(1, 2)).to_dict()
            >>> report["layers"][0]
            {'name': 'inputs', 'kind': 'input', 'units': 2, 'module': [0, 0]}
            >>> report["modules"][0]["inputs"], report["edges"]
            (['x0', 'x1'], [])
        """
        return {
            "schema": SCHEMA,
            "layers": [self._layer(number) for number in range(self.graph.depth)],
            "modules": [
                {
                    "id": module.id,
                    "level": module.level,
                    "layers": list(module.layers),
                    "units": module.units,
                    "inputs": [f"x{number}" for number in module.inputs],
                    "outputs": [f"y{number}" for number in module.outputs],
                    "used_by": list(module.used_by),
                    "input_separable": module.input_separable,
                    "density": module.density,
                }
                for module in self.hierarchy.modules
            ],
            "edges": [[*pair, count] for pair, count in self.hierarchy.edges.items()],
            "coverage": dict(self.evidence["coverage"]),
            **self._consensus(),
            **self._approximations(),
            **self._second_opinion(),
            "settings": dict(self.settings),
            "versions": _versions(),
        }

    def to_json(self) -> str:
        """Give the report as JSON text."""
        return json.dumps(self.to_dict(), indent=1)

    def _consensus(self) -> dict[str, Any]:
        """Give the consensus as data, where there is one."""
        found = self.evidence.get("consensus")
        return {} if found is None else {"consensus": found.to_dict()}

    def _approximations(self) -> dict[str, Any]:
        """Give as data what is not exact, where anything is not."""
        found = [
            {"layer": name, **asdict(clusters.approximation)}
            for name, clusters in zip(
                self.graph.names, self.hierarchy.clusters, strict=False
            )
            if clusters.approximation is not None
        ]
        return {"approximations": found} if found else {}

    def _second_opinion(self) -> dict[str, Any]:
        """Give the comparison of two methods as data, where there is one."""
        found = self.evidence.get("second_opinion")
        return {} if found is None else {"second_opinion": dict(found)}

    def _layer(self, number: int) -> dict[str, Any]:
        """Describe one layer by the modules of its units."""
        labels = self.hierarchy.label[self.graph.units(number)].tolist()
        return {
            "name": self.graph.names[number],
            "kind": self.graph.kinds[number],
            "units": self.graph.sizes[number],
            "module": [None if label < 0 else label for label in labels],
        }

    def __rich__(self) -> "rich.console.RenderableType":
        """Show the modules as a tree, and what it rests on."""
        from rich.console import Group
        from rich.text import Text

        dead = int((self.hierarchy.label < 0).sum())
        rest = (
            f"{self.graph.unit_count - dead:,} live units, {dead:,} dead; "
            f"{self.graph.edge_count:,} edges"
            f"{self._approximated_line()}{self._second_opinion_line()}"
        )
        found = self.evidence["coverage"]
        covers = coverage.lines(found) if found else ()
        return Group(
            ModuleTree(self.graph, self.hierarchy),
            *(Text(line, "dim") for line in (rest, *covers)),
        )

    def _approximated_line(self) -> str:
        """Say in one line what is not exact."""
        found = self._approximations().get("approximations", [])
        if not found:
            return ""
        rows = max(layer["rows"] for layer in found)
        return (
            f"\napproximated: {len(found)} of {self.graph.depth} layers, with up to "
            f"{rows:,} different rows"
        )

    def _second_opinion_line(self) -> str:
        """Say in one line how far two methods agree."""
        found = self.evidence.get("second_opinion")
        if found is None:
            return ""
        scores = (f"{name} {score:.3f}" for name, score in found["modularity"].items())
        return (
            f"\nmodularity: {', '.join(scores)}"
            f"\nadjusted Rand index of the two: {found['adjusted_rand_index']:.3f}"
        )


def analyze(
    model: nn.Module,
    example_inputs: Inputs,
    *,
    hops: int | None = None,
    merge_threshold: float | None = None,
    modularity_threshold: float | None = None,
    method: Method | None = None,
    verify: bool = False,
) -> Report:
    """Find the modules of a sparse network and the hierarchy they form.

    It does not matter what made the network sparse: weights that are zero, masks of
    `torch.nn.utils.prune`, or layers cut by torch-pruning. A dense network is one
    module, unless its outputs' weights fall into groups of two or more.

    Args:
        model: The model, left as it was found.
        example_inputs: What the model is called with: a tensor, a tuple of arguments or
            a dict of named ones, of the right shapes and any values.
        hops: How many edges `agglomerative` looks ahead when units are compared. None:
            to the outputs.
        merge_threshold: The share of edges above which it joins clusters of
            neighbouring layers. The paper takes 0.9, as None does, and 0.6 for images.
        modularity_threshold: How strong the modular structure of a layer must be for it
            to be taken without further tests. The paper takes 0.2, as None does, and
            0.3 for images.
        method: How modules are found: `bidirectional` is our own way, `agglomerative`
            the paper's; `louvain` finds communities, and the report compares them with
            the paper's modules, which the settings are then for. None: ours, but the
            paper's where one of its settings is given.
        verify: Whether to check the graph on the model itself, by changing units; the
            result is in `evidence["coverage"]["verified"]`.

    Returns:
        The report.

    Raises:
        ModelError: The model cannot run on the inputs.
        TraceError: The model holds something whose units are not understood.
        GraphError: No path leads from an input to an output, or a setting is out of
            range.

    Example:
        Two inputs with a hidden unit and an output each.

        >>> import torch
        >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
        >>> with torch.no_grad():
        ...     for layer in (net[0], net[2]):
        ...         _ = layer.weight.copy_(torch.eye(2))
        >>> report = analyze(net, torch.zeros(1, 2))
        >>> [(m.inputs, m.outputs) for m in report.hierarchy.modules]
        [((0,), (0,)), ((1,), (1,))]

    Reference:
        Patil, Michael and Dovrolis, "Neural Sculpting", NeurIPS 2023,
        https://arxiv.org/abs/2305.18402
    """
    found = read(model, example_inputs, verify=verify)
    settings = {
        "hops": hops,
        "merge_threshold": merge_threshold,
        "modularity_threshold": modularity_threshold,
    }
    method = chosen_method(method, settings)
    return explain(
        found.graph,
        covered=found.coverage,
        **settings,
        method=method,
        alike=(
            outputs_alike_in(model, example_inputs)
            if method == "bidirectional"
            else None
        ),
    )


def explain(
    graph: LayeredGraph,
    *,
    covered: Mapping[str, Any],
    hops: int | None = None,
    merge_threshold: float | None = None,
    modularity_threshold: float | None = None,
    method: Method | None = None,
    alike: Int[np.ndarray, " output"] | None = None,
) -> Report:
    """Find the modules of a graph that was traced before; `analyze` does both.

    Args:
        graph: All units and edges.
        covered: What `read` said of the model that the graph stands for.
        hops: As for `analyze`, like the rest.
        merge_threshold: As for `analyze`.
        modularity_threshold: As for `analyze`.
        method: As for `analyze`.
        alike: Which outputs compute the same, as `outputs_alike_in` finds it in a
            model; for `bidirectional` only.

    Returns:
        The report.

    Raises:
        GraphError: As for `analyze`.

    Example:
        >>> graph = LayeredGraph.from_edges((1, 1), [(0, 1)])
        >>> explain(graph, covered={}).hierarchy.label.tolist()
        [0, 0]
    """
    settings: dict[str, Any] = {
        "hops": hops,
        "merge_threshold": merge_threshold,
        "modularity_threshold": modularity_threshold,
    }
    method = chosen_method(method, settings)
    evidence: dict[str, Any] = {"coverage": covered}
    if method == "louvain":
        found = detect(graph, method=method)
        paper = detect(graph, **settings, method="agglomerative")
        evidence["second_opinion"] = compared(graph, found, paper)
    else:
        found = detect(graph, **settings, method=method, alike=alike)
    told = {} if method == "bidirectional" else as_taken(settings)
    told |= {"seed": SEED, "restarts": RESTARTS} if method == "louvain" else {}
    return Report(graph, found, {**told, "method": method}, evidence)


def _versions() -> dict[str, str]:
    """Say which versions made the report."""
    names = ("sculpt_plugin", "torch", "torch-pruning", "numpy", "scipy")
    return {"python": platform.python_version(), **{n: version(n) for n in names}}
