"""Contrasts of likeness between one person's pairs and strangers' pairs, and their tests.

Pairs of one person aren't independent, and neither are pairs that share a stranger. So people are
redrawn, not pairs: a pair of one person occurs in a draw as often as the person, a pair of
strangers as often as the product of how often either does. Tests take a number of each person.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from analyses.likeness import Pairs
from analyses.statistics import ENDS, Array, Interval, identity_weights, sign_permutation

_DRAWS_AT_ONCE: Final = 250


@dataclass(frozen=True)
class Likeness:
    """Likeness of pairs of one person (k,) and of strangers (m,); larger is more alike."""

    same: Array
    strangers: Array

    @property
    def placements(self) -> Array:
        """(k,) the share of strangers' pairs less alike than each pair of one person.

        Ties count half. Their mean is the AUC (DeLong et al. 1988).
        """
        ranked = np.sort(self.strangers)
        lower, upper = (np.searchsorted(ranked, self.same, side) for side in ("left", "right"))
        return (lower + upper) / 2 / len(ranked)


class Contrast(NamedTuple):
    """Contrasts of one person's pairs with strangers'; the first is of the people as they are.

    Attributes
    ----------
    differences : (1 + draws,)
        Mean of the same person's pairs minus mean of strangers' pairs, then of people redrawn.
    aucs : (1 + draws,)
        The probability that a pair of one person is more alike than one of strangers.
    """

    differences: Array
    aucs: Array


def mean_likeness(
    values: ArrayLike, people: NDArray[np.int64], *, seed: int, draws: int
) -> Interval:
    """Return the mean over pairs with a percentile interval that redraws people.

    Parameters
    ----------
    values : (k,)
        Likeness of each pair.
    people : (k, 2)
        Whose the two are, as numbers from 0.
    """
    values = np.asarray(values, np.float64)
    sums, counts = _sums_by_people(values, people, people.max() + 1)
    weights = identity_weights(len(sums), draws, seed)
    drawn = _weighted(weights, counts)
    samples = _weighted(weights, sums) / np.where(drawn > 0, drawn, np.nan)
    if np.count_nonzero(counts.any(0)) < 2:
        samples[:] = np.nan
    return interval_of(np.concatenate([[values.mean()], samples]))


def draw_contrasts(
    likeness: Likeness, same: Pairs, strangers: Pairs, *, seed: int, draws: int
) -> Contrast:
    """Contrast one person's pairs with strangers', of the people as they are and redrawn.

    Contrasts of the same pairs by the same seed differ draw by draw. NaN where a draw lacks pairs
    of either kind, and in all draws where fewer than two people have pairs of their own.

    Parameters
    ----------
    same, strangers : (k, 2), (m, 2)
        Whose the two of each pair are, as numbers.
    """
    people, numbers = np.unique(
        np.concatenate([same[:, :1].repeat(2, axis=1), strangers]), return_inverse=True
    )
    whose, both = np.split(numbers.reshape(-1, 2), [len(same)])
    weights = np.vstack([np.ones(len(people)), identity_weights(len(people), draws, seed)])
    contrast = _weigh(likeness, whose[:, 0], both, weights)
    if len(np.unique(whose)) < 2:
        for samples in contrast:
            samples[1:] = np.nan
    return contrast


def interval_of(samples: Array) -> Interval:
    """Return the first of (1 + draws,) samples with the 95 % percentile interval of the others."""
    drawn = samples[1:][~np.isnan(samples[1:])]
    ends = np.quantile(drawn, ENDS) if len(drawn) else (np.nan, np.nan)
    return Interval(samples[0], *map(np.asarray, ends))


def permutation_p(likeness: Likeness, same: Pairs, strangers: Pairs, *, seed: int) -> float:
    """Return the two-sided p that a person's pairs are as alike as strangers', by permuted signs.

    An identity's part in the difference is the mean over its own pairs, minus twice the mean over
    its pairs with strangers (either of a pair has a part in it), plus the mean of all of these;
    that somebody's maps are like everybody's cancels out of it. If who is who said nothing, the
    sign of each part would be a coin's.

    Parameters
    ----------
    same, strangers : (k, 2), (m, 2)
        Whose the two of each pair are, as numbers.
    """
    own = _means_by_person(likeness.same, same[:, 0])
    other = _means_by_person(np.tile(likeness.strangers, 2), strangers.T.ravel())
    people = sorted(own.keys() & other.keys())
    with_self = np.array([own[person] for person in people])
    with_others = np.array([other[person] for person in people])
    if len(people) < 2:
        return float("nan")
    return sign_permutation(with_self - 2 * with_others + with_others.mean(), seed=seed)


def _weigh(
    likeness: Likeness, whose: NDArray[np.int64], both: NDArray[np.int64], weights: Array
) -> Contrast:
    """Contrast people who occur in a draw as often as the weights (draw, person) say.

    Strangers' pairs of the same two people weigh the same and are summed beforehand.
    """
    couples, couple = np.unique(np.sort(both, axis=1), axis=0, return_inverse=True)
    couple = couple.ravel()
    people = weights.shape[1]
    own_counts = np.bincount(whose, None, people)
    own_sums = np.bincount(whose, likeness.same, people)
    counts, sums = np.bincount(couple), np.bincount(couple, likeness.strangers)
    above = _count_above(likeness, whose, couple, people)
    contrast = Contrast(*np.full((2, len(weights)), np.nan))
    for start in range(0, len(weights), _DRAWS_AT_ONCE):
        drawn = weights[start : start + _DRAWS_AT_ONCE]
        drawn_couples = drawn[:, couples[:, 0]] * drawn[:, couples[:, 1]]
        own, other = drawn @ own_counts, drawn_couples @ counts
        known = (own > 0) & (other > 0)
        own, other = own[known], other[known]
        drawn, drawn_couples = drawn[known], drawn_couples[known]
        place = start + np.flatnonzero(known)
        contrast.differences[place] = drawn @ own_sums / own - drawn_couples @ sums / other
        contrast.aucs[place] = ((drawn @ above) * drawn_couples).sum(1) / (own * other)
    return contrast


def _count_above(
    likeness: Likeness, whose: NDArray[np.int64], couple: NDArray[np.int64], people: int
) -> Array:
    """Count how often a pair of a person is more alike than one of a couple: (people, couples)."""
    order = np.argsort(likeness.strangers, kind="stable")
    ranked, pairs = likeness.strangers[order], len(order)
    ends = [np.searchsorted(ranked, likeness.same, side) for side in ("left", "right")]
    places = np.tile(whose, 2) * (pairs + 1) + np.concatenate(ends)
    reached = np.bincount(places, minlength=people * (pairs + 1)).reshape(people, -1)
    # Of the strangers' pairs in order, how many of each person's pairs reach beyond; a pair
    # that is level with it reaches beyond it with one of its two ends.
    beyond = reached[:, :0:-1].cumsum(1)[:, ::-1] / 2
    by_couple = np.argsort(couple[order], kind="stable")
    starts = np.searchsorted(couple[order][by_couple], np.arange(couple.max() + 1))
    return np.add.reduceat(beyond[:, by_couple], starts, axis=1)


def _sums_by_people(values: Array, people: NDArray[np.int64], count: int) -> tuple[Array, Array]:
    sums, counts = np.zeros((2, count, count))
    np.add.at(sums, tuple(people.T), values)
    np.add.at(counts, tuple(people.T), 1.0)
    return sums, counts


def _weighted(weights: Array, table: Array) -> Array:
    """Return (draw,): a table of people x people, summed as often as each person is drawn."""
    own = np.diagonal(table)
    return weights @ own + ((weights @ (table - np.diag(own))) * weights).sum(1)


def _means_by_person(values: Array, people: NDArray[np.int64]) -> dict[int, float]:
    means = pl.DataFrame({"person": people, "value": values}).group_by("person").mean()
    return dict(means.iter_rows())
