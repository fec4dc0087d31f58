"""Integrity of a lake: lock, run token, recovery after a kill, verification and repair."""
