"""The earth mover's distance of maps: the least work that turns one distribution into another.

Exact, by POT's network simplex (Rubner et al. 2000; Flamary et al. 2021), with the Euclidean
distance between grid pixels as ground distance.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import ot
from numpy.typing import NDArray

_BATCH: Final = 16
_MOST_PIVOTS: Final = 10_000_000


def of_pairs(
    distributions: NDArray[np.float64], pairs: NDArray[np.int64], workers: int = 1
) -> NDArray[np.float64]:
    """Return the distances (k,) of chosen pairs of maps, in grid pixels.

    Parameters
    ----------
    distributions : (n, height, width)
        Maps that sum to 1. An all-zero map has no distance: NaN.
    pairs : (k, 2)
        Positions of the maps.
    workers : int
        Threads; POT leaves Python's lock while it solves. The result doesn't depend on them.
    """
    ground = GroundDistances(*distributions.shape[1:])
    flat = distributions.reshape(len(distributions), -1)
    empty = flat.max(1) == 0

    def solve(batch: NDArray[np.int64]) -> list[float]:
        return [
            np.nan if empty[[first, second]].any() else ground.distance(flat[first], flat[second])
            for first, second in batch
        ]

    with ThreadPoolExecutor(workers) as pool:
        solved: Iterator[list[float]] = pool.map(
            solve, (pairs[start : start + _BATCH] for start in range(0, len(pairs), _BATCH))
        )
        return np.array([distance for batch in solved for distance in batch], np.float64)


class GroundDistances:
    """The Euclidean distances between the pixels of a grid, looked up and not computed.

    The distance depends on the step from pixel to pixel alone. A pixel's code is its position
    in a grid so wide that the difference of two codes tells their step.
    """

    def __init__(self, height: int, width: int) -> None:
        wide = 2 * width - 1
        self._codes = (np.arange(height)[:, None] * wide + np.arange(width)).ravel()
        self._centre = (height - 1) * wide + width - 1
        rows, columns = np.arange(1 - height, height), np.arange(1 - width, width)
        self._distances = np.hypot(rows[:, None], columns).ravel()

    def between(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the distances (n, m) from pixels (n,) to pixels (m,), by their flat positions."""
        steps = (self._codes[first] + self._centre)[:, None] - self._codes[second]
        return self._distances.take(steps)

    def distance(self, first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
        """Return the earth mover's distance of two flat maps that sum to 1.

        Mass that both have on a pixel stays in place: by the triangle inequality, passing it on
        never costs less than moving what arrives directly. So only the difference is moved.
        """
        surplus = first - second
        sources, sinks = np.flatnonzero(surplus > 0), np.flatnonzero(surplus < 0)
        if not len(sources) or not len(sinks):
            return 0.0
        supply, demand = surplus[sources], -surplus[sinks]
        mass = supply.sum()
        work = ot.emd2(
            supply / mass,
            demand / demand.sum(),
            self.between(sources, sinks),
            numItermax=_MOST_PIVOTS,
            center_dual=False,
            check_marginals=False,
        )
        return float(mass * work)
