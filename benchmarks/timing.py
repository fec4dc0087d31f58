"""Fair timing: both sides of a comparison alternate, so that a busy machine slows both."""

import time
from collections.abc import Callable, Mapping
from statistics import median

Side = Callable[[], object]


def seconds_of(side: Side) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    side()
    return time.perf_counter() - began


def medians(
    sides: Mapping[str, Side], repeats: int, before: Side = lambda: None
) -> dict[str, float]:
    """Return the median seconds of each side, after one call of each that doesn't count.

    What `before` does before each call, such as emptying a cache, doesn't count either.
    """
    for side in sides.values():
        side()
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            before()
            taken[name].append(seconds_of(side))
    return {name: median(seconds) for name, seconds in taken.items()}
