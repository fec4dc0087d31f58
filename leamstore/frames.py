"""Maps of a layer laid on one grid, in a frame where faces share more or less of their pose.

A map is resampled to the grid and warped into the frame in one bilinear sampling with the
composed affine: sampling twice would smooth it twice. Then its most relevant percent is taken,
and it is scaled to sum to 1.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from leamstore import geometry
from leamstore.geometry import SHARE_STEP, Affine
from leamstore.schema import GRID

Frame = Literal["chip", "crop", "identity", "canonical"]
"""chip: the model's own input, unaligned; crop: the face crop; identity: the pose of the
identity's reference image; canonical: one pose for everybody."""

FRAMES: Final[tuple[Frame, ...]] = get_args(Frame)

Maps = NDArray[np.float32]
"""(n, y, x) maps on a grid."""

_BLOCK: Final = 64


@dataclass(frozen=True)
class Poses:
    """How each of n images is carried from frame to frame: affines (n, 2, 3)."""

    chip_to_crop: Affine
    crop_to_identity: Affine
    crop_to_canonical: Affine

    def crop_to(self, frame: Frame) -> Affine:
        """Return the affines from crop pixels into a frame's pixels."""
        return {
            "chip": geometry.invert(self.chip_to_crop),
            "crop": np.broadcast_to(np.eye(2, 3), self.chip_to_crop.shape),
            "identity": self.crop_to_identity,
            "canonical": self.crop_to_canonical,
        }[frame]

    def grid_to_chip(self, frame: Frame, size: int, input_size: int) -> Affine:
        """Return the affines from a grid of `size` pixels over a frame to chip pixels.

        The chip is `input_size` pixels wide, the other frames `leamstore.schema.GRID`.
        """
        if frame == "chip":
            return np.broadcast_to(geometry.scaling(size, input_size), self.chip_to_crop.shape)
        chip_to_frame = geometry.compose(self.crop_to(frame), self.chip_to_crop)
        return geometry.compose(geometry.invert(chip_to_frame), geometry.scaling(size, GRID))


def lay_on_grid(
    maps: NDArray[np.floating],
    grid_to_chip: Affine,
    stride: float,
    offset: float,
    input_size: int,
    size: int,
) -> Maps:
    """Sample a layer's maps bilinearly at the pixels of a grid.

    As `leamstore.geometry.resample` does, to which it is equal in the chip's own frame: beyond
    the outermost cell centres a map goes on with their value, up to the edge of the chip.

    Parameters
    ----------
    maps : (n, height, width)
        Maps at the layer's own resolution.
    grid_to_chip : (n, 2, 3)
        From pixels of the grid to pixels of each map's chip.
    stride, offset : float
        Cell i is centred at chip pixel ``stride * i + offset``.
    input_size : int
        Side of the chip in pixels.
    size : int
        Side of the grid.

    Returns
    -------
    (n, size, size) float32
        0 where the grid lies outside of the chip.
    """
    laid = np.empty((len(maps), size, size), np.float32)
    pixels = (
        np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1)
        .reshape(-1, 2)
        .astype(np.float64)
    )
    for start in range(0, len(maps), _BLOCK):
        block = slice(start, start + _BLOCK)
        points = geometry.apply(grid_to_chip[block], pixels)
        sampled = _sample(maps[block].astype(np.float64), (points - offset) / stride)
        # An edge that rounding moves by a trifle is still the chip's edge.
        inside = (np.abs(points - (input_size - 1) / 2) <= input_size / 2 + 1e-6).all(-1)
        laid[block] = np.where(inside, sampled, 0).reshape(-1, size, size)
    return laid


def take_top(maps: Maps, percent: float) -> Maps:
    """Return the maps with all but their most relevant percent of pixels set to 0.

    Ties at the border are broken by pixel order, row by row; round(percent / 100 * pixels)
    pixels are kept.
    """
    flat = maps.reshape(len(maps), -1)
    pixels = flat.shape[1]
    count = round(percent / 100 * pixels)
    if count >= pixels:
        return maps
    border = np.partition(flat, pixels - count, axis=1)[:, pixels - count, None]
    above, ties = flat > border, flat == border
    wanted = count - above.sum(1, keepdims=True)
    kept = above | (ties & (ties.cumsum(1) <= wanted))
    return np.where(kept, flat, 0).reshape(maps.shape)


def normalise(maps: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return non-negative maps scaled to sum to 1, in float64; an all-zero map stays zero."""
    total = maps.sum((1, 2), keepdims=True, dtype=np.float64)
    return np.divide(maps, total, out=np.zeros(maps.shape), where=total > 0)


def _sample(maps: NDArray[np.float64], cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return maps (n, height, width) at positions (n, points, 2) x, y in cells."""
    _, height, width = maps.shape
    last = np.array([width - 1, height - 1])
    positions = np.round(np.clip(cells, 0, last) / SHARE_STEP) * SHARE_STEP
    low = positions.astype(np.int64)
    high = np.minimum(low + 1, last)
    share_x, share_y = np.moveaxis(positions - low, -1, 0)
    (left, top), (right, bottom) = np.moveaxis(low, -1, 0), np.moveaxis(high, -1, 0)
    image = np.arange(len(maps))[:, None]
    upper = maps[image, top, left] * (1 - share_x) + maps[image, top, right] * share_x
    lower = maps[image, bottom, left] * (1 - share_x) + maps[image, bottom, right] * share_x
    return upper * (1 - share_y) + lower * share_y
