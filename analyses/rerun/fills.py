"""Fills: values that replace hidden pixels; the result of an occlusion depends on them."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Chips = NDArray[np.float32]
"""(image, y, x, 3) RGB, 0 to 255."""

Fill = Callable[[Chips, NDArray[np.float64]], Chips]
"""Function from chips and the data set's mean colour (3,) to the values of hidden pixels."""

BLUR: Final = 1 / 16
"""Standard deviation of the blur, in sides of the chip: it merges an eye with its brow."""


def hide(chips: Chips, masks: NDArray[np.bool_], filling: Chips) -> Chips:
    """Return the chips with `filling` where the masks (image, y, x) are set."""
    return np.where(masks[..., None], filling, chips)


def black(chips: Chips, _mean_colour: NDArray[np.float64]) -> Chips:
    """Return black chips: the paper's occlusion."""
    return np.zeros_like(chips)


def mean_colour(chips: Chips, mean_colour: NDArray[np.float64]) -> Chips:
    """Return chips of the data set's mean colour."""
    return np.broadcast_to(mean_colour.astype(chips.dtype), chips.shape)


def blur(chips: Chips, _mean_colour: NDArray[np.float64]) -> Chips:
    """Return the chips blurred."""
    deviation = BLUR * chips.shape[1]
    return gaussian_filter(chips, (0, deviation, deviation, 0), mode="nearest")


FILLS: Final[dict[str, Fill]] = {"black": black, "mean colour": mean_colour, "blur": blur}
"""The fills by name."""
