"""Affine maps between pixel frames, and the sampling of a layer's cells onto a grid.

Points are (x, y) in float64 and a whole number is the centre of the pixel with that index.
An affine is a (2, 3) array; ``a_to_b`` carries points of frame a into frame b:
``p_b = a_to_b[:, :2] @ p_a + a_to_b[:, 2]``. All functions take stacks as well: leading
dimensions broadcast.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""(..., n, 2) positions x, y in pixels."""

Affine = NDArray[np.float64]
"""(..., 2, 3) maps from pixels of one frame to pixels of another."""


def apply(affine: Affine, points: Points) -> Points:
    """Apply an affine (..., 2, 3) to points (..., n, 2)."""
    return points @ np.swapaxes(affine[..., :2], -1, -2) + affine[..., None, :, 2]


def compose(outer: Affine, inner: Affine) -> Affine:
    """Return the affine that applies `inner` first and `outer` to its result."""
    product = outer[..., :2] @ inner
    product[..., 2] += outer[..., 2]
    return product


def invert(affine: Affine) -> Affine:
    """Return the affine that undoes `affine`.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the affine flattens the plane and so can't be undone.
    """
    linear = np.linalg.inv(affine[..., :2])
    return np.concatenate([linear, -linear @ affine[..., 2:]], axis=-1)


def scaling(from_size: float, to_size: float) -> Affine:
    """Return the affine between two samplings of one square frame, by their sides in pixels.

    The frames share their outer edges, half a pixel outside of the first and last centres.
    """
    scale = to_size / from_size
    shift = (scale - 1) / 2
    return np.array([[scale, 0.0, shift], [0.0, scale, shift]])


def fit_similarity(points: Points, targets: Points) -> Affine:
    """Return the rotation, uniform scale and shift that map points closest to targets.

    Read as complex numbers, a similarity is ``target = a * point + b``, so that the least
    squares are those of a line. It is Umeyama's solution (PAMI 13, 1991), equations 40 to 42,
    in the plane and without reflections.

    Parameters
    ----------
    points, targets : (..., n, 2)
        At least two points that don't coincide, and where each should go.

    Returns
    -------
    (..., 2, 3)
    """
    centre, target_centre = points.mean(axis=-2), targets.mean(axis=-2)
    centred, target_centred = points - centre[..., None, :], targets - target_centre[..., None, :]
    along = (centred * target_centred).sum(axis=(-1, -2))
    across = (
        centred[..., 0] * target_centred[..., 1] - centred[..., 1] * target_centred[..., 0]
    ).sum(axis=-1)
    spread = (centred**2).sum(axis=(-1, -2))
    cosine, sine = along / spread, across / spread
    linear = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
    shift = target_centre[..., None] - linear @ centre[..., None]
    return np.concatenate([linear, shift], axis=-1)


@dataclass(frozen=True)
class Resampling:
    """Bilinear interpolation of one axis of a layer's map to a grid over the chip.

    Grid pixel g takes ``1 - share[g]`` of cell ``low[g]`` and ``share[g]`` of the next one.
    Shares are whole multiples of `SHARE_STEP`, so that a float16 map goes up in float64 without
    any rounding, whichever way it is computed: equal values stay equal, and ties are ties.

    Attributes
    ----------
    cells : int
        Cells of the layer along the axis.
    low : (size,) int64
    share : (size,) float64
    """

    cells: int
    low: NDArray[np.int64]
    share: NDArray[np.float64]

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The weights (size, cells): a map M is resampled to ``R_y @ M @ R_x.T``; rows sum to 1."""
        weights = np.zeros((len(self.low), self.cells))
        grid = np.arange(len(self.low))
        weights[grid, self.low] = 1 - self.share
        weights[grid, np.minimum(self.low + 1, self.cells - 1)] += self.share
        return weights


SHARE_STEP: Final = 2.0**-12
"""Step, in cells, to which positions are rounded: far less than a pixel of any grid."""


def resample(cells: int, stride: float, offset: float, input_size: int, size: int) -> Resampling:
    """Return the interpolation of one axis of a layer's map to a grid of `size` pixels on the chip.

    Beyond the centres of the outermost cells the map goes on with their value.

    Parameters
    ----------
    cells : int
        Cells of the layer along the axis.
    stride, offset : float
        Cell i is centred at chip pixel ``stride * i + offset``.
    input_size : int
        Side of the chip in pixels.
    size : int
        Side of the grid, which covers the chip edge to edge: its pixel g is centred at chip
        pixel ``(g + 0.5) * input_size / size - 0.5``.
    """
    chip_pixels = (np.arange(size) + 0.5) * input_size / size - 0.5
    positions = np.clip((chip_pixels - offset) / stride, 0, cells - 1)
    positions = np.round(positions / SHARE_STEP) * SHARE_STEP
    low = np.floor(positions).astype(np.int64)
    return Resampling(cells, low, positions - low)
