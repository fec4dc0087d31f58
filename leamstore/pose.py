"""One pose: the frames in which maps of different photographs can be laid on each other.

The paper's four steps (arXiv 2509.17457, section 3.3): draw a reference image per identity,
take dlib's landmarks, rotate until the eye corners are level, and bring the other images to the
reference's landmarks. Beside the identity's own frame there is one canonical frame for
everybody, without which "another identity" is confounded with "not aligned".
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from leamstore import geometry
from leamstore.geometry import Affine, Points
from leamstore.schema import GRID

EYE_CORNERS: Final = (36, 45)
"""dlib's landmarks at the outer corners of the person's right and left eye."""

INNER: Final = slice(17, 68)
"""dlib's landmarks without the jaw line, which slides along the face as the head turns."""

PADDING: Final = 0.25
"""Margin of the crop on each side of the face, in widths of the face."""

MEAN_SHAPE: Final = np.array([
    (0.000213256, 0.106454), (0.0752622, 0.038915), (0.18113, 0.0187482), (0.29077, 0.0344891),
    (0.393397, 0.0773906), (0.586856, 0.0773906), (0.689483, 0.0344891), (0.799124, 0.0187482),
    (0.904991, 0.038915), (0.98004, 0.106454), (0.490127, 0.203352), (0.490127, 0.307009),
    (0.490127, 0.409805), (0.490127, 0.515625), (0.36688, 0.587326), (0.426036, 0.609345),
    (0.490127, 0.628106), (0.554217, 0.609345), (0.613373, 0.587326), (0.121737, 0.216423),
    (0.187122, 0.178758), (0.265825, 0.179852), (0.334606, 0.231733), (0.260918, 0.245099),
    (0.182743, 0.244077), (0.645647, 0.231733), (0.714428, 0.179852), (0.793132, 0.178758),
    (0.858516, 0.216423), (0.79751, 0.244077), (0.719335, 0.245099), (0.254149, 0.780233),
    (0.340985, 0.745405), (0.428858, 0.727388), (0.490127, 0.742578), (0.551395, 0.727388),
    (0.639268, 0.745405), (0.726104, 0.780233), (0.642159, 0.864805), (0.556721, 0.902192),
    (0.490127, 0.909281), (0.423532, 0.902192), (0.338094, 0.864805), (0.290379, 0.784792),
    (0.428096, 0.778746), (0.490127, 0.785343), (0.552157, 0.778746), (0.689874, 0.784792),
    (0.553364, 0.824182), (0.490127, 0.831803), (0.42689, 0.824182),
])  # fmt: skip
"""(51, 2) mean positions of the `INNER` landmarks, the face being one wide: the mean face shape
of dlib's ``get_face_chip_details`` (Boost Software License). Its eye corners are level."""

CANONICAL: Final = (MEAN_SHAPE + PADDING) / (1 + 2 * PADDING) * GRID - 0.5
"""(51, 2) the mean shape in crop pixels: the `INNER` landmarks of the canonical frame."""


def draw_reference(identity: str, images: Sequence[str], seed: int = 0) -> int:
    """Draw the image to whose pose an identity's other images are brought.

    Parameters
    ----------
    identity : str
        Name of the identity.
    images : sequence of str
        A name for each of its images that doesn't change, such as the file's sha256.
    seed : int
        Another seed draws anew.

    Returns
    -------
    int
        A position in `images`. The draw is a lottery by hash: it depends neither on the order
        of the images nor on other identities, and one more image changes it only by winning.
    """
    tickets = [hashlib.sha256(repr((seed, identity, image)).encode()).digest() for image in images]
    return tickets.index(min(tickets))


def crop_to_identity(landmarks: Points, reference: int) -> Affine:
    """Return the affines from the crops of one identity into its reference frame.

    The reference is turned until its outer eye corners are level; the others are brought to it
    by the similarity with the least squared distance between their `INNER` landmarks and its
    own. Levelling the others as well would change nothing, for that similarity would turn them
    back; to hold them level would leave almost half of LFW's images farther from the reference
    than they were.

    Parameters
    ----------
    landmarks : (image, 68, 2)
        dlib's landmarks of each image in its crop's pixels.
    reference : int
        Position of the reference image, as `draw_reference` gives it.

    Returns
    -------
    (image, 2, 3) float64
    """
    levelled = geometry.apply(level(landmarks[reference]), landmarks[reference])
    inner = landmarks[:, INNER]
    return geometry.fit_similarity(inner, np.broadcast_to(levelled[INNER], inner.shape))


def crop_to_canonical(landmarks: Points) -> Affine:
    """Return the affines (image, 2, 3) from crops into the frame common to everybody.

    As `crop_to_identity`, with the mean face in the place of the reference.
    """
    inner = landmarks[:, INNER]
    return geometry.fit_similarity(inner, np.broadcast_to(CANONICAL, inner.shape))


def level(landmarks: Points) -> Affine:
    """Return the rotation about the middle of the outer eye corners that levels them."""
    right, left = landmarks[list(EYE_CORNERS)]
    cosine, sine = (left - right) / np.linalg.norm(left - right)
    linear = np.array([[cosine, sine], [-sine, cosine]])
    middle = (left + right) / 2
    return np.column_stack([linear, middle - linear @ middle])
