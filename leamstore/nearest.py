"""Nearest-pixel sampling of pictures whose values are not to be mixed: labels and marks."""

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from leamstore.geometry import Affine


def nearest(pixels: NDArray[Any], affine: Affine, size: int, outside: Any) -> NDArray[Any]:
    """Return a picture (size, size) that takes the nearest pixel of another one.

    Parameters
    ----------
    pixels : (height, width)
    affine : (2, 3)
        From the picture's pixels to those of `pixels`.
    outside : Any
        The value where there is no pixel.
    """
    taken = np.full((size, size), outside, pixels.dtype)
    _take_nearest(pixels, affine, taken)
    return taken


@numba.njit(nogil=True, cache=True)
def _take_nearest(pixels: Any, affine: Any, taken: Any) -> None:
    height, width = pixels.shape
    # A tiny amount is subtracted, so that a frame equal to the other one gives the same pixels.
    right, down = affine[0, 2] + 0.5 - 1e-9, affine[1, 2] + 0.5 - 1e-9
    for y in range(taken.shape[0]):
        for x in range(taken.shape[1]):
            column = math.floor(affine[0, 0] * x + affine[0, 1] * y + right)
            row = math.floor(affine[1, 0] * x + affine[1, 1] * y + down)
            if 0 <= row < height and 0 <= column < width:
                taken[y, x] = pixels[row, column]
