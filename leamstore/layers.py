"""Layers of a lake: positions of their cells on the chip, and their maps by image."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leamstore import arrays, geometry
from leamstore.arrays import SHARD_IMAGES
from leamstore.errors import LakeError
from leamstore.geometry import Resampling
from leamstore.storage import Location

if TYPE_CHECKING:
    import zarr

Maps = NDArray[np.float32]
"""(n, y, x) maps, at a layer's own resolution or on a grid."""


@dataclass(frozen=True)
class CellGrid:
    """Positions of a layer's cells: cell i is centred at pixel ``stride * i + offset`` of the chip.

    Attributes
    ----------
    height, width : int
        Cells along each axis.
    stride, offset : float
        In pixels of the chip, the same along both axes.
    input_size : int
        Side of the chip in pixels.
    """

    height: int
    width: int
    stride: float
    offset: float
    input_size: int

    @classmethod
    def of_chip(cls, size: int) -> Self:
        """Return the grid whose cells are the pixels of a chip."""
        return cls(size, size, 1.0, 0.0, size)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    def resamplings(self, size: int) -> tuple[Resampling, Resampling]:
        """Return interpolations of rows and columns to a grid of `size` pixels over the chip."""
        rows, columns = (
            geometry.resample(cells, self.stride, self.offset, self.input_size, size)
            for cells in self.shape
        )
        return rows, columns

    def weights(self, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the weights R (size, height) and C (size, width): a map M becomes R @ M @ C.T."""
        rows, columns = self.resamplings(size)
        return rows.matrix, columns.matrix

    def resample(self, maps: NDArray[np.floating], size: int) -> NDArray[np.floating]:
        """Resample maps bilinearly to a grid of `size` pixels over the chip.

        Parameters
        ----------
        maps : (..., height, width)
        size : int
            Side of the grid, which covers the chip edge to edge. Beyond the outermost cell
            centres a map continues with their value.

        Returns
        -------
        (..., size, size)
            float64 for maps in float64, and float32 for others.
        """
        precision = np.result_type(maps, np.float32)
        rows, columns = (weights.astype(precision) for weights in self.weights(size))
        return np.asarray(rows @ maps.astype(precision) @ columns.T)


@dataclass(frozen=True)
class Layer:
    """A layer of a model in a lake, whose maps are read by image.

    Attributes
    ----------
    store : Path or ObjectPath
        The Zarr store of the maps.
    model, name : str
    position : int
        0 is the layer nearest to the input.
    grid : CellGrid
    """

    store: Location
    model: str
    name: str
    position: int
    grid: CellGrid

    def read(self, image_ids: ArrayLike) -> Maps:
        """Return the maps (image, y, x) of images, each the mean over the image's positives.

        Parameters
        ----------
        image_ids : (image,) int
            In any order, also repeated. A map is NaN where the layer holds none of that image.

        Raises
        ------
        MissingArrayError
            If the store lacks the layer.
        LakeError
            If the stored array doesn't fit the layer.
        """
        return self._read("relevance", image_ids)

    def read_pairs(self, pair_ids: ArrayLike) -> Maps:
        """Return the maps (pair, y, x) of kept pairs, as `read` does those of images."""
        return self._read("pair_relevance", pair_ids)

    def mean_map(self, image_ids: ArrayLike) -> NDArray[np.float64]:
        """Return the mean map (y, x) of images; memory holds the maps of one shard at a time."""
        ids = np.asarray(image_ids, np.int64)
        total = np.zeros(self.grid.shape)
        for part in _by_shard(ids, SHARD_IMAGES):
            total += self.read(ids[part]).sum(0, np.float64)
        return total / len(ids)

    def open(self, name: str = "relevance") -> "zarr.Array":
        """Open one of the layer's two arrays of maps.

        Raises
        ------
        MissingArrayError
            If the store lacks it.
        LakeError
            If it doesn't fit the layer.
        """
        stored = arrays.open_array(self.store, f"{self.model}/{self.name}/{name}")
        # Metadata may claim anything, and maps of that size would be made in memory.
        shard = stored.shards or stored.chunks
        stated = (shard[0] if name == "pair_relevance" else SHARD_IMAGES, *self.grid.shape)
        if stored.dtype != np.float16 or shard != stated:
            raise LakeError(
                f"{self.store / stored.path} has other shards than {stated} float16: "
                "run `python -m leamstore verify`."
            )
        return stored

    def _read(self, name: str, ids: ArrayLike) -> Maps:
        stored, ids = self.open(name), np.asarray(ids, np.int64)
        rows = np.full((len(ids), *stored.shape[1:]), np.nan, np.float32)
        held = np.flatnonzero((ids >= 0) & (ids < stored.shape[0]))
        per_shard = (stored.shards or stored.chunks)[0]
        for part in _by_shard(ids[held], per_shard):
            places = held[part]
            # To read a whole shard takes about as long as to read two of its maps.
            first, count = ids[places[0]], 1
            if len(places) > 1:
                first, count = first // per_shard * per_shard, per_shard
            rows[places] = np.asarray(stored[first : first + count])[ids[places] - first]
        return rows


def take_top(maps: Maps, percent: float) -> Maps:
    """Return the maps (n, y, x) with all but their `top_pixels` set to 0."""
    return np.where(top_pixels(maps, percent), maps, 0)


def top_pixels(maps: NDArray[np.floating], percent: float) -> NDArray[np.bool_]:
    """Return a mask of the most relevant percent of each map's pixels, (n, y, x).

    Ties at the border are broken by pixel order, row by row; round(percent / 100 * pixels)
    pixels are taken.
    """
    flat = maps.reshape(len(maps), -1)
    count = round(percent / 100 * flat.shape[1])
    if count >= flat.shape[1]:
        return np.ones(maps.shape, bool)
    # Maps are mostly low: partition finds a border far quicker from the side where few lie.
    border = -np.partition(-flat, count - 1, axis=1)[:, count - 1, None]
    taken = flat >= border
    crowded = np.flatnonzero(np.count_nonzero(taken, axis=1) > count)
    above, ties = flat[crowded] > border[crowded], flat[crowded] == border[crowded]
    wanted = count - above.sum(1, keepdims=True)
    taken[crowded] = above | (ties & (ties.cumsum(1) <= wanted))
    return taken.reshape(maps.shape)


def normalise(maps: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return non-negative maps scaled to sum to 1, in float64; an all-zero map stays zero."""
    total = maps.sum((1, 2), keepdims=True, dtype=np.float64)
    return np.divide(maps, total, out=np.zeros(maps.shape), where=total > 0)


def _by_shard(ids: NDArray[np.int64], per_shard: int) -> Iterator[NDArray[np.int64]]:
    """Yield the places of ids, shard by shard."""
    order = np.argsort(ids, kind="stable")
    borders = np.flatnonzero(np.diff(ids[order] // per_shard)) + 1
    yield from np.split(order, borders) if len(ids) else ()
