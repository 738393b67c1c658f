"""The true modules of a task, as they follow from its function graph."""

from dataclasses import dataclass

from sculpt_plugin.tasks.function_graph import FunctionGraph


@dataclass(frozen=True)
class TrueModule:
    """One sub-function, with the inputs that nothing else reads.

    Attributes:
        id: Number of the module, in order of first appearance from the inputs up.
        level: Longest path, in modules, from an input module; 0 for those.
        function: Name of the sub-function, None for inputs that several functions
            share and that are a module of their own for that reason.
        inputs: Numbers of the inputs that belong to the module.
        outputs: Numbers of the outputs that belong to the module.
        used_by: The modules it feeds.
    """

    id: int
    level: int
    function: str | None
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    used_by: tuple[int, ...]


@dataclass(frozen=True)
class TrueHierarchy:
    """The true modules of a task and which of them feeds which.

    Attributes:
        modules: The modules; `modules[m].id == m`.
        input_label: For each input its module, -1 if no function reads it.
        output_label: For each output its module.
        edges: `(from module, to module)`, sorted.
    """

    modules: tuple[TrueModule, ...]
    input_label: tuple[int, ...]
    output_label: tuple[int, ...]
    edges: tuple[tuple[int, int], ...]


def true_hierarchy(graph: FunctionGraph) -> TrueHierarchy:
    """Work out the modules that an analysis of a perfect network should find.

    Three rules give them. Inputs are together if exactly the same functions read
    them. Each function is a module, and its outputs, opposites included, belong to
    it. A group of inputs that only one function reads, and that is all that this
    function reads, belongs to that function's module.

    Args:
        graph: The task.

    Returns:
        The modules, their levels, and the labels of inputs and outputs.

    Example:
        `p` has its own two inputs and is used by both outputs.

        >>> from sculpt_plugin.tasks import FunctionGraph, and_, or_, xor
        >>> graph = FunctionGraph(
        ...     inputs=("a", "b", "c"),
        ...     functions={
        ...         "p": xor("a", "b"),
        ...         "both": and_("p", "c"),
        ...         "any": or_("p", "c"),
        ...     },
        ...     outputs=("both", "any"),
        ... )
        >>> truth = true_hierarchy(graph)
        >>> [(module.function, module.level) for module in truth.modules]
        [('p', 0), (None, 0), ('both', 1), ('any', 1)]
        >>> truth.input_label, truth.output_label
        ((0, 0, 1), (2, 3))
        >>> truth.edges
        ((0, 2), (0, 3), (1, 2), (1, 3))

    Reference:
        Patil, Michael and Dovrolis, "Neural Sculpting", NeurIPS 2023,
        https://arxiv.org/abs/2305.18402
    """
    module_of, function_of = _modules(graph)
    reads = {
        name: {module_of[read] for read in graph.functions[name].names}
        for name in graph.order
    }
    edges = {
        (start, module_of[name])
        for name in graph.order
        for start in reads[name]
        if start != module_of[name]
    }
    level = [0] * len(function_of)
    for name in graph.order:  # what a function reads has its level by now
        below = reads[name] - {module_of[name]}
        level[module_of[name]] = max((level[start] + 1 for start in below), default=0)
    input_label = tuple(module_of.get(name, -1) for name in graph.inputs)
    output_label = tuple(module_of[name] for name in graph.output_functions)
    return TrueHierarchy(
        modules=tuple(
            TrueModule(
                id=module,
                level=level[module],
                function=function,
                inputs=_places(input_label, module),
                outputs=_places(output_label, module),
                used_by=tuple(sorted(to for start, to in edges if start == module)),
            )
            for module, function in enumerate(function_of)
        ),
        input_label=input_label,
        output_label=output_label,
        edges=tuple(sorted(edges)),
    )


def _modules(graph: FunctionGraph) -> tuple[dict[str, int], list[str | None]]:
    """The module of each name, and the function of each module."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in graph.inputs:
        readers = tuple(f for f in graph.order if name in graph.functions[f].names)
        if readers:
            groups.setdefault(readers, []).append(name)
    module_of: dict[str, int] = {}
    function_of: list[str | None] = []
    for readers, group in groups.items():
        module_of.update(dict.fromkeys(group, len(function_of)))
        reads = set(graph.functions[readers[0]].names)
        alone = len(readers) == 1 and reads == set(group)
        if alone:
            module_of[readers[0]] = len(function_of)
        function_of.append(readers[0] if alone else None)
    for name in graph.order:
        if name not in module_of:
            module_of[name] = len(function_of)
            function_of.append(name)
    return module_of, function_of


def _places(labels: tuple[int, ...], module: int) -> tuple[int, ...]:
    """The places at which a label stands."""
    return tuple(place for place, label in enumerate(labels) if label == module)
