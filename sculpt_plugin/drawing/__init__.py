"""Positions, words and ink of the pictures that `sculpt_plugin.plot` draws."""
