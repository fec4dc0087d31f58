"""Region counts: a map's activated pixels on each of the 19 facial regions.

Maps are resampled bilinearly to the 512 x 512 grid over the chip, and labels are warped to it from
the crop; then pixels are counted (arXiv 2509.17457, section 3.2). Classes are the regions in the
order of their labels, and last the pixels that the parser left unlabelled.

The definition, in a few lines of numpy, is in ``tests/ingest/leam/test_region_counts.py``. The
same numbers are found here without sampling most pixels. Between cells a map neither rises above
nor falls below them: in a row of pixels that lie between two cells, those above a threshold are
all, none, or a stretch from one end; and blocks of pixels whose cells are less relevant than the
k-th most relevant pixel hold none of the top k.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from leamstore import geometry, schema
from leamstore.errors import LeamError
from leamstore.geometry import Affine, Resampling
from leamstore.layers import CellGrid
from leamstore.nearest import nearest

CLASSES: Final = len(schema.REGIONS) + 1
"""The regions, and one more for unlabelled pixels."""

UNLABELLED_CLASS: Final = CLASSES - 1

_BINS: Final = 4096
"""Bins of relevance, by which blocks are ordered and the k-th most relevant pixel is found."""

_COUNTED_TOGETHER: Final = 4
"""Maps that a thread of a pool counts at a time."""

_UNITS: Final = 2.0**24 / geometry.SHARE_STEP**2
"""Every pixel's relevance is a whole number of this many to 1: float16's, and two shares'."""


@dataclass(frozen=True)
class ClassGrid:
    """The classes of images on the grid, and how far each pixel's class goes on in its row.

    Attributes
    ----------
    classes : (image, 512, 512) uint8
        0 to 19.
    run_ends : (image, 512, 512) uint16
        The column after the last one that has this pixel's class, as all between them.
    pixels : (image, 20) int64
        Of each class.
    """

    classes: NDArray[np.uint8]
    run_ends: NDArray[np.uint16]
    pixels: NDArray[np.int64]

    @classmethod
    def of(cls, classes: NDArray[np.uint8]) -> "ClassGrid":
        """Find the runs of classes (image, 512, 512)."""
        run_ends = np.empty(classes.shape, np.uint16)
        pixels = np.zeros((len(classes), CLASSES), np.int64)
        _find_runs(classes, run_ends, pixels)
        return cls(classes, run_ends, pixels)


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
    to_crop = geometry.compose(chip_to_crop, geometry.scaling(schema.GRID, input_size))
    found = nearest(labels, to_crop, schema.GRID, schema.UNLABELLED)
    return np.minimum(found, UNLABELLED_CLASS)


def count_regions(
    maps: NDArray[np.float16],
    cells: CellGrid,
    grid: ClassGrid,
    image_of_map: NDArray[np.int64],
    percents: Sequence[float],
    pool: Executor | None = None,
) -> RegionCounts:
    """Count the activated pixels of maps by class.

    Parameters
    ----------
    maps : (n, height, width) float16
        Relevance in [0, 1], at the layer's own resolution.
    cells : CellGrid
        Positions of the layer's cells on the chip.
    grid : ClassGrid
        The classes of each image, as `classes_on_chip` gives them.
    image_of_map : (n,) int64
        Position in `grid` of the classes of each map.
    percents : sequence of float
        Of the grid's 512 x 512 pixels, each rounded to whole pixels; ascending.
    pool : Executor, optional
        Threads that share the maps; without it, this thread counts them all.

    Raises
    ------
    LeamError
        If a relevance is NaN or lies outside [0, 1].
    """
    relevance = maps.astype(np.float64)
    # Compiled code takes bins by relevance, and doesn't look where it writes.
    outside = ~((relevance >= 0) & (relevance <= 1)).all((1, 2))
    if outside.any():
        raise LeamError(
            f"{outside.sum()} of {len(maps)} maps can't be counted: they hold NaN, or relevance "
            "outside [0, 1]."
        )
    wanted = np.array([top_pixels(percent) for percent in percents], dtype=np.int64)
    partial = wanted[wanted < schema.GRID**2]
    full = np.zeros((len(maps), CLASSES), np.int64)
    top = np.zeros((len(maps), len(partial), CLASSES), np.int64)
    rows, columns = cells.resamplings(schema.GRID)
    first_row, first_column = _first_pixels(rows), _first_pixels(columns)

    def count(own: slice) -> None:
        _count(
            relevance[own], rows.low, rows.share, first_column, columns.share, first_row,
            grid.classes, grid.run_ends, image_of_map[own], schema.FULL_THRESHOLD, partial,
            full[own], top[own],
        )  # fmt: skip

    if pool is None:
        count(slice(None))
    else:
        starts = range(0, len(maps), _COUNTED_TOGETHER)
        list(pool.map(count, [slice(start, start + _COUNTED_TOGETHER) for start in starts]))
    if len(partial) < len(wanted):
        top = np.concatenate([top, grid.pixels[image_of_map, None]], axis=1)
    return RegionCounts(full, top)


def top_pixels(percent: float) -> int:
    """Return how many pixels of the grid the top `percent` are."""
    return round(percent / 100 * schema.GRID**2)


def _first_pixels(axis: Resampling) -> NDArray[np.int64]:
    """Return first (cells + 1,): pixels ``first[i]`` to ``first[i + 1]`` mix cells i and i + 1."""
    return np.searchsorted(axis.low, np.arange(axis.cells + 1)).astype(np.int64)


@numba.njit(nogil=True, cache=True)
def _count(
    maps: Any, row: Any, row_share: Any, first_column: Any, column_share: Any, first_row: Any,
    classes: Any, run_ends: Any, image_of_map: Any, threshold: float, wanted: Any, full: Any,
    top: Any,
) -> None:  # fmt: skip
    """Fill `full` and `top` map by map, for numbers of pixels `wanted` that ascend."""
    for n in range(len(maps)):
        own = image_of_map[n]
        _count_full(
            maps[n], row, row_share, first_column, column_share, classes[own], run_ends[own],
            threshold, full[n],
        )  # fmt: skip
        if len(wanted):
            _count_top(
                maps[n], row_share, first_row, column_share, first_column, classes[own], wanted,
                top[n],
            )  # fmt: skip


@numba.njit(cache=True)
def _count_full(
    relevance: Any, row: Any, row_share: Any, first_column: Any, column_share: Any,
    classes: Any, run_ends: Any, threshold: float, full: Any,
) -> None:  # fmt: skip
    """Count the pixels above a threshold by class, stretch by stretch of each row."""
    height, width = relevance.shape
    line = np.empty(width + 1)
    for y in range(len(row)):
        upper, lower, share = row[y], min(row[y] + 1, height - 1), row_share[y]
        for cell in range(width):
            line[cell] = relevance[upper, cell] * (1 - share) + relevance[lower, cell] * share
        line[width] = line[width - 1]
        begin = end = 0
        for cell in range(width):
            left, right = line[cell], line[cell + 1]
            start, stop = first_column[cell], first_column[cell + 1]
            if (left > threshold) != (right > threshold):
                above = 0
                for x in range(start, stop):
                    share = column_share[x]
                    above += left * (1 - share) + right * share > threshold
                if left > threshold:
                    stop = start + above
                else:
                    start = stop - above
            elif left <= threshold:
                continue
            if start > end:
                _count_stretch(begin, end, classes[y], run_ends[y], full)
                begin = start
            end = stop
        _count_stretch(begin, end, classes[y], run_ends[y], full)


@numba.njit(cache=True)
def _count_stretch(begin: int, end: int, classes: Any, run_ends: Any, counts: Any) -> None:
    """Count the pixels from `begin` to `end` of a row, run by run."""
    while begin < end:
        stop: int = min(np.int64(run_ends[begin]), end)  # type: ignore[assignment]
        counts[classes[begin]] += stop - begin
        begin = stop


@numba.njit(cache=True)
def _count_top(
    relevance: Any, row_share: Any, first_row: Any, column_share: Any, first_column: Any,
    classes: Any, wanted: Any, top: Any,
) -> None:  # fmt: skip
    """Count the first `wanted` pixels by class, in order of relevance and then of the grid."""
    size = len(row_share)
    values, places = np.empty(size * size), np.empty(size * size, np.int32)
    pixels_of_bin = np.zeros(_BINS + 1, np.int64)
    sampled = _sample_most_relevant(
        relevance, row_share, first_row, column_share, first_column, wanted[-1],
        values, places, pixels_of_bin,
    )  # fmt: skip
    for step in range(len(wanted) - 1, -1, -1):
        sampled = _count_most_relevant(
            values[:sampled], places[:sampled], pixels_of_bin, classes.ravel(), wanted[step],
            top[step],
        )  # fmt: skip


@numba.njit(cache=True)
def _sample_most_relevant(
    relevance: Any, row_share: Any, first_row: Any, column_share: Any, first_column: Any,
    wanted: int, values: Any, places: Any, pixels_of_bin: Any,
) -> int:  # fmt: skip
    """Sample blocks of pixels, the most relevant first, until no other has a wanted pixel.

    Fills `values`, `places` and `pixels_of_bin`; returns how many pixels were sampled.
    """
    width = relevance.shape[1]
    blocks, first_block = _order_blocks(relevance)
    sampled = reached = 0
    for edge in range(_BINS, -1, -1):
        for block in blocks[first_block[edge] : first_block[edge + 1]]:
            sampled = _sample_block(
                relevance, block // width, block % width, row_share, first_row, column_share,
                first_column, sampled, values, places, pixels_of_bin,
            )  # fmt: skip
        reached += pixels_of_bin[edge]
        if reached >= wanted:
            break
    return sampled


@numba.njit(cache=True)
def _order_blocks(relevance: Any) -> tuple[Any, Any]:
    """Sort the blocks between four cells by the bin of the largest, which bounds their pixels.

    Returns the blocks, each named by its first cell, and where those of each bin begin.
    """
    height, width = relevance.shape
    bins = np.empty(height * width, np.int64)
    first = np.zeros(_BINS + 2, np.int64)
    for y in range(height):
        lower = min(y + 1, height - 1)
        for x in range(width):
            right = min(x + 1, width - 1)
            upper_edge = max(relevance[y, x], relevance[y, right])
            bound = max(upper_edge, relevance[lower, x], relevance[lower, right])
            bins[y * width + x] = int(bound * _BINS)
            first[bins[y * width + x] + 1] += 1
    first = np.cumsum(first)
    free = first.copy()
    blocks = np.empty(height * width, np.int64)
    for block in range(height * width):
        blocks[free[bins[block]]] = block
        free[bins[block]] += 1
    return blocks, first


@numba.njit(cache=True)
def _sample_block(
    relevance: Any, y: int, x: int, row_share: Any, first_row: Any, column_share: Any,
    first_column: Any, sampled: int, values: Any, places: Any, pixels_of_bin: Any,
) -> int:  # fmt: skip
    """Append the pixels between cell (y, x) and the next ones; return how many there are now."""
    size = len(column_share)
    lower, beside = min(y + 1, relevance.shape[0] - 1), min(x + 1, relevance.shape[1] - 1)
    for row in range(first_row[y], first_row[y + 1]):
        share = row_share[row]
        left = relevance[y, x] * (1 - share) + relevance[lower, x] * share
        right = relevance[y, beside] * (1 - share) + relevance[lower, beside] * share
        for column in range(first_column[x], first_column[x + 1]):
            share = column_share[column]
            value = left * (1 - share) + right * share
            values[sampled], places[sampled] = value, row * size + column
            pixels_of_bin[int(value * _BINS)] += 1
            sampled += 1
    return sampled


@numba.njit(cache=True)
def _count_most_relevant(
    values: Any, places: Any, pixels_of_bin: Any, classes: Any, wanted: int, counts: Any
) -> int:
    """Count the `wanted` most relevant pixels by class; ties go by place.

    Moves those that may be among them to the front, and returns how many they are.
    """
    edge, missing = len(pixels_of_bin) - 1, wanted
    while pixels_of_bin[edge] < missing:
        missing -= pixels_of_bin[edge]
        edge -= 1
    in_edge = np.empty(pixels_of_bin[edge], np.int64)
    kept = among = 0
    for pixel in range(len(values)):
        value, place = values[pixel], places[pixel]
        bin_of_pixel = int(value * _BINS)
        if bin_of_pixel >= edge:
            values[kept], places[kept] = value, place
            kept += 1
            if bin_of_pixel > edge:
                counts[classes[place]] += 1
            else:
                # Sorted by these, pixels come by relevance and, where that is equal, by place.
                units_below_next_bin = int(((edge + 1) / _BINS - value) * _UNITS)
                in_edge[among] = units_below_next_bin * len(classes) + place
                among += 1
    for key in np.sort(in_edge)[:missing]:
        counts[classes[key % len(classes)]] += 1
    return kept


@numba.njit(nogil=True, cache=True)
def _find_runs(classes: Any, run_ends: Any, pixels: Any) -> None:
    """Fill `run_ends`, and `pixels` with the number of pixels of each class."""
    size = classes.shape[2]
    for image in range(len(classes)):
        for y in range(classes.shape[1]):
            end = size
            for x in range(size - 1, -1, -1):
                if x < size - 1 and classes[image, y, x] != classes[image, y, x + 1]:
                    end = x + 1
                run_ends[image, y, x] = end
                pixels[image, classes[image, y, x]] += 1
