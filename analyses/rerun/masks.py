"""Masks of hidden pixels: an order of a chip's pixels, cut at any percent.

Masks of one percent have the same number of pixels, whatever orders them: the map of the image
itself, of another image, the mirrored map, or chance.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

from leamstore.geometry import Points
from leamstore.poses import on_mean_face

Order = NDArray[np.int32]
"""(image, y, x): the place of each pixel of a chip, the one that is hidden first having 0."""

SOURCES: Final = ("own", "same person", "matched stranger", "swap")
"""Masks that are an image's map, by whose image it is."""


def order_pixels(relevance: ArrayLike) -> Order:
    """Return the order (image, y, x) from the most to the least relevant; ties by pixel order."""
    relevance = np.asarray(relevance)
    flat = relevance.reshape(len(relevance), -1)
    ranked = np.argsort(-flat, axis=1, kind="stable")
    places = np.empty(flat.shape, np.int32)
    np.put_along_axis(places, ranked, np.arange(flat.shape[1], dtype=np.int32)[None], axis=1)
    return places.reshape(relevance.shape)


def mirror(order: Order) -> Order:
    """Return the order of the chip's mirror image: every mask cut from it is the mirrored mask."""
    return order[..., ::-1]


def random_order(image_ids: Iterable[int], size: int, seed: int, draw: int) -> Order:
    """Return orders drawn at random; an image's depends on seed, draw and its image_id alone."""
    return np.stack([
        np.random.default_rng([seed, draw, image_id])
        .permutation(size * size)
        .astype(np.int32)
        .reshape(size, size)
        for image_id in image_ids
    ])  # fmt: skip


def cut_masks(order: Order, percent: float) -> NDArray[np.bool_]:
    """Return masks (image, y, x) of the first `percent` of the pixels."""
    return order < pixels_hidden(percent, order.shape[-1])


def pixels_hidden(percent: float, size: int) -> int:
    """Return how many pixels of a chip of `size` x `size` are `percent` of it, rounded."""
    return round(percent / 100 * size * size)


def draw_sources(
    identities: ArrayLike, landmarks: Points, seed: int
) -> dict[str, NDArray[np.int64]]:
    """Draw, for every image, the images whose maps hide its pixels.

    The stranger is matched with the other image of the same person, not with the anchor: so the
    two differ from the anchor in pose alike, and from each other in whose face they show.

    Parameters
    ----------
    identities : array_like
        (image,) whose face each shows: two or more people, each of two or more images.
    landmarks : (image, 68, 2)
        dlib's points, in pixels of any frame that shows the face upright.
    seed : int
        Seed of the draws.

    Returns
    -------
    dict of str to (image,) int64
        By each of `SOURCES`, positions among the images: the image itself; another image of the
        same person, drawn at random; the stranger whose landmarks come nearest to that one's
        once both are aligned to the mean face; any stranger, drawn at random.
    """
    identities = np.asarray(identities)
    generator = np.random.default_rng(seed)
    posed = on_mean_face(landmarks).reshape(len(identities), -1)
    own = np.arange(len(identities))
    other, matched, stranger = np.empty((3, len(identities)), np.int64)
    for identity in dict.fromkeys(identities.tolist()):
        images = np.flatnonzero(identities == identity)
        strangers = np.flatnonzero(identities != identity)
        # A step of 1 to n - 1 around the person's n images never ends where it began.
        steps = generator.integers(1, len(images), len(images))
        other[images] = images[(np.arange(len(images)) + steps) % len(images)]
        distances = cdist(posed[other[images]], posed[strangers])
        matched[images] = strangers[distances.argmin(1)]
        stranger[images] = generator.choice(strangers, len(images))
    return dict(zip(SOURCES, (own, other, matched, stranger), strict=True))
