"""Dense network to sparse network: the pruning half."""
