"""What the networks of one cell show: one of a seed alone, the best few, and all."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from sculpt_plugin import tasks
from sculpt_plugin.analysis.consensus import SPARE, consensus
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.hierarchy import Hierarchy
from sculpt_plugin.analysis.modules import Method, detect
from sculpt_plugin.reproducing.experiments import Cell
from sculpt_plugin.reproducing.judging import Verdict, judge, judge_groups
from sculpt_plugin.reproducing.witnesses import Witness
from sculpt_plugin.tasks import Task

Voice = Literal[
    "single",
    "within 5 %",
    "within 10 %",
    "within 20 %",
    "typical",
    "consensus",
    "all seeds",
]
"""Who is heard: the sparsest network of a seed, of equally sparse ones the one most
like those of all seeds; the one most like them of those that are not much heavier; its
sparsest few together; or those of all seeds together."""

SPARES: Mapping[Voice, float] = {
    "single": 0.0,
    "within 5 %": 0.05,
    "within 10 %": 0.1,
    "within 20 %": 0.2,
    "typical": SPARE,
}
"""How many edges more than the sparsest a network that is heard alone may have."""

Verdicts = Mapping[Method, Mapping[Voice, tuple[Verdict | None, ...]]]


def judge_cell(
    cell: Cell,
    witnesses: Sequence[Witness],
    *,
    methods: Sequence[Method],
    witness_count: int,
) -> Verdicts:
    """Judge the networks of one cell.

    Args:
        cell: What was done.
        witnesses: Its networks, seed by seed, the sparsest first.
        methods: How modules are detected.
        witness_count: How many of a seed's sparsest networks a consensus hears.

    Returns:
        By method, then by who is heard: one verdict for each seed, or one for all. A
        seed without networks has None.
    """
    return judge_networks(
        tasks.get(cell.task),
        witnesses,
        seeds=cell.seeds,
        methods=methods,
        witness_count=witness_count,
    )


def judge_networks(
    task: Task,
    witnesses: Sequence[Witness],
    *,
    seeds: Sequence[int],
    methods: Sequence[Method],
    witness_count: int,
) -> Verdicts:
    """Judge the networks of a task, the paper's or another; see `judge_cell`.

    Args:
        task: What the networks compute.
        witnesses: The networks, seed by seed, the sparsest first.
        seeds: The start networks.
        methods: How modules are detected.
        witness_count: How many of a seed's sparsest networks a consensus hears.

    Returns:
        The verdicts.
    """
    verdicts = {}
    for method in methods:
        heard = [
            [
                (witness.graph, _found(witness, method))
                for witness in witnesses
                if witness.seed == seed
            ][:witness_count]
            for seed in seeds
        ]
        together = [pair for pairs in heard for pair in pairs]
        verdicts[method] = {
            **judge_alone(task, heard),
            "consensus": tuple(judge_together(task, pairs) for pairs in heard),
            "all seeds": (judge_together(task, together),),
        }
    return verdicts


def _found(witness: Witness, method: Method) -> Hierarchy:
    """Find the modules of a network with all that the method looks at."""
    alike = witness.alike if method == "bidirectional" else None
    return detect(witness.graph, method=method, alike=alike)


def judge_alone(
    task: Task,
    heard: Sequence[Sequence[tuple[LayeredGraph, Hierarchy]]],
    spares: Mapping[Voice, float] = SPARES,
) -> dict[Voice, tuple[Verdict | None, ...]]:
    """Judge for each seed one network: of its sparser ones the most typical.

    `Consensus.typical` chooses it, which knows nothing of the true modules.

    Args:
        task: What they compute.
        heard: Networks and their modules, seed by seed.
        spares: How many edges more than the seed's sparsest it may have, as shares of
            the sparsest's. With none it is the sparsest, and only of equally sparse
            ones the most typical.

    Returns:
        For each of `spares` a verdict for each seed, None where it has no network.
    """
    witnesses = [pair for pairs in heard for pair in pairs]
    ends = np.cumsum([len(pairs) for pairs in heard]).tolist()
    owned = [range(end - len(own), end) for own, end in zip(heard, ends, strict=True)]
    together = consensus(witnesses) if witnesses else None
    return {
        voice: tuple(
            judge(task, *witnesses[together.typical(spare=spare, among=own)])
            if together and own
            else None
            for own in owned
        )
        for voice, spare in spares.items()
    }


def judge_together(
    task: Task, heard: Sequence[tuple[LayeredGraph, Hierarchy]]
) -> Verdict | None:
    """Judge what several networks say together.

    The groups of inputs and of outputs are those of the consensus, and so is the number
    of modules. Whether hidden units are apart, and whether inputs and outputs share a
    module, is as in most of the networks.

    Args:
        task: What they compute.
        heard: Networks and their modules.

    Returns:
        The verdict, None where there is no network.
    """
    if not heard:
        return None
    found = consensus(heard)
    groups = judge_groups(
        task, found.inputs.label.tolist(), found.outputs.label.tolist()
    )
    alone = [judge(task, graph, hierarchy) for graph, hierarchy in heard]
    return Verdict(
        inputs=groups.inputs,
        outputs=groups.outputs,
        outputs_together=groups.outputs_together,
        outputs_separate=_most([verdict.outputs_separate for verdict in alone]),
        module_count=len(found.modules),
        apart=_most([bool(verdict.apart) for verdict in alone]),
    )


def _most(answers: Sequence[bool]) -> bool:
    """Tell whether more than half say yes."""
    return 2 * sum(answers) > len(answers)
