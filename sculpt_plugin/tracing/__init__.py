"""Which unit feeds which column: one run of a model, with labels beside its numbers."""
