"""
A Boolean task, from start to picture
=====================================

A network learns a task that is made of small functions. Nobody tells it which. We prune
it as far as it stays right everywhere, and look at what is left.
"""

import matplotlib.pyplot as plt
import rich

import sculpt_plugin as sp
from sculpt_plugin.tasks import FunctionGraph, Task, and_, or_, xor

# %%
# The task
# --------
# Three lamps hang on six switches. Each of the functions ``either``, ``both`` and
# ``any`` reads two switches of its own, and each lamp is made of two of these
# functions. So the task has structure: three functions with separate inputs, each of
# them used twice.

graph = FunctionGraph(
    inputs=("a", "b", "c", "d", "e", "f"),
    functions={
        "either": xor("a", "b"),
        "both": and_("c", "d"),
        "any": or_("e", "f"),
        "red": or_("either", "both"),
        "green": and_("either", "any"),
        "blue": or_("both", "any"),
    },
    outputs=("red", "green", "blue"),
)
task = Task("lamps", graph)
print(f"{len(graph.rows)} rows of {len(graph.outputs)} lamps")

# %%
# Train, prune, explain
# ---------------------
# ``sculpt_task`` trains a network with two hidden layers on the truth table. Then it
# removes units, and after them edges: some at a time, training after each removal. A
# removal after which one lamp is wrong in one row is taken back, and half as much is
# tried. The search ends when not one more edge can go.

sculpture, report = sp.sculpt_task(task, hidden=(24, 24), unit_step=50, seed=3)
print(f"{sculpture.density:.1%} of the edges are left, score {sculpture.score:.0%}")

# %%
# Each turn of the search is a ``Step`` of the record. Filled dots were kept, crosses
# were taken back; the line that falls is the share of the edges.

_, ax = plt.subplots(figsize=(8, 4), layout="constrained")
sp.plot.curve(sculpture.record, ax=ax, threshold=sculpture.min_score)
plt.show()

# %%
# What the network learned
# ------------------------
# The report lists the modules: groups of units that serve one function. Levels count
# from the inputs. Inputs are called ``x0``, ``x1`` and so on, outputs ``y0``, ``y1``
# and so on, and an arrow leads from those that reach a module to those that it reaches.

rich.print(report)

# %%
# And here they are. Inputs are below, outputs above, and each module has its colour.
# The three functions are there, and so are the three lamps.

names = {"input_names": graph.inputs, "output_names": graph.outputs}
_, ax = plt.subplots(figsize=(8, 5), layout="constrained")
sp.plot.layered(report.graph, report.hierarchy, ax=ax, **names)
plt.show()

# %%
# The same without the units: which module feeds which.

_, ax = plt.subplots(figsize=(8, 4), layout="constrained")
sp.plot.hierarchy(report.hierarchy, ax=ax, **names)
plt.show()

# %%
# One network is one witness. With other seeds hidden units may serve several functions
# at once, and then the report has more modules. The tutorial on sweeps asks many
# networks, and believes the majority.
