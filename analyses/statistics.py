"""Statistics of the questions: intervals over identities, tests, effect sizes, variance shares.

Images and pairs of one person resemble each other, so a person is the unit: intervals draw
identities anew, never images or pairs. All functions work on columns: an array (n, ...) is n
observations of whatever stands in its further axes.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

DRAWS: Final = 2000
"""Bootstrap draws behind an interval."""

ENDS: Final = (0.025, 0.975)
"""Quantiles of the draws that end an interval: it covers 95 %."""

PERMUTATIONS: Final = 20_000
"""Number of permutations of signs, large enough for p to pass Holm over all layers."""

_PERMUTED_AT_ONCE: Final = 2000

Array = NDArray[np.float64]


class Interval(NamedTuple):
    """An estimate and the ends of its interval; all of one shape, that of one observation."""

    estimate: Array
    low: Array
    high: Array


class MannWhitney(NamedTuple):
    """Mann-Whitney's U of the first sample, its two-sided p and the effect size.

    The effect is Cliff's delta, which is also the rank-biserial correlation: the probability
    that a value of the first sample exceeds one of the second, minus that of the reverse.
    """

    u: Array
    p: Array
    effect: Array


def bootstrap_mean(
    values: ArrayLike,
    identities: ArrayLike,
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> Interval:
    """Return the mean over observations with a percentile interval that redraws identities.

    Parameters
    ----------
    values : array_like
        (n, ...) observations; NaN is left out of its own column.
    identities : array_like
        (n,) whose observation each is.
    seed : int
        Seed of the draws.
    draws : int
        Number of bootstrap draws of the identities, with replacement.

    Returns
    -------
    Interval
        Arrays (...). The ends are NaN for a column that fewer than two identities inform.
    """
    sums, counts = _sums_and_counts(np.asarray(values, np.float64), np.asarray(identities))
    return bootstrap_ratio(sums, counts, seed=seed, draws=draws)


def bootstrap_ratio(
    sums: ArrayLike,
    counts: ArrayLike,
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> Interval:
    """Return sum / count over identities with an interval, from sums by identity made by SQL.

    Parameters
    ----------
    sums, counts : array_like
        (identity, ...) each identity's sum over its observations, and how many they are.
    seed, draws
        As in `bootstrap_mean`.

    Returns
    -------
    Interval
        Arrays (...). The ends are NaN for a column that fewer than two identities inform.
    """
    sums, counts = np.broadcast_arrays(np.asarray(sums, np.float64), np.asarray(counts, np.float64))
    shape = sums.shape[1:]
    sums, counts = sums.reshape(len(sums), -1), counts.reshape(len(counts), -1)
    weights = identity_weights(len(sums), draws, seed)
    low, high = _percentile_ends(_ratio(weights @ sums, weights @ counts))
    lone = (counts > 0).sum(0) < 2
    estimate = _ratio(sums.sum(0), counts.sum(0))
    ends = (np.where(lone, np.nan, end) for end in (low, high))
    return Interval(*(array.reshape(shape) for array in (estimate, *ends)))


def bootstrap_difference(
    first: ArrayLike,
    second: ArrayLike,
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> Interval:
    """Return mean(first) - mean(second) with an interval; an observation is a person.

    Parameters
    ----------
    first, second : array_like
        (n, ...) and (m, ...) without NaN, one row an identity; each is redrawn on its own.
    seed, draws
        As in `bootstrap_mean`.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    samples = []
    for offset, values in enumerate((first, second)):
        weights = identity_weights(len(values), draws, [seed, offset]) / len(values)
        samples.append(weights @ values.reshape(len(values), -1))
    low, high = _percentile_ends(samples[0] - samples[1])
    shape = first.shape[1:]
    return Interval(first.mean(0) - second.mean(0), low.reshape(shape), high.reshape(shape))


def identity_weights(identities: int, draws: int, seed: int | list[int]) -> Array:
    """Return (draws, identities): how often each identity occurs in each bootstrap draw."""
    generator = np.random.default_rng(seed)
    chances = np.full(identities, 1.0 / identities)
    return generator.multinomial(identities, chances, size=draws).astype(np.float64)


def mann_whitney(first: ArrayLike, second: ArrayLike) -> MannWhitney:
    """Return the two-sided Mann-Whitney U test of two independent samples.

    p is exact for at most 8 observations in a sample without ties, and asymptotic otherwise; NaN
    where all values are equal, which is no test.

    Parameters
    ----------
    first, second : array_like
        (n, ...) and (m, ...), one row an identity.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    shape = first.shape[1:]
    # One column at a time: scipy would let ties in one decide how p is computed for all.
    columns = zip(first.reshape(len(first), -1).T, second.reshape(len(second), -1).T, strict=True)
    tests = [stats.mannwhitneyu(*column, alternative="two-sided") for column in columns]
    u = np.array([test.statistic for test in tests]).reshape(shape)
    p = np.array([test.pvalue for test in tests]).reshape(shape)
    together = np.concatenate([first, second])
    p = np.where(together.min(0) == together.max(0), np.nan, p)
    return MannWhitney(u, p, 2.0 * u / (len(first) * len(second)) - 1.0)


def signed_rank(means: ArrayLike) -> Array:
    """Return p (...) of the two-sided Wilcoxon test that people's means (n, ...) lie around 0.

    NaN where nobody's mean differs from 0, which is no test.
    """
    means = np.asarray(means, np.float64)
    columns = means.reshape(len(means), -1).T
    p = [stats.wilcoxon(column).pvalue if column.any() else np.nan for column in columns]
    return np.array(p).reshape(means.shape[1:])


def signed_rank_of_people(values: Array, people: NDArray[np.int64]) -> float:
    """Return p as `signed_rank` does, of one column of several values for a person.

    Parameters
    ----------
    values : (n,)
    people : (n,)
        Whose each is, as numbers from 0.

    Returns
    -------
    float
        NaN where nobody's mean differs from 0, which is no test.
    """
    counts = np.bincount(people)
    means = np.bincount(people, values)[counts > 0] / counts[counts > 0]
    return float(signed_rank(means))


def smallest_signed_rank_p(people: int) -> float:
    """Return the least p that `signed_rank_of_people` can give: all people point one way."""
    return min(1.0, 2.0 ** (1 - people))


def sign_permutation(differences: Array, *, seed: int) -> float:
    """Return the two-sided p that differences (identity,) of random sign have so far a mean.

    All choices of signs are tried if they are no more than `PERMUTATIONS`. Else so many are drawn
    together with the signs as they are: p is never 0.
    """
    return float(
        stats.permutation_test(
            (differences,),
            lambda signed, axis: np.abs(signed.mean(axis)),
            permutation_type="samples",
            alternative="greater",
            n_resamples=PERMUTATIONS,
            batch=_PERMUTED_AT_ONCE,
            rng=np.random.default_rng(seed),
        ).pvalue
    )


def holm(p_values: ArrayLike) -> Array:
    """Return Holm's adjusted p values, in the shape and order given; NaN is no test and stays.

    All entries are one family: pass the whole table.
    """
    p_values = np.asarray(p_values, np.float64)
    flat = p_values.ravel()
    order = np.argsort(flat)[: np.count_nonzero(~np.isnan(flat))]
    remaining = np.arange(len(order), 0, -1)
    adjusted = np.full(flat.shape, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(flat[order] * remaining), 1.0)
    return adjusted.reshape(p_values.shape)


def bootstrap_intraclass_correlation(
    values: ArrayLike,
    identities: ArrayLike,
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> Interval:
    """Return ICC(1), the share of the variance that lies between people, with an interval.

    One-way random effects, (MSB - MSW) / (MSB + (n0 - 1) MSW), with n0 the usual mean group size
    for unequal groups, (N - sum n_i^2 / N) / (k - 1) (Shrout & Fleiss 1979; Donner 1986). Below
    zero where people differ less than their own images do. Draws redraw identities.

    Parameters
    ----------
    values, identities, seed, draws
        As in `bootstrap_mean`.

    Returns
    -------
    Interval
        Arrays (...); NaN where fewer than two people or no repeated observation inform a column,
        or where nothing varies.
    """
    values = np.asarray(values, np.float64)
    moments = _moments_by_identity(values, np.asarray(identities))
    people = len(moments[0])
    estimate = _intraclass_correlation(np.ones((1, people)), *moments)[0]
    samples = _intraclass_correlation(identity_weights(people, draws, seed), *moments)
    low, high = _percentile_ends(samples)
    unknown = np.isnan(estimate)
    ends = (np.where(unknown, np.nan, end) for end in (low, high))
    return Interval(*(array.reshape(values.shape[1:]) for array in (estimate, *ends)))


def _sums_and_counts(values: Array, identities: NDArray[Any]) -> tuple[Array, Array]:
    """Sum the known values (n, ...) of each identity, and count them: two (identity, ...)."""
    people, person = np.unique(identities, return_inverse=True)
    known = ~np.isnan(values)
    sums, counts = np.zeros((2, len(people), *values.shape[1:]))
    np.add.at(sums, person, np.where(known, values, 0.0))
    np.add.at(counts, person, known.astype(np.float64))
    return sums, counts


def _moments_by_identity(values: Array, identities: NDArray[Any]) -> tuple[Array, Array, Array]:
    """Return each identity's count, mean (of centred values) and inner sum of squares."""
    flat = values.reshape(len(values), -1)
    # The share of variance is the same for centred values, and nothing cancels.
    flat = flat - np.nanmean(flat, axis=0)
    sums, counts = _sums_and_counts(flat, identities)
    means = _ratio(sums, counts)
    person = np.unique(identities, return_inverse=True)[1]
    squares, _ = _sums_and_counts((flat - means[person]) ** 2, identities)
    return counts, np.nan_to_num(means), squares


def _intraclass_correlation(weights: Array, counts: Array, means: Array, squares: Array) -> Array:
    """Return the correlation for each row of weights (how often each identity is drawn)."""
    groups = weights @ (counts > 0)
    total = weights @ counts
    grand = _ratio(weights @ (counts * means), total)
    between = weights @ (counts * means**2) - total * grand**2
    mean_square_between = _ratio(between, groups - 1.0)
    mean_square_within = _ratio(weights @ squares, total - groups)
    size = _ratio(total - _ratio(weights @ counts**2, total), groups - 1.0)
    return _ratio(
        mean_square_between - mean_square_within,
        mean_square_between + (size - 1.0) * mean_square_within,
    )


def _ratio(numerator: ArrayLike, denominator: ArrayLike) -> Array:
    """Divide; NaN where the denominator is not above zero."""
    numerator, denominator = np.broadcast_arrays(
        np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    )
    return np.divide(
        numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator > 0
    )


def _percentile_ends(samples: Array) -> tuple[Array, Array]:
    informed = ~np.isnan(samples).all(0)
    ends = np.full((2, samples.shape[1]), np.nan)
    ends[:, informed] = np.nanquantile(samples[:, informed], ENDS, axis=0)
    return ends[0], ends[1]
