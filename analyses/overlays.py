"""Maps drawn on faces: placement of each cell on the face crop, and its colour.

Pure functions from arrays to images, for reports and dashboards alike. A face is drawn in grey
and its map over it, so that a colour always means relevance; the less relevant, the more of the
face shows.
"""

from typing import Final, Literal

import numpy as np
from matplotlib import colormaps
from numpy.typing import ArrayLike, NDArray

from leamstore import geometry
from leamstore.geometry import Affine
from leamstore.layers import CellGrid, Maps
from leamstore.poses import carry
from leamstore.schema import GRID, REGION_NAMES

Pixels = NDArray[np.uint8]
"""(..., y, x, 3) red, green and blue, or (..., y, x, 4) with alpha, 0 to 255."""

Drawing = Literal["cells", "smooth"]
"""Ways to draw a map: its cells as they are, or bilinearly between their centres."""

_OPACITY: Final = 0.85
"""Opacity of a relevance of 1; the face still shows through it."""

_SEEN_FROM: Final = 0.35
"""Relevance from which a map has its full opacity; below, opacity falls to 0 with it."""

_LUMINANCE: Final = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in grey (ITU-R BT.601)."""

_REGION_COLOURS: Final = {
    "background": (96, 96, 96), "neck": (201, 148, 199), "face": (240, 200, 160),
    "clothes": (120, 120, 180), "right_ear": (166, 118, 29), "left_ear": (200, 160, 80),
    "right_eyebrow": (0, 114, 178), "left_eyebrow": (86, 180, 233), "right_eye": (0, 128, 96),
    "left_eye": (60, 200, 150), "nose": (230, 159, 0), "inner_mouth": (90, 20, 60),
    "lower_lip": (213, 94, 0), "upper_lip": (204, 121, 167), "hair": (110, 70, 40),
    "eyeglasses": (240, 228, 66), "hat": (150, 60, 150), "earrings": (255, 255, 150),
    "necklace": (220, 220, 220),
}  # fmt: skip


def draw_maps(
    maps: NDArray[np.floating],
    grid: CellGrid,
    to_chip: Affine,
    size: int,
    drawing: Drawing = "cells",
) -> Maps:
    """Draw a layer's maps on a picture, each cell at its place on the face.

    Parameters
    ----------
    maps : (n, height, width)
        Maps at the layer's own resolution.
    to_chip : (n, 2, 3)
        From the picture's pixels to those of each map's chip, as `Poses.grid_to_chip` gives them.
    size : int
        Side of the picture.

    Returns
    -------
    (n, size, size) float32
        Relevance; beyond the outermost cells it goes on up to the edge of the chip, and is 0
        outside.
    """
    if drawing == "smooth":
        return carry(maps, grid, to_chip, size, beyond="zero")
    along = np.arange(size, dtype=np.float64)
    picture = np.stack(np.meshgrid(along, along), -1).reshape(-1, 2)
    points = geometry.apply(to_chip, picture)
    last = np.array(maps.shape[:0:-1]) - 1
    nearest = np.floor((points - grid.offset) / grid.stride + 0.5).clip(0, last).astype(np.int64)
    drawn = maps[np.arange(len(maps))[:, None], nearest[..., 1], nearest[..., 0]]
    middle = (grid.input_size - 1) / 2
    inside = (np.abs(points - middle) <= grid.input_size / 2 + 1e-6).all(-1)
    return np.where(inside, drawn, 0).astype(np.float32).reshape(-1, size, size)


def top_borders(
    maps: NDArray[np.floating], grid: CellGrid, percents: ArrayLike
) -> NDArray[np.float32]:
    """Return the least relevance among the most relevant percents of each map's chip.

    On the grid on which the lake counts pixels, so that what is above a border is what was
    counted (but for ties).

    Parameters
    ----------
    maps : (n, height, width)
        Maps at the layer's own resolution.
    percents : (k,)

    Returns
    -------
    (n, k) float32
    """
    counts = np.maximum(np.round(np.asarray(percents) / 100 * GRID * GRID).astype(np.int64), 1)
    borders = np.empty((len(maps), len(counts)), np.float32)
    for place in range(len(maps)):
        laid = grid.resample(maps[place].astype(np.float64), GRID).ravel().astype(np.float32)
        borders[place] = np.partition(laid, laid.size - counts)[laid.size - counts]
    return borders


def colour(relevance: ArrayLike) -> Pixels:
    """Return the colours (..., 3) of relevances from 0 to 1, by the colour map inferno.

    It is perceptually uniform: equal steps of relevance look like equal steps, in grey and to the
    colour-blind, too.
    """
    return colormaps["inferno"](np.asarray(relevance, np.float64), bytes=True)[..., :3]


def tint(relevance: ArrayLike) -> Pixels:
    """Return the colours (..., 4) of relevances from 0 to 1 over a face."""
    opacity = _OPACITY * np.clip(np.asarray(relevance) / _SEEN_FROM, 0, 1)
    return np.concatenate([colour(relevance), _alpha(opacity)], -1)


def tint_top(relevance: NDArray[np.floating], borders: NDArray[np.floating]) -> Pixels:
    """Return the colours (n, y, x, 4) of nested bands of the most relevant pixels.

    Parameters
    ----------
    relevance : (n, y, x)
    borders : (n, k)
        Of each map, as `top_borders` gives them, from the smallest percent to the largest.
    """
    steps = borders.shape[1]
    above = (relevance[..., None] >= borders[:, None, None]) & (relevance[..., None] > 0)
    band = steps - above.sum(-1)  # 0 lies in all percents, k in none.
    colours = np.concatenate([band_colours(steps), np.zeros((1, 4), np.uint8)])
    return colours[band]


def band_colours(count: int) -> Pixels:
    """Return the colours (k, 4) of nested bands, the most relevant one first."""
    levels = np.linspace(0.92, 0.35, count)
    return np.concatenate([colour(levels), _alpha(np.full(count, _OPACITY))], -1)


def tint_regions(labels: NDArray[np.uint8]) -> Pixels:
    """Return the colours (..., 4) of a parser's labels; unlabelled pixels are transparent."""
    table = np.zeros((256, 4), np.uint8)
    table[: len(REGION_NAMES), :3] = [_REGION_COLOURS[name] for name in REGION_NAMES]
    table[: len(REGION_NAMES), 3] = round(255 * _OPACITY)
    return table[labels]


def grey(photographs: NDArray[np.uint8]) -> Pixels:
    """Return photographs (..., 3) in grey."""
    return np.repeat((photographs @ _LUMINANCE).round().astype(np.uint8)[..., None], 3, -1)


def blend(photographs: NDArray[np.uint8], tints: NDArray[np.uint8]) -> Pixels:
    """Return photographs (..., 3) under tints (..., 4)."""
    share = tints[..., 3:] / 255.0
    return (photographs * (1 - share) + tints[..., :3] * share).round().astype(np.uint8)


def overlay(crops: NDArray[np.uint8], relevance: NDArray[np.floating]) -> Pixels:
    """Return face crops (..., y, x, 3) in grey under their maps (..., y, x)."""
    return blend(grey(crops), tint(relevance))


def legend(length: int) -> Pixels:
    """Return a strip (1, length, 3): relevances from 0 to 1 as they look over a grey face."""
    return blend(np.full((1, length, 3), 160, np.uint8), tint(np.linspace(0, 1, length)[None]))


def mosaic(tiles: NDArray[np.uint8], gap: int) -> Pixels:
    """Return one picture of tiles (rows, columns, y, x, 3), `gap` white pixels between them."""
    rows, columns, height, width, _ = tiles.shape
    padded = np.full((rows, columns, height + gap, width + gap, 3), 255, np.uint8)
    padded[:, :, :height, :width] = tiles
    whole = padded.transpose(0, 2, 1, 3, 4).reshape(rows * (height + gap), -1, 3)
    return whole[: whole.shape[0] - gap, : whole.shape[1] - gap]


def _alpha(opacity: NDArray[np.floating]) -> Pixels:
    return (255 * opacity).round().astype(np.uint8)[..., None]
