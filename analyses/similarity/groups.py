"""Pairs of maps to compare, with strangers matched in pose.

Three groups, never two: maps of one anchor image towards different positives ("anchor"), maps of
different images of one identity ("identity"), and maps of different identities ("strangers").
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from analyses.likeness import Pairs
from analyses.statistics import Array

GROUPS: Final = ("anchor", "identity", "strangers")

CALIPER: Final = 0.1
"""Share by which the landmark distances of matched pairs may differ."""


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
    # Equally near strangers are distributed among the pairs; otherwise all would take the first.
    first, end = (np.searchsorted(offered, offered[nearest], side) for side in ("left", "right"))
    nearest = first + np.arange(len(nearest)) % (end - first)
    close = np.abs(offered[nearest] - wanted) <= CALIPER * wanted
    return pairs[close], strangers[order[nearest[close]]]


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
