"""Sculpt: prune a network as far as accuracy allows and read the modules it shows."""
