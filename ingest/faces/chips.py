"""Crops and chips: faces cut from their photographs, and chips as networks see them.

The crop and every chip are squares cut from the photograph by a similarity fitted to the
landmarks. Their affines are kept, so that what is found on a chip can be laid on the crop, on
the photograph, or on another face.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leamstore import geometry
from leamstore.geometry import Affine, Points
from leamstore.poses import CANONICAL, INNER
from leamstore.schema import GRID


@dataclass(frozen=True)
class Alignment:
    """The alignment of a chip: the positions of the face's points in the chip.

    Parameters
    ----------
    points : callable
        From landmarks (68, 2) to the points (n, 2) that are fitted.
    template : (n, 2) float64
        Their target positions, in pixels of a chip with side `size`.
    size : int
        Side in pixels for which the template is stated.
    """

    points: Callable[[Points], Points]
    template: Points
    size: int


def five_points(landmarks: Points) -> Points:
    """Return eye centres, nose tip and mouth corners (..., 5, 2) from (..., 68, 2) landmarks.

    The person's right eye and mouth corner, on the left of the image, come first.
    """
    eyes = landmarks[..., 36:48, :].reshape(*landmarks.shape[:-2], 2, 6, 2).mean(axis=-2)
    return np.concatenate([eyes, landmarks[..., [30, 48, 54], :]], axis=-2)


_FIRM: Final = np.r_[27:55, 60:65]
"""The landmarks to which dlib fits its chips: no jaw, eyebrows or lower lip."""

_DLIB: Final = Alignment(lambda landmarks: landmarks[_FIRM], CANONICAL[_FIRM - INNER.start], GRID)
_ARCFACE: Final = Alignment(
    five_points,
    np.array([
        (38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366),
        (41.5493, 92.3655), (70.7299, 92.2041),
    ]),
    112,
)  # fmt: skip

ALIGNMENTS: Final = {"crop": _DLIB, "dlib": _DLIB, "arcface": _ARCFACE}
"""The crop's frame is that of dlib's face chips with padding 0.25; ArcFace's template is
InsightFace's."""


def chip_to_image(landmarks: Points, alignment: str, size: int) -> Affine:
    """Return the affine from a chip's pixels to the photograph's.

    Parameters
    ----------
    landmarks : (68, 2)
        In image pixels.
    alignment : str
        A name in `ALIGNMENTS`.
    size : int
        Side of the chip in pixels.
    """
    way = ALIGNMENTS[alignment]
    template_to_image = geometry.fit_similarity(way.template, way.points(landmarks))
    return geometry.compose(template_to_image, geometry.scaling(size, way.size))


def warp(image: NDArray[np.uint8], to_image: Affine, size: int) -> NDArray[np.uint8]:
    """Return a square cut from a photograph, bilinearly sampled, black outside of it.

    Where it shrinks by two or more, the photograph is first averaged over blocks of as many
    whole pixels, so that fine patterns don't alias.

    Parameters
    ----------
    image : (h, w, 3) uint8
        Photograph.
    to_image : (2, 3) float64
        From pixels of the square to pixels of the photograph.
    size : int
        Side of the square in pixels.

    Returns
    -------
    (size, size, 3) uint8
    """
    photograph = Image.fromarray(image)
    block = int(round(np.hypot(*to_image[:, 0]), 6))
    if block > 1:
        photograph = photograph.reduce(block)
        to_image = geometry.compose(geometry.scaling(block, 1), to_image)
    # Pillow's coordinates are half a pixel larger: a whole number is a pixel's edge.
    corner = geometry.apply(to_image, np.array([[-0.5, -0.5]]))[0] + 0.5
    coefficients = np.column_stack([to_image[:, :2], corner]).ravel()
    square = photograph.transform(
        (size, size),
        Image.Transform.AFFINE,
        tuple(coefficients.tolist()),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(square)
