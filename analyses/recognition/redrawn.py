"""Statistics of comparisons, of the people as they are and of people redrawn.

Comparisons that share a person aren't independent, so people are redrawn: a genuine comparison
occurs in a draw as often as its person, an impostor comparison as often as the product of how
often either of its two does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from analyses.question import Settings
from analyses.similarity.contrasts import interval_of
from analyses.statistics import Array, Interval, identity_weights
from leamstore.verification import Comparisons, ScoreCounts

Measure = Callable[[ScoreCounts], Array]
"""From the counts of some draws to numbers (draw, n)."""

THRESHOLDS: Final = 2000
"""Thresholds between which the scores of either kind are counted, quantiles of them if there are
more."""

_NUMBERS_AT_ONCE: Final = 2_000_000


@dataclass(frozen=True)
class Sample:
    """Images of known people, and the comparisons between them.

    Attributes
    ----------
    people : (image,) int64
        Whose each image is, as numbers from 0.
    comparisons : Comparisons
        At least one of either kind.
    """

    people: NDArray[np.int64]
    comparisons: Comparisons

    @property
    def couples(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The two people (couple, 2) of impostor comparisons, and the couple (m,) of each."""
        compared, impostor = self.comparisons, ~self.comparisons.genuine
        both = np.stack([compared.first[impostor], compared.second[impostor]], axis=1)
        couples, couple = np.unique(np.sort(self.people[both], axis=1), axis=0, return_inverse=True)
        return couples, couple.ravel()


def redraw(measure: Measure, scores: Array, sample: Sample, settings: Settings) -> Array:
    """Return a measure of the people as they are, then of people redrawn.

    Draws by the same seed redraw the same people, so that measures of the same sample differ draw
    by draw.

    Parameters
    ----------
    measure : callable
    scores : (k,)
        Of the comparisons of the sample.

    Returns
    -------
    (1 + draws, n) float64
        NaN for a draw without comparisons of either kind, and for all draws where fewer than two
        people have genuine comparisons, or all impostor comparisons are of one couple.
    """
    genuine = sample.comparisons.genuine
    whose = sample.people[sample.comparisons.first[genuine]]
    couples, couple = sample.couples
    people = int(sample.people.max()) + 1
    thresholds = np.unique(np.concatenate([_grid(scores[kind]) for kind in (genuine, ~genuine)]))
    bins = np.searchsorted(thresholds, scores, "right") - 1
    own = _counts(whose, bins[genuine], (people, len(thresholds)))
    strange = _counts(couple, bins[~genuine], (len(couples), len(thresholds)))
    weights = np.vstack([np.ones(people), identity_weights(people, settings.draws, settings.seed)])
    parts = -(-len(weights) * max(strange.shape) // _NUMBERS_AT_ONCE)
    samples = np.concatenate([
        measure(ScoreCounts(thresholds, some @ own, some[:, couples].prod(-1) @ strange))
        for some in np.array_split(weights, min(parts, len(weights)))
    ])  # fmt: skip
    if len(np.unique(whose)) < 2 or len(couples) < 2:
        samples[1:] = np.nan
    return samples


def intervals(samples: Array) -> list[Interval]:
    """Return each of the n numbers of `redraw` with its 95 % percentile interval."""
    return [interval_of(column) for column in samples.T]


def _grid(scores: Array) -> Array:
    if len(scores) <= THRESHOLDS:
        return scores
    return np.quantile(scores, np.linspace(0, 1, THRESHOLDS), method="lower")


def _counts(rows: NDArray[np.int64], bins: NDArray[np.int64], shape: tuple[int, int]) -> coo_array:
    """Return how many scores of each row lie in each bin, as a sparse matrix."""
    return coo_array((np.ones(len(rows)), (rows, bins)), shape=shape).tocsr()
