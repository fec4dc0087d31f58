"""A lake kept whole: the lock, the run token, recovery after a kill, verification and repair."""
