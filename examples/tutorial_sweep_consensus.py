"""
Many networks, and what they agree on
=====================================

How much is removed at a time decides where a search gets stuck, and the random numbers
of the start network decide much of the rest. So one network is one witness. A sweep
asks many, and a consensus says what most of them have in common.
"""

import matplotlib.pyplot as plt

import sculpt_plugin as sp

# %%
# A grid of searches
# ------------------
# The task has seven inputs and two functions: one reads ``x0`` to ``x3``, the other
# ``x3`` to ``x6``, so they share ``x3``. The four outputs are the one, the other, the
# one, the other. Three start networks, four unit steps and three edge steps are 36
# searches. They run as one batched program, and what two of them would do alike is done
# once.

task = sp.tasks.get("7,3,2,4")
recipe = sp.tasks.learning(task, hidden=(24, 24))
found = sp.sweep(
    sp.tasks.StartNetworks(task, (24, 24)),  # called with a seed, it builds a network
    recipe,
    seeds=(0, 1, 2),
    unit_steps=(0.05, 0.2, 0.35, 0.5),
    edge_steps=(0.005, 0.01, 0.02),
)
print(
    len(found.runs), "searches; the sparsest keeps", f"{found.sparsest().density:.2%}"
)

# %%
# Each cell is one search, dark where little is left. No pair of steps is best for all.

_, ax = plt.subplots(figsize=(9, 6), layout="constrained")
sp.plot.grid(found, ax=ax)
plt.show()

# %%
# The witnesses
# -------------
# Of each seed we hear the five sparsest networks that differ. All or nearly all
# see the same five modules. If one has more, an output of it has a stray edge.

witnesses = []
for seed in found.seeds:
    for run in found.sparsest_networks(seed, count=5):
        report = sp.analyze(found.model(run), recipe.inputs)
        witnesses.append((report.graph, report.hierarchy))
        print(
            f"seed {seed}: {run.density:.2%}, {len(report.hierarchy.modules)} modules"
        )

# %%
# The majority
# ------------
# ``consensus`` groups the inputs and the outputs as most networks do, and lists the
# modules that more than half of them have. The agreement is 1 where all say the same,
# and about 0 where they group at random.

together = sp.consensus(witnesses)
print("inputs ", together.inputs.groups(), f"agreement {together.inputs.agreement:.2f}")
print(
    "outputs", together.outputs.groups(), f"agreement {together.outputs.agreement:.2f}"
)
for module in together.modules:
    print(
        f"in {module.share:.0%} of the networks: x{module.inputs} -> y{module.outputs}"
    )

# %%
# A dark cell is a pair of inputs, or of outputs, that nearly all networks put into one
# module. The bars say how far the networks bear out where an input is put.

_, ax = plt.subplots(figsize=(9, 5), layout="constrained")
sp.plot.comodules(together, ax=ax)
plt.show()

# %%
# One network to show
# -------------------
# The sparsest is where pruning went furthest, which may be one edge too far. The
# typical one is nearly as sparse, and agrees best with all others.

graph, hierarchy = witnesses[together.typical()]
_, ax = plt.subplots(figsize=(9, 5), layout="constrained")
sp.plot.layered(graph, hierarchy, ax=ax)
plt.show()
