"""Which pairs of maps are compared, and what their likeness says about the person.

Three groups, never two: maps of one anchor image towards different positives ("anchor"), maps of
different images of one identity ("identity"), and maps of different identities ("strangers").
"""

from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from analyses.statistics import Array, Interval, bootstrap_mean, identity_weights

GROUPS: Final = ("anchor", "identity", "strangers")

CALIPER: Final = 0.1
"""Share by which the landmark distances of matched pairs may differ."""

Pairs = NDArray[np.int64]
"""(k, 2) positions of maps."""


class SamePerson(NamedTuple):
    """What sets one identity's pairs apart from strangers' pairs.

    Attributes
    ----------
    difference : Interval
        Mean of the same identity's pairs minus mean of strangers' pairs.
    auc : Interval
        The probability that a pair of one identity is more alike than a pair of strangers.
    p : float
        Two-sided, of a permutation test over identities.
    """

    difference: Interval
    auc: Interval
    p: float


def draw_pairs(
    images: NDArray[np.int64], identities: NDArray[np.int64], most: int, seed: int
) -> dict[str, Pairs]:
    """Return the pairs of maps of each group, at most `most` each, in a drawn order.

    Parameters
    ----------
    images, identities : (n,)
        The (anchor) image of each map, and whose it is.
    most : int
        Groups with more pairs are sampled without replacement.
    seed : int
    """
    generator = np.random.default_rng(seed)
    within = _pairs_within(identities)
    same_image = images[within[:, 0]] == images[within[:, 1]]
    return {
        "anchor": generator.permutation(within[same_image])[:most],
        "identity": generator.permutation(within[~same_image])[:most],
        "strangers": _pairs_between(identities, most, generator),
    }


def match_poses(
    pairs: Pairs, strangers: Pairs, landmarks: NDArray[np.float64]
) -> tuple[Pairs, Pairs]:
    """Match each pair of one identity with a pair of strangers whose poses differ as much.

    Parameters
    ----------
    pairs, strangers : (k, 2)
        Positions of maps.
    landmarks : (n, points, 2)
        The landmarks of each map's image, in the frame in which maps are compared. Poses differ
        by the root mean square distance of landmarks.

    Returns
    -------
    pairs, strangers : (m, 2)
        Row by row matched, strangers possibly more than once; without the pairs for which no
        pair of strangers comes within `CALIPER`.
    """
    if not len(pairs) or not len(strangers):
        return pairs[:0], strangers[:0]
    wanted, offered = (_pose_distances(landmarks, chosen) for chosen in (pairs, strangers))
    order = np.argsort(offered, kind="stable")
    offered = offered[order]
    above = np.searchsorted(offered, wanted).clip(0, len(offered) - 1)
    below = (above - 1).clip(0)
    nearest = np.where(wanted - offered[below] < offered[above] - wanted, below, above)
    close = np.abs(offered[nearest] - wanted) <= CALIPER * wanted
    return pairs[close], strangers[order[nearest[close]]]


def mean_likeness(
    values: ArrayLike, people: NDArray[np.int64], *, seed: int, draws: int
) -> Interval:
    """Return the mean over pairs with a percentile interval that redraws identities.

    Parameters
    ----------
    values : (k,)
        Likeness of each pair.
    people : (k, 2)
        Whose the two maps are, as numbers from 0. A pair of strangers stands in a draw as often
        as the product of how often either stands in it.
    """
    values = np.asarray(values, np.float64)
    sums, counts = _sums_by_people(values, people, people.max() + 1)
    estimate = np.asarray(values.mean())
    weights = identity_weights(len(sums), draws, seed)
    samples = _weighted(weights, sums) / np.maximum(_weighted(weights, counts), 1e-12)
    samples = samples[_weighted(weights, counts) > 0]
    if np.count_nonzero(counts.any(0)) < 2 or not len(samples):
        return Interval(estimate, np.array(np.nan), np.array(np.nan))
    return Interval(estimate, *np.quantile(samples, [0.025, 0.975]))


def same_person(
    identity: ArrayLike,
    strangers: ArrayLike,
    identity_people: NDArray[np.int64],
    strangers_people: NDArray[np.int64],
    *,
    seed: int,
    draws: int,
) -> SamePerson:
    """Compare the likeness of one identity's pairs with that of strangers' pairs.

    The unit is an identity. Its difference is the mean over its own pairs minus the mean over
    its pairs with strangers; if who is who said nothing, the sign of each would be a coin's, so
    that the test permutes signs. The AUC is the mean of the pairs' placements among the
    strangers' pairs (DeLong et al. 1988); identities are redrawn on the side of the same
    identity, the strangers' far more numerous pairs are held.

    Parameters
    ----------
    identity, strangers : (k,), (m,)
        Likeness: larger is more alike.
    identity_people, strangers_people : (k, 2), (m, 2)
        Whose the two maps are, as numbers from 0.
    """
    identity, strangers = np.asarray(identity, np.float64), np.asarray(strangers, np.float64)
    whose = identity_people[:, 0]
    ranked = np.sort(strangers)
    lower, upper = (np.searchsorted(ranked, identity, side) for side in ("left", "right"))
    placements = (lower + upper) / 2 / len(ranked)
    own = _means_by_person(identity, whose)
    other = _means_by_person(np.tile(strangers, 2), strangers_people.T.ravel())
    both = np.array(sorted(own.keys() & other.keys()))
    differences = np.array([own[person] - other[person] for person in both])
    return SamePerson(
        difference=bootstrap_mean(differences, both, seed=seed, draws=draws),
        auc=bootstrap_mean(placements, whose, seed=seed, draws=draws),
        p=sign_permutation(differences, seed=seed, draws=draws),
    )


def sign_permutation(differences: Array, *, seed: int, draws: int) -> float:
    """Return the two-sided p that differences (identity,) of random sign have so far a mean."""
    if len(differences) < 2:
        return float("nan")
    test = stats.permutation_test(
        (differences,),
        lambda values, axis: values.mean(axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=draws,
        rng=np.random.default_rng(seed),
    )
    return float(test.pvalue)


def _pairs_within(identities: NDArray[np.int64]) -> Pairs:
    order = np.argsort(identities, kind="stable")
    borders = np.flatnonzero(np.diff(identities[order])) + 1
    parts = [
        members[np.stack(np.triu_indices(len(members), 1), 1)]
        for members in np.split(order, borders)
    ]
    return np.concatenate([np.zeros((0, 2), np.int64), *parts])


def _pairs_between(
    identities: NDArray[np.int64], most: int, generator: np.random.Generator
) -> Pairs:
    maps = len(identities)
    if maps * (maps - 1) // 2 <= 4 * most:
        pairs = np.stack(np.triu_indices(maps, 1), 1)
    else:
        # Far more pairs than are wanted: draw some, and drop what was drawn twice.
        drawn = np.sort(generator.integers(maps, size=(4 * most, 2)), axis=1)
        pairs = np.unique(drawn, axis=0)
    return generator.permutation(pairs[np.diff(identities[pairs], axis=1)[:, 0] != 0])[:most]


def _pose_distances(landmarks: NDArray[np.float64], pairs: Pairs) -> Array:
    steps = landmarks[pairs[:, 0]] - landmarks[pairs[:, 1]]
    return np.sqrt((steps**2).sum(-1).mean(-1))


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
