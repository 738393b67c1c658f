"""Many searches as one batched tensor program over stacked parameters."""
