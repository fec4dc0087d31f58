"""Sanity checks: maps that depend on the network that they explain, and maps that do not."""
