"""From map to facial region: how many of a map's activated pixels lie on each of the 19 classes.

Maps go up bilinearly to the 512 x 512 grid over the chip, and labels are brought there from the
crop; then pixels are counted (arXiv 2509.17457, section 3.2). Classes are the regions in the
order of their labels, and last what the parser left unlabelled.

The definition, in a few lines of numpy, is in ``tests/ingest/test_regions.py``; here the same
numbers are found in one pass over the pixels of each map, without keeping the grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from leamstore import geometry, schema
from leamstore.geometry import Affine, Resampling

CLASSES: Final = len(schema.REGIONS) + 1
"""The regions, and one more for unlabelled pixels."""

UNLABELLED_CLASS: Final = CLASSES - 1

_BINS: Final = 4096
"""Bins of relevance among which the threshold of the top percent is looked for."""


@dataclass(frozen=True)
class Upsampling:
    """The way from a layer's cells (height, width) up to the grid over its chip."""

    rows: Resampling
    columns: Resampling

    @classmethod
    def of_layer(
        cls, size: tuple[int, int], stride: float, offset: float, input_size: int
    ) -> "Upsampling":
        """Make the way up from a layer whose cell i is centred at ``stride * i + offset``."""
        rows, columns = (
            geometry.resample(cells, stride, offset, input_size, schema.GRID) for cells in size
        )
        return cls(rows, columns)


@dataclass(frozen=True)
class RegionCounts:
    """Pixels of n maps by class.

    Attributes
    ----------
    full : (n, 20) int64
        Of the pixels with a relevance above 0.01.
    top : (n, percent, 20) int64
        Of the most relevant pixels, ties broken by pixel order.
    """

    full: NDArray[np.int64]
    top: NDArray[np.int64]


def classes_on_chip(
    labels: NDArray[np.uint8], chip_to_crop: Affine, input_size: int
) -> NDArray[np.uint8]:
    """Bring the labels of a crop to the grid over a chip, each pixel the nearest one's, as classes.

    Parameters
    ----------
    labels : (512, 512) uint8
        Labels of the crop.
    chip_to_crop : (2, 3) float64
        From pixels of the model's chip to pixels of the crop.
    input_size : int
        Side of the chip in pixels.

    Returns
    -------
    (512, 512) uint8
        0 to 19; unlabelled where the chip reaches beyond the crop.
    """
    side = np.arange(schema.GRID, dtype=np.float64)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    to_crop = geometry.compose(chip_to_crop, geometry.scaling(schema.GRID, input_size))
    # A hair is taken off, so that a frame equal to the crop's own gives back the same labels.
    x, y = np.floor(geometry.apply(to_crop, grid) + 0.5 - 1e-9).astype(int).T
    inside = (x >= 0) & (x < schema.GRID) & (y >= 0) & (y < schema.GRID)
    found = np.full(schema.GRID * schema.GRID, UNLABELLED_CLASS, np.uint8)
    found[inside] = np.minimum(labels[y[inside], x[inside]], UNLABELLED_CLASS)
    return found.reshape(schema.GRID, schema.GRID)


def count_regions(
    maps: NDArray[np.float16],
    upsampling: Upsampling,
    classes: NDArray[np.uint8],
    image_of_map: NDArray[np.int64],
    percents: Sequence[float],
) -> RegionCounts:
    """Count the activated pixels of maps by class.

    Parameters
    ----------
    maps : (n, height, width) float16
        Relevance in [0, 1], at the layer's own resolution.
    upsampling : Upsampling
        The layer's way up to the grid.
    classes : (image, 512, 512) uint8
        What `classes_on_chip` gives for each image.
    image_of_map : (n,) int64
        Whose classes belong to each map, as a position in `classes`.
    percents : sequence of float
        Of the grid's 512 x 512 pixels, each rounded to whole pixels; ascending.
    """
    wanted = np.array([top_pixels(percent) for percent in percents], dtype=np.int64)
    partial = wanted[wanted < schema.GRID**2]
    full = np.zeros((len(maps), CLASSES), np.int64)
    top = np.zeros((len(maps), len(partial), CLASSES), np.int64)
    rows, columns = upsampling.rows, upsampling.columns
    _count(
        maps.astype(np.float64), rows.low, rows.share, columns.low, columns.share,
        classes, image_of_map, schema.FULL_THRESHOLD, partial, full, top,
    )  # fmt: skip
    if len(partial) < len(wanted):
        everything = np.stack([np.bincount(own.ravel(), minlength=CLASSES) for own in classes])
        top = np.concatenate([top, everything[image_of_map, None]], axis=1)
    return RegionCounts(full, top)


def top_pixels(percent: float) -> int:
    """Return how many pixels of the grid the top `percent` are."""
    return round(percent / 100 * schema.GRID**2)


@numba.njit(parallel=True, cache=True)
def _count(
    maps: Any, row: Any, row_share: Any, column: Any, column_share: Any,
    classes: Any, image_of_map: Any, threshold: float, wanted: Any, full: Any, top: Any,
) -> None:  # fmt: skip
    """Fill `full` and `top` map by map; the arguments are those of `count_regions`."""
    height, width = maps.shape[1:]
    size = len(row)
    for n in numba.prange(len(maps)):
        relevance, label = maps[n], classes[image_of_map[n]]
        values = np.empty(size * size)
        line = np.empty(width)
        bins = np.zeros(_BINS + 1, np.int64)
        above = 0
        for y in range(size):
            upper, lower, share = row[y], min(row[y] + 1, height - 1), row_share[y]
            for cell in range(width):
                line[cell] = relevance[upper, cell] * (1 - share) + relevance[lower, cell] * share
            for x in range(size):
                left, right, share = column[x], min(column[x] + 1, width - 1), column_share[x]
                value = line[left] * (1 - share) + line[right] * share
                values[y * size + x] = value
                if value > threshold:
                    above += 1
                    full[n, label[y, x]] += 1
                    bins[int(value * _BINS)] += 1
        if len(wanted):
            edge = _lower_edge(bins, wanted[-1]) if above >= wanted[-1] else 0.0
            _count_top(values, edge, label.ravel(), wanted, top[n])


@numba.njit(cache=True)
def _lower_edge(bins: Any, count: int) -> float:
    """Return a relevance that at least `count` pixels reach, hardly more than it takes."""
    edge = len(bins) - 1
    reached = bins[edge]
    while reached < count:
        edge -= 1
        reached += bins[edge]
    return edge / _BINS


@numba.njit(cache=True)
def _count_top(values: Any, edge: float, label: Any, wanted: Any, top: Any) -> None:
    """Sort the pixels that reach `edge`, stably, and count the first `wanted` ones by class."""
    places = np.flatnonzero(values >= edge)
    order = places[np.argsort(-values[places], kind="mergesort")]
    taken = 0
    for step in range(len(wanted)):
        if step:
            top[step] = top[step - 1]
        for rank in range(taken, wanted[step]):
            top[step, label[order[rank]]] += 1
        taken = wanted[step]
