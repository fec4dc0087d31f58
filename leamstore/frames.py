"""Maps of a layer laid on one grid, in a frame where faces share more or less of their pose.

A map is resampled to the grid and warped into the frame in one bilinear sampling with the
composed affine: sampling twice would smooth it twice. Then its most relevant percent is taken,
and it is scaled to sum to 1.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numba
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
    laid = np.zeros((len(maps), size, size), np.float32)
    grid_to_chip = np.broadcast_to(grid_to_chip, (len(maps), 2, 3))
    for start in range(0, len(maps), _BLOCK):
        block = slice(start, start + _BLOCK)
        values = maps[block].astype(np.float64)
        _sample(values, grid_to_chip[block], stride, offset, input_size, laid[block])
    return laid


def take_top(maps: Maps, percent: float) -> Maps:
    """Return the maps with all but their most relevant percent of pixels set to 0.

    Ties at the border are broken by pixel order, row by row; round(percent / 100 * pixels)
    pixels are kept.
    """
    flat = maps.reshape(len(maps), -1)
    count = round(percent / 100 * flat.shape[1])
    if count >= flat.shape[1]:
        return maps
    # Maps are mostly low: partition finds a border far quicker from the side where few lie.
    border = -np.partition(-flat, count - 1, axis=1)[:, count - 1, None]
    kept = flat >= border
    crowded = np.flatnonzero(np.count_nonzero(kept, axis=1) > count)
    above, ties = flat[crowded] > border[crowded], flat[crowded] == border[crowded]
    wanted = count - above.sum(1, keepdims=True)
    kept[crowded] = above | (ties & (ties.cumsum(1) <= wanted))
    return np.where(kept, flat, 0).reshape(maps.shape)


def normalise(maps: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return non-negative maps scaled to sum to 1, in float64; an all-zero map stays zero."""
    total = maps.sum((1, 2), keepdims=True, dtype=np.float64)
    return np.divide(maps, total, out=np.zeros(maps.shape), where=total > 0)


@numba.njit(nogil=True, cache=True)
def _sample(
    maps: Any, grid_to_chip: Any, stride: float, offset: float, input_size: int, laid: Any
) -> None:
    """Fill `laid`, zero where the grid lies outside of the chip; arguments as `lay_on_grid`'s."""
    count, height, width = maps.shape
    # An edge that rounding moves by a trifle is still the chip's edge.
    middle, reach = (input_size - 1) / 2, input_size / 2 + 1e-6
    for n in range(count):
        cells, to_chip = maps[n], grid_to_chip[n]
        for row in range(laid.shape[1]):
            for column in range(laid.shape[2]):
                x = to_chip[0, 0] * column + to_chip[0, 1] * row + to_chip[0, 2]
                y = to_chip[1, 0] * column + to_chip[1, 1] * row + to_chip[1, 2]
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
                laid[n, row, column] = upper * (1 - y) + lower * y
