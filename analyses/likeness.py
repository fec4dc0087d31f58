"""Likeness of maps: Bhattacharyya coefficient, earth mover's distance, correlation, centring.

Each has one definition, which the analyses and the dashboards share. Maps are arrays (n, y, x) on
one grid; pairs are arrays (k, 2) of positions of maps.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from leamstore.layers import Maps

Pairs = NDArray[np.int64]
"""(k, 2) positions of maps."""

_ROUNDING: Final = 1e-5
"""Length of a centred map, as a share of the map's, up to which it is only rounding error."""

_ROWS: Final = 512
"""Number of maps whose products with all others are held in memory at a time."""

_BATCH: Final = 16
_MOST_PIVOTS: Final = 10_000_000


def bhattacharyya(distributions: NDArray[np.float64], pairs: Pairs) -> NDArray[np.float64]:
    """Return the Bhattacharyya coefficients (k,) of pairs of maps (n, ...) that sum to 1.

    BC(P, Q) = sum of sqrt(P Q) over pixels (Bhattacharyya 1946; paper, equation 6): 1 for equal
    maps, 0 for maps without a common pixel. An all-zero map has BC 0 with everything, as the sum
    says.
    """
    roots = np.sqrt(_flat(distributions)).astype(np.float32)
    return _products_of_pairs(roots, pairs)


def earth_movers_distance(
    distributions: NDArray[np.float64], pairs: Pairs, workers: int = 1
) -> NDArray[np.float64]:
    """Return the earth mover's distances (k,) of pairs of maps, in grid pixels.

    The distance is the least work that turns one distribution into the other, with the Euclidean
    distance between grid pixels as ground distance. It is exact, by POT's network simplex (Rubner
    et al. 2000; Flamary et al. 2021).

    Parameters
    ----------
    distributions : (n, height, width)
        Maps that sum to 1. An all-zero map has no distance: NaN.
    pairs : (k, 2)
        Positions of the maps; a pair that occurs twice is solved once.
    workers : int
        Threads; POT leaves Python's lock while it solves. The result doesn't depend on them.
    """
    ground = GroundDistances(*distributions.shape[1:])
    flat = _flat(distributions)
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


def correlation(centred: Maps, pairs: Pairs) -> NDArray[np.float64]:
    """Return the correlations (k,) of pairs of centred maps: the cosines of whole maps.

    A map of zeros has correlation 0 with everything.
    """
    return _products_of_pairs(unit_vectors(centred), pairs)


def centre(maps: Maps, people: NDArray[np.int64]) -> Maps:
    """Return maps (n, y, x) minus everybody's mean map.

    Every person counts the same in the mean, however many images there are of them: the person is
    the unit of all estimates, and somebody with many images would pull a mean over images towards
    their own pattern, and so hide it. A map that differs from the mean by rounding alone becomes
    zero: that is no pattern, though its direction would correlate with something.

    Parameters
    ----------
    maps : (n, y, x)
    people : (n,)
        The person of each map.
    """
    centred = maps - mean_map(maps, people)
    lengths, scales = (np.linalg.norm(_flat(values), axis=1) for values in (centred, maps))
    centred[lengths <= _ROUNDING * scales] = 0
    return centred


def mean_map(maps: Maps, people: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return everybody's mean map (y, x): every person (n,) counts the same."""
    _, person, counts = np.unique(people, return_inverse=True, return_counts=True)
    weights = (1 / counts[person] / len(counts)).astype(np.float32)
    return np.tensordot(weights, maps, 1)


def unit_vectors(maps: NDArray[Any]) -> NDArray[Any]:
    """Return maps (n, ...) as vectors (n, m) of length 1; a map of zeros stays zero."""
    flat = _flat(maps)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.divide(flat, lengths, out=np.zeros_like(flat), where=lengths > 0)


def _flat(maps: NDArray[Any]) -> NDArray[Any]:
    return maps.reshape(len(maps), -1)


def _products_of_pairs(vectors: NDArray[np.float32], pairs: Pairs) -> NDArray[np.float64]:
    """Return the inner products (k,) of pairs of vectors (n, m).

    They are taken from a matrix product, `_ROWS` of whose rows are held at a time.
    """
    products = np.empty(len(pairs))
    for start in range(0, len(vectors), _ROWS):
        chosen = np.flatnonzero(pairs[:, 0] // _ROWS == start // _ROWS)
        rows = vectors[start : start + _ROWS] @ vectors.T
        products[chosen] = rows[pairs[chosen, 0] - start, pairs[chosen, 1]]
    return products


class GroundDistances:
    """The Euclidean distances between the pixels of a grid, as a lookup table.

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
        # ot.emd2 calls this function; emd2's checks and duals would take a tenth of the time.
        _, work, _, _, outcome = self._solver.emd_c(
            supply, demand, self._distances.take(steps), _MOST_PIVOTS, 1
        )
        self._solver.check_result(outcome)
        return float(work)
