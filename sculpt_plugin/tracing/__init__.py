"""Which unit feeds which column: one run of a model, read off the autograd graph."""
