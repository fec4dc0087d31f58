"""Verification: comparisons of images of known people, and the errors that a recogniser makes.

A genuine comparison is of two images of one person, an impostor comparison of two people's. From
a threshold on, a comparison is accepted: a false match is an impostor comparison accepted, a false
non-match a genuine one rejected. The area under the ROC curve, equal errors and true accepts have
their one definition here.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

Embeddings = NDArray[np.float64]
"""(image, n)."""

_ROUNDING: Final = 1e-12
"""How far a sum of shares may lie above a rate that it equals."""


@dataclass(frozen=True)
class Comparisons:
    """Unordered pairs of different images.

    Attributes
    ----------
    first, second : (k,) int64
        Places of the two images.
    genuine : (k,) bool
        Whether both are of one person.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    genuine: NDArray[np.bool_]


def draw_comparisons(people: NDArray[np.int64], most: int, seed: int) -> Comparisons:
    """Return all comparisons of images, or `most` of either kind, drawn if there are more.

    Parameters
    ----------
    people : (image,)
        Whose each image is, as numbers.
    """
    first, second = np.triu_indices(len(people), 1)
    genuine = people[first] == people[second]
    generator = np.random.default_rng(seed)
    chosen = np.concatenate([
        np.sort(generator.permutation(np.flatnonzero(kind))[:most]) for kind in (genuine, ~genuine)
    ])  # fmt: skip
    return Comparisons(first[chosen], second[chosen], genuine[chosen])


@dataclass(frozen=True)
class ScoreCounts:
    """Scores of comparisons, counted between thresholds.

    Attributes
    ----------
    thresholds : (t,) float64
        In ascending order; no score is below the first.
    genuine, impostor : (..., t) float64
        How many scores of either kind lie from each threshold on, below the next one; each counts
        as its threshold. Leading axes are draws, which all results have. Results are NaN where
        there are none of a kind.
    """

    thresholds: Array
    genuine: Array
    impostor: Array

    @classmethod
    def of(cls, genuine: ArrayLike, impostor: ArrayLike) -> "ScoreCounts":
        """Count scores (k,) and (m,) exactly: every score is a threshold."""
        kinds = [np.asarray(scores, np.float64) for scores in (genuine, impostor)]
        thresholds, place = np.unique(np.concatenate(kinds), return_inverse=True)
        own, strange = np.split(place, [len(kinds[0])])
        counts = [np.bincount(one, minlength=len(thresholds)) for one in (own, strange)]
        return cls(thresholds, *(one.astype(np.float64) for one in counts))

    @cached_property
    def false_non_matches(self) -> Array:
        """Share (..., t + 1) of genuine comparisons rejected from each threshold, and from inf."""
        return _share_below(self.genuine)

    @cached_property
    def false_matches(self) -> Array:
        """Share (..., t + 1) of impostor comparisons accepted from each threshold, and from inf."""
        return 1 - _share_below(self.impostor)

    @property
    def area_under_curve(self) -> Array:
        """Area (...) under the ROC curve: 0.5 is chance, 1 no error.

        It is the probability that a genuine comparison scores higher than an impostor comparison,
        ties counted half (DeLong et al. 1988).
        """
        higher = (self.false_matches[..., :-1] + self.false_matches[..., 1:]) / 2
        return (np.diff(self.false_non_matches) * (1 - higher)).sum(-1)

    @property
    def separation(self) -> Array:
        """The d' (...) of signal detection: the means' difference over the common deviation.

        The common deviation is the root of the mean of both variances (Green and Swets 1966). 0
        where all scores are one: nothing is told apart.
        """
        genuine, own_variance = self._moments(self.genuine)
        impostor, strange_variance = self._moments(self.impostor)
        apart, deviation = genuine - impostor, np.sqrt((own_variance + strange_variance) / 2)
        alike = np.where(apart == 0, 0.0, np.nan)
        return np.divide(apart, deviation, out=alike, where=deviation > 0)

    def equal_errors(self) -> tuple[Array, Array]:
        """Return the threshold (...) at which both errors are closest, and their mean there (...).

        It is the lowest of those at which they differ least.
        """
        place = np.abs(self.false_non_matches - self.false_matches).argmin(-1)
        errors = _at(self.false_non_matches, place) / 2 + _at(self.false_matches, place) / 2
        threshold = np.append(self.thresholds, np.inf)[place]
        return np.where(np.isnan(errors), np.nan, threshold), errors

    def true_accepts(self, rate: float) -> Array:
        """Return the share (...) of genuine comparisons accepted at a rate of false matches.

        The threshold is the lowest with no more false matches than that.
        """
        place = (self.false_matches <= rate + _ROUNDING).argmax(-1)
        known = ~np.isnan(_at(self.false_matches, place))
        return np.where(known, 1 - _at(self.false_non_matches, place), np.nan)

    def _moments(self, counts: Array) -> tuple[Array, Array]:
        """Return the mean and the variance (...) of the scores of a kind."""
        # Scores of one model are close together: centred first, their squares don't cancel.
        centre = self.thresholds.mean()
        centred, total = self.thresholds - centre, _known(counts.sum(-1))
        mean = counts @ centred / total
        return mean + centre, (counts @ centred**2 / total - mean**2).clip(0)


def cosines(first: Embeddings, second: Embeddings) -> Array:
    """Return the cosine of every embedding (n, d) with every other (m, d): (n, m).

    An embedding of length 0, as a network without biases gives of a black chip, has cosine 0.
    """
    return units(first) @ units(second).T


def units(vectors: Embeddings) -> Embeddings:
    """Return vectors (n, d) of length 1; one of length 0 stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


def _share_below(counts: Array) -> Array:
    """Return the share (..., t + 1) of what is counted below each threshold, and below infinity."""
    below = np.zeros((*counts.shape[:-1], counts.shape[-1] + 1))
    counts.cumsum(-1, out=below[..., 1:])
    return below / _known(below[..., -1:])


def _known(totals: Array) -> Array:
    return np.where(totals > 0, totals, np.nan)


def _at(values: Array, place: NDArray[np.int64]) -> Array:
    return np.take_along_axis(values, place[..., None], -1)[..., 0]
