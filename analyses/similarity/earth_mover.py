"""The earth mover's distance of maps: the least work that turns one distribution into another.

Exact, by POT's network simplex (Rubner et al. 2000; Flamary et al. 2021), with the Euclidean
distance between grid pixels as ground distance.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
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
        Positions of the maps; a pair that stands there twice is solved once.
    workers : int
        Threads; POT leaves Python's lock while it solves. The result doesn't depend on them.
    """
    ground = GroundDistances(*distributions.shape[1:])
    flat = distributions.reshape(len(distributions), -1)
    different, place = np.unique(pairs, axis=0, return_inverse=True)
    distances = np.full(len(different), np.nan)
    solvable = np.flatnonzero((flat.max(1) > 0)[different].all(1))

    def solve(batch: NDArray[np.int64]) -> None:
        for position in batch:
            first, second = different[position]
            distances[position] = ground.distance(flat[first], flat[second])

    with ThreadPoolExecutor(workers) as pool:
        starts = range(0, len(solvable), _BATCH)
        # The list asks for every result, so that an error in a thread is raised here.
        list(pool.map(solve, (solvable[start : start + _BATCH] for start in starts)))
    return distances[place.ravel()]


class GroundDistances:
    """The Euclidean distances between the pixels of a grid, looked up and not computed.

    The distance depends on the step from pixel to pixel alone. A pixel's code is its position
    in a grid so wide that the difference of two codes tells their step.

    Pixels are taken in a shuffled order: the solver looks for the next pivot among neighbouring
    rows of the costs, and finds better ones sooner if those aren't all of one place. That takes
    an eighth off its time and nothing off its exactness.
    """

    def __init__(self, height: int, width: int) -> None:
        # POT takes a second to load; more with the backends that it looks for, torch first.
        os.environ.setdefault("POT_BACKEND_DISABLE_PYTORCH", "1")
        from ot.lp import emd_wrap  # noqa: PLC0415

        self._solver = emd_wrap
        wide = 2 * width - 1
        codes = (np.arange(height)[:, None] * wide + np.arange(width)).ravel()
        self._order = np.random.default_rng(0).permutation(height * width)
        self._codes = codes[self._order]
        self._centre = (height - 1) * wide + width - 1
        rows, columns = np.arange(1 - height, height), np.arange(1 - width, width)
        self._distances = np.hypot(rows[:, None], columns).ravel()

    def distance(self, first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
        """Return the earth mover's distance of two flat maps that sum to 1.

        Mass that both have on a pixel stays in place: by the triangle inequality, passing it on
        never costs less than moving what arrives directly. So only the difference is moved.
        """
        surplus = (first - second).take(self._order)
        sources, sinks = np.flatnonzero(surplus > 0), np.flatnonzero(surplus < 0)
        if not len(sources) or not len(sinks):
            return 0.0
        supply, demand = surplus[sources], -surplus[sinks]
        demand *= supply.sum() / demand.sum()
        steps = (self._codes[sources] + self._centre)[:, None] - self._codes[sinks]
        # What ot.emd2 calls; its checks and its duals take a tenth of the time.
        _, work, _, _, outcome = self._solver.emd_c(
            supply, demand, self._distances.take(steps), _MOST_PIVOTS, 1
        )
        self._solver.check_result(outcome)
        return float(work)
