"""Function graphs that are not the paper's: how often are their modules found?

Ten small graphs of different kinds, and twelve of random functions that share from none
to three of their inputs; four of these feed two more functions. Three shapes of network
and four seeds each make 264 networks. Right is one whose inputs and outputs are grouped
as the graph groups them. It takes some ten minutes.

    OMP_NUM_THREADS=1 python examples/benchmark_own_graphs.py
"""

import random
from statistics import mean

import torch

from sculpt_plugin import tasks
from sculpt_plugin.errors import TaskError
from sculpt_plugin.pruning.sweep import sweep
from sculpt_plugin.reproducing.verdicts import judge_networks
from sculpt_plugin.reproducing.witnesses import sparsest_witnesses
from sculpt_plugin.tasks import FunctionGraph, Task, and_, minterms, not_, or_, xor

SHAPES = ((24, 24), (24, 24, 24), (36, 36))
SEEDS = (0, 1, 2, 5)
EDGE_STEPS = (0.005, 0.025)
VOICES = ("single", "typical", "consensus", "all seeds")

P, Q, R = xor("x0", "x1"), xor("x2", "x3"), xor("x4", "x5")
THREE = minterms(("110", "001", "011"), reads=("x0", "x1", "x2"))
FOUR = minterms(("1100", "1010", "0011"), reads=("x0", "x1", "x2", "x3"))
TWO = minterms(("101", "010"), reads=("x2", "x3", "x4"))


def small_graphs():
    """Name each small graph: inputs, functions, and how often the outputs repeat."""
    pair, ands = {"p": P, "q": Q}, {"p": and_("x0", "x1"), "q": and_("x2", "x3")}
    either = {"s": or_("p", "q"), "t": and_("p", not_("q"))}
    triple, three_ands = pair | {"r": R}, ands | {"r": and_("x4", "x5")}
    mixed = {"p": P, "q": and_("x2", "x3"), "r": R, "s": or_("p", "q")}
    ends = {"s": or_("p", "q"), "t": or_("q", "r"), "u": and_("p", "r")}
    over = {"p": THREE, "q": TWO, "r": and_("x4", "x5"), "s": or_("p", "r")}
    two = {"s": or_("p", "q", "r"), "t": and_("p", "q", "r")}
    return {
        "and2": (4, ands | either, "stst"),
        "xor2": (4, pair | either, "stst"),
        "xor3": (6, triple | two, "stst"),
        "chain": (4, {"p": THREE, "q": xor("p", "x3")}, "pqpq"),
        "nest": (5, {"a": FOUR, "b": and_("a", "x4")}, "abab"),
        "mixed": (6, mixed | {"t": and_("q", "r")}, "strstr"),
        "half": (6, pair | {"s": and_("p", "q"), "t": R}, "stst"),
        "four": (6, three_ands | ends | {"v": or_("p", "q", "r")}, "stuv"),
        "one": (6, triple | {"s": or_("p", "q", "r")}, "sss"),
        "over": (6, over, "sqsq"),
    }


def random_graphs():
    """Name graphs of two random functions, the last four with two more above them."""
    drawn, found = random.Random(2026), {}

    def function(reads):
        rows = sorted(drawn.sample(range(2 ** len(reads)), 3))
        return minterms(
            tuple(format(row, f"0{len(reads)}b") for row in rows), reads=reads
        )

    while len(found) < 12:
        number = len(found)
        first, second = drawn.choice((3, 4)), drawn.choice((3, 4))
        count, outputs = first + second - number % 4, drawn.choice((2, 4, 8))
        names = tuple(f"x{place}" for place in range(count))
        try:
            functions = {
                "f": function(names[:first]),
                "g": function(names[count - second :]),
            }
            ends = "fg"
            if number >= 8:
                functions |= {"s": and_("f", not_("g")), "t": and_("g", not_("f"))}
                ends = "st"
            graph = count, functions, ends * (outputs // 2)
            made(graph)
        except TaskError:
            continue  # A function that does not need one of its inputs.
        found[f"random {number}"] = graph
    return found


def made(graph):
    """Make the task of a graph, and see that its true modules can be told."""
    count, functions, outputs = graph
    inputs = tuple(f"x{place}" for place in range(count))
    task = Task("own", FunctionGraph(inputs, functions, tuple(outputs)))
    assert task.truth
    return task


def judged(task, hidden):
    """Count for each voice how many of the seeds are right, and list the edges.

    A seed whose dense network does not learn the task has no sparse one: none is right.
    """
    found = sweep(
        tasks.StartNetworks(task, hidden),
        tasks.learning(task, hidden=hidden),
        seeds=SEEDS,
        edge_steps=EDGE_STEPS,
    )
    networks = sparsest_witnesses(found)
    verdicts = judge_networks(
        task, networks, seeds=SEEDS, methods=("bidirectional",), witness_count=20
    )["bidirectional"]
    right = {
        # What all seeds say together counts for each of them.
        voice: sum(bool(x and x.inputs and x.outputs) for x in said)
        * (len(SEEDS) // len(said))
        for voice, said in verdicts.items()
    }
    ranked = [found.ranked(seed) for seed in found.seeds]
    return right, [runs[0].network.edge_count for runs in ranked if runs]


def main():
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    graphs = small_graphs() | random_graphs()
    print(f"{'of 12 networks':14s}", *VOICES, "edges, mean", sep="  ")
    total, all_edges = dict.fromkeys(VOICES, 0), []
    for name, graph in graphs.items():
        row, edges = dict.fromkeys(VOICES, 0), []
        for hidden in SHAPES:
            right, found = judged(made(graph), hidden)
            edges += found
            for voice in VOICES:
                row[voice] += right[voice]
        shown = [f"{row[voice]:{len(voice)}d}" for voice in VOICES]
        print(f"{name:14s}", *shown, f"{mean(edges):11.1f}", sep="  ", flush=True)
        total = {voice: total[voice] + row[voice] for voice in VOICES}
        all_edges += edges
    shown = [f"{total[voice]:{len(voice)}d}" for voice in VOICES]
    print(
        f"{f'of {12 * len(graphs)}':14s}", *shown, f"{mean(all_edges):11.1f}", sep="  "
    )


if __name__ == "__main__":
    main()
