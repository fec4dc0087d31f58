"""Frames that remove more or less of a face's pose, and warping of maps between frames.

The paper's four steps (arXiv 2509.17457, section 3.3): draw a reference image per identity,
take dlib's landmarks, rotate until the eye corners are level, and warp the other images to the
reference's landmarks. In addition to the identity's own frame there is one canonical frame for
everybody, without which "another identity" is confounded with "not aligned".
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, Self, get_args

import numba
import numpy as np
import polars as pl
from numpy.typing import DTypeLike, NDArray

from leamstore import geometry
from leamstore.geometry import SHARE_STEP, Affine, Points
from leamstore.layers import CellGrid
from leamstore.schema import GRID

Frame = Literal["chip", "crop", "identity", "canonical"]
"""chip: the model's own input, unaligned; crop: the face crop; identity: the pose of the
identity's reference image; canonical: one pose for everybody."""

FRAMES: Final[tuple[Frame, ...]] = get_args(Frame)

Beyond = Literal["zero", "nearest"]
"""Value of a map outside of its chip: 0, or that of the nearest cell."""

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
    """Draw the reference image, to whose pose an identity's other images are aligned.

    Parameters
    ----------
    identity : str
        Name of the identity.
    images : sequence of str
        A name for each of its images that doesn't change, such as the file's sha256.
    seed : int
        Another seed draws other images.

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

    The reference is turned until its outer eye corners are level; the others are aligned to it
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


def on_mean_face(landmarks: Points) -> Points:
    """Return the `INNER` landmarks (image, 51, 2) from any frame, aligned to the mean face."""
    return geometry.apply(crop_to_canonical(landmarks), landmarks)[:, INNER]


def level(landmarks: Points) -> Affine:
    """Return the rotation about the middle of the outer eye corners that levels them."""
    right, left = landmarks[list(EYE_CORNERS)]
    cosine, sine = (left - right) / np.linalg.norm(left - right)
    linear = np.array([[cosine, sine], [-sine, cosine]])
    middle = (left + right) / 2
    return np.column_stack([linear, middle - linear @ middle])


@dataclass(frozen=True)
class Poses:
    """Poses of n images in every frame.

    Attributes
    ----------
    image_to_crop, chip_to_crop, crop_to_identity, crop_to_canonical : (n, 2, 3) float64
        From pixels to pixels; image is the photograph.
    landmarks : (n, 68, 2) float64
        dlib's landmarks in pixels of the photograph.
    """

    image_to_crop: Affine
    chip_to_crop: Affine
    crop_to_identity: Affine
    crop_to_canonical: Affine
    landmarks: Points

    @classmethod
    def of(cls, images: pl.DataFrame) -> Self:
        """Return the poses of images.

        Parameters
        ----------
        images : polars.DataFrame
            Rows of the table images joined with chip_to_crop of the table embeddings.
        """
        image_to_crop = geometry.invert(_numbers(images["crop_to_image"]))
        stored = [_numbers(images[field.name]) for field in fields(cls)[1:]]
        return cls(image_to_crop, *stored)

    def __getitem__(self, places: slice | NDArray[np.integer]) -> Self:
        """Return the poses of some of the images."""
        return type(self)(*(getattr(self, field.name)[places] for field in fields(self)))

    def crop_to(self, frame: Frame) -> Affine:
        """Return the affines from crop pixels into a frame's pixels."""
        return {
            "chip": geometry.invert(self.chip_to_crop),
            "crop": np.broadcast_to(np.eye(2, 3), self.chip_to_crop.shape),
            "identity": self.crop_to_identity,
            "canonical": self.crop_to_canonical,
        }[frame]

    def landmarks_in(self, frame: Frame) -> Points:
        """Return the `INNER` landmarks (n, 51, 2) in a frame's pixels."""
        to_frame = geometry.compose(self.crop_to(frame), self.image_to_crop)
        return geometry.apply(to_frame, self.landmarks)[:, INNER]

    def grid_to_chip(self, frame: Frame, size: int, input_size: int) -> Affine:
        """Return the affines from a grid of `size` pixels over a frame to chip pixels.

        The chip is `input_size` pixels wide, the other frames `leamstore.schema.GRID`.
        """
        if frame == "chip":
            return np.broadcast_to(geometry.scaling(size, input_size), self.chip_to_crop.shape)
        chip_to_frame = geometry.compose(self.crop_to(frame), self.chip_to_crop)
        return geometry.compose(geometry.invert(chip_to_frame), geometry.scaling(size, GRID))

    def carry(
        self, maps: NDArray[np.floating], grid: CellGrid, frame: Frame, size: int
    ) -> NDArray[np.float32]:
        """Return a layer's maps (n, size, size) on a grid over a frame; 0 outside of the chip."""
        to_chip = self.grid_to_chip(frame, size, grid.input_size)
        return carry(maps, grid, to_chip, size, beyond="zero")


def carry(
    maps: NDArray[np.floating],
    grid: CellGrid,
    to_chip: Affine,
    size: int,
    *,
    beyond: Beyond,
    dtype: DTypeLike = np.float32,
) -> NDArray[Any]:
    """Sample a layer's maps bilinearly at the pixels of a picture.

    A map is resampled and moved in one sampling: sampling twice would smooth it twice. In the
    chip's own frame it equals `leamstore.layers.CellGrid.resample`.

    Parameters
    ----------
    maps : (n, height, width)
        Maps at the layer's own resolution.
    grid : CellGrid
        Positions of the layer's cells on each map's chip.
    to_chip : (n, 2, 3) or (2, 3)
        From pixels of the picture to pixels of each map's chip.
    size : int
        Side of the picture in pixels.
    beyond : {"zero", "nearest"}
        Value of the map outside of the chip. Within the chip, and beyond the outermost cell
        centres, it is the nearest cell's value either way.
    dtype : dtype
        Of the result: float32 or float64.

    Returns
    -------
    (n, size, size)
        Computed in float64, in which a float16 map is carried without any rounding.
    """
    carried = np.zeros((len(maps), size, size), dtype)
    to_chip = np.array(np.broadcast_to(to_chip, (len(maps), 2, 3)))
    # An edge that rounding moves by a trifle is still the chip's edge.
    reach = grid.input_size / 2 + 1e-6 if beyond == "zero" else np.inf
    for start in range(0, len(maps), _BLOCK):
        block = slice(start, start + _BLOCK)
        values, middle = maps[block].astype(np.float64), (grid.input_size - 1) / 2
        _sample(values, to_chip[block], grid.stride, grid.offset, middle, reach, carried[block])
    return carried


_BLOCK: Final = 64


@numba.njit(nogil=True, cache=True)
def _sample(
    maps: Any, to_chip: Any, stride: float, offset: float, middle: float, reach: float, carried: Any
) -> None:
    """Fill `carried`, zero farther than `reach` from the middle of the chip along an axis."""
    count, height, width = maps.shape
    for n in range(count):
        cells, affine = maps[n], to_chip[n]
        for row in range(carried.shape[1]):
            for column in range(carried.shape[2]):
                x = affine[0, 0] * column + affine[0, 1] * row + affine[0, 2]
                y = affine[1, 0] * column + affine[1, 1] * row + affine[1, 2]
                if abs(x - middle) > reach or abs(y - middle) > reach:
                    continue
                x = min(max((x - offset) / stride, 0.0), width - 1.0)
                y = min(max((y - offset) / stride, 0.0), height - 1.0)
                x, y = np.rint(x / SHARE_STEP) * SHARE_STEP, np.rint(y / SHARE_STEP) * SHARE_STEP
                left, top = int(x), int(y)
                right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
                x, y = x - left, y - top
                upper = cells[top, left] * (1 - x) + cells[top, right] * x
                lower = cells[bottom, left] * (1 - x) + cells[bottom, right] * x
                carried[n, row, column] = upper * (1 - y) + lower * y


def _numbers(column: pl.Series) -> NDArray[np.float64]:
    return column.to_numpy().astype(np.float64)
