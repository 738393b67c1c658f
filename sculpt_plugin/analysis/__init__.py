"""Sparse network to modules: the analysis half."""
