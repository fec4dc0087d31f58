"""Verification: comparisons of images of known people, and the errors that a recogniser makes.

A genuine comparison is of two images of one person, an impostor comparison of two people's. From
a threshold on, a comparison is accepted: a false match is an impostor comparison accepted, a false
non-match a genuine one rejected. Here alone are the area under the ROC curve, equal errors and
true accepts defined; all take weights, by which people are redrawn.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Embeddings = NDArray[np.float64]
"""(image, n)."""

_ROUNDING = 1e-12
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


@dataclass(frozen=True)
class Scores:
    """Scores of comparisons of one kind, and how much each counts.

    Attributes
    ----------
    values : (k,) float64
        In ascending order.
    reached : (..., k + 1) float64
        Share of the first 0, 1, ..., k of them; NaN where none counts.
    """

    values: NDArray[np.float64]
    reached: NDArray[np.float64]

    @classmethod
    def of(cls, values: ArrayLike, weights: ArrayLike | None = None) -> "Scores":
        """Return scores in order.

        Parameters
        ----------
        values : (k,)
            At least one.
        weights : (..., k), optional
            How often each counts: once by default. Leading axes are draws, which all results have.
        """
        values = np.asarray(values, np.float64)
        weights = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
        order = np.argsort(values, kind="stable")
        reached = np.zeros((*weights.shape[:-1], len(values) + 1))
        weights[..., order].cumsum(-1, out=reached[..., 1:])
        total = reached[..., -1:].copy()
        return cls(values[order], np.divide(reached, np.where(total > 0, total, np.nan)))

    def below(self, thresholds: ArrayLike) -> NDArray[np.float64]:
        """Return the share (..., t) of scores below each threshold (t,)."""
        return self.reached[..., np.searchsorted(self.values, thresholds, "left")]

    def up_to(self, thresholds: ArrayLike) -> NDArray[np.float64]:
        """Return the share (..., t) of scores not above each threshold (t,)."""
        return self.reached[..., np.searchsorted(self.values, thresholds, "right")]


@dataclass(frozen=True)
class ErrorRates:
    """Both errors at each threshold from which comparisons are accepted.

    Attributes
    ----------
    thresholds : (t,) float64
        All scores in ascending order, and infinity, from which nothing is accepted.
    false_non_matches, false_matches : (..., t) float64
        Share of genuine comparisons rejected, and of impostor comparisons accepted.
    """

    thresholds: NDArray[np.float64]
    false_non_matches: NDArray[np.float64]
    false_matches: NDArray[np.float64]

    def equal_errors(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the threshold (...) at which both errors are closest, and their mean there (...).

        It is the lowest of those at which they differ least.
        """
        place = np.abs(self.false_non_matches - self.false_matches).argmin(-1)
        errors = (self.false_non_matches + self.false_matches) / 2
        return self.thresholds[place], _at(errors, place)

    def true_accepts(self, rate: float) -> NDArray[np.float64]:
        """Return the share (...) of genuine comparisons accepted at a rate of false matches.

        The threshold is the lowest with no more false matches than that.
        """
        place = (self.false_matches <= rate + _ROUNDING).argmax(-1)
        return 1 - _at(self.false_non_matches, place)


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


def area_under_curve(genuine: Scores, impostor: Scores) -> NDArray[np.float64]:
    """Return the area (...) under the ROC curve.

    It is the probability that a genuine comparison scores higher than an impostor comparison, ties
    counted half (DeLong et al. 1988): 0.5 is chance, 1 no error.
    """
    placements = (impostor.below(genuine.values) + impostor.up_to(genuine.values)) / 2
    return (np.diff(genuine.reached) * placements).sum(-1)


def error_rates(genuine: Scores, impostor: Scores) -> ErrorRates:
    """Return both errors at every threshold."""
    scores = np.unique(np.concatenate([genuine.values, impostor.values]))
    thresholds = np.append(scores, np.inf)
    return ErrorRates(thresholds, genuine.below(thresholds), 1 - impostor.below(thresholds))


def cosines(first: Embeddings, second: Embeddings) -> NDArray[np.float64]:
    """Return the cosine of every embedding (n, d) with every other (m, d): (n, m).

    An embedding of length 0, as a network without biases gives of a black chip, has cosine 0.
    """
    return units(first) @ units(second).T


def units(vectors: Embeddings) -> Embeddings:
    """Return vectors (n, d) of length 1; one of length 0 stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


def _at(values: NDArray[np.float64], place: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.take_along_axis(values, place[..., None], -1)[..., 0]
