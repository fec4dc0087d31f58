"""Sanity checks of maps: whether a map depends on the network that it claims to explain."""
