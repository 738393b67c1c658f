"""What the words of a report mean, in one line each."""

WORDS = {
    "unit": "A neuron, or a channel of a convolution. Inputs and outputs are units.",
    "edge": "A kept weight (in a convolution: any kept weight of the kernel) from one "
    "unit to a later one.",
    "dead unit": "On no path from an input to an output. It is counted, not shown.",
    "cluster": "In the paper's method: units of one layer that reach much the same "
    "units.",
    "module": "Units of one or more layers that belong together by what they reach "
    "and what feeds them: a part that stands for one sub-function.",
    "level": "The longest chain of modules below this one; 0 reads no other module.",
    "inputs, outputs": "The network's inputs that reach the module, and the outputs it "
    "reaches. x3 is the fourth input, y0 the first output.",
    "used by": "The modules that read this one. One that several read is reused.",
    "input-separable": "Shares no input with another module of its level.",
    "density": "Share of the possible edges inside the module that are there.",
    "coverage": "The share of the model's parameters that the graph stands for, "
    "exactly or nearly.",
}
"""Each word, and its line."""

CAVEATS = (
    "A module is a finding about wiring, not about meaning: it says which units "
    "work together, not what they compute.",
    "One sparse network is one witness. Another seed, or more pruning, can end with "
    "other wiring; a sweep asks many networks what they share.",
    "Two functions that share units cannot be told apart, and a network that was not "
    "pruned enough looks like one module.",
)
"""What no report can tell, however good it looks."""
