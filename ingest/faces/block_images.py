"""Photographs of a block of identities, read and cut into crops and chips."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingest.faces.chips import chip_to_image, warp
from ingest.photographs.decoding import read_photograph
from leamstore import geometry, schema
from leamstore.arrays.blocks import Block
from leamstore.errors import LeamError, UnusableImageError
from leamstore.geometry import Affine, Points

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")

ChipKind = tuple[str, int]
"""Alignment and side in pixels: what a model's chip is."""


@dataclass(frozen=True)
class Chips:
    """One kind of chip of each image.

    Attributes
    ----------
    pixels : (image, h, w, 3) uint8
    to_crop : (image, 2, 3) float64
        From pixels of the chip to pixels of the crop.
    """

    pixels: NDArray[np.uint8]
    to_crop: Affine


@dataclass(frozen=True)
class LoadedBlock:
    """A block's images, read.

    Attributes
    ----------
    images : polars.DataFrame
        The block's rows of the table images, in the order of their image_ids.
    crops : (image, 512, 512, 3) uint8
    landmarks : (image, 68, 2) float64
        In crop pixels.
    chips : mapping of ChipKind to Chips
    """

    block: Block
    images: pl.DataFrame
    crops: NDArray[np.uint8]
    landmarks: Points
    chips: Mapping[ChipKind, Chips]


def load_blocks(
    blocks: Iterable[tuple[Block, pl.DataFrame]], kinds: Iterable[ChipKind], workers: int
) -> Iterator[LoadedBlock]:
    """Load one block after the other, the next one while the last is being worked on."""
    kinds = sorted(set(kinds))
    with ThreadPoolExecutor(workers) as readers:
        yield from _one_ahead(lambda one: _load_block(*one, kinds, readers), blocks)


def load_chips(
    parts: Iterable[pl.DataFrame], kinds: Iterable[ChipKind], workers: int
) -> Iterator[Mapping[ChipKind, Chips]]:
    """Load the chips alone of some images' rows, then of the next ones', one part ahead."""
    kinds = sorted(set(kinds))
    with ThreadPoolExecutor(workers) as readers:
        yield from _one_ahead(lambda images: _load_chips(images, kinds, readers), parts)


def _one_ahead(load: Callable[[Item], Loaded], items: Iterable[Item]) -> Iterator[Loaded]:
    with ThreadPoolExecutor(1) as ahead:
        waiting = None
        for item in items:
            coming = ahead.submit(load, item)
            if waiting is not None:
                yield waiting.result()
            waiting = coming
        if waiting is not None:
            yield waiting.result()


def _load_block(
    block: Block, images: pl.DataFrame, kinds: list[ChipKind], readers: ThreadPoolExecutor
) -> LoadedBlock:
    crop_to_image = images["crop_to_image"].to_numpy()
    ways = [crop_to_image, *chips_to_image(images, kinds)]
    sizes = [schema.GRID, *(size for _, size in kinds)]
    crops, *pixels = _cut_all(images, ways, sizes, readers)
    image_to_crop = geometry.invert(crop_to_image)
    return LoadedBlock(
        block=block,
        images=images,
        crops=crops,
        landmarks=geometry.apply(image_to_crop, images["landmarks"].to_numpy()),
        chips=_laid_on_crop(image_to_crop, kinds, pixels, ways[1:]),
    )


def _load_chips(
    images: pl.DataFrame, kinds: list[ChipKind], readers: ThreadPoolExecutor
) -> Mapping[ChipKind, Chips]:
    ways = chips_to_image(images, kinds)
    pixels = _cut_all(images, ways, [size for _, size in kinds], readers)
    image_to_crop = geometry.invert(images["crop_to_image"].to_numpy())
    return _laid_on_crop(image_to_crop, kinds, pixels, ways)


def chips_to_image(images: pl.DataFrame, kinds: Iterable[ChipKind]) -> list[Affine]:
    """Return for each kind the affines (image, 2, 3) from its chips' pixels to photographs'."""
    landmarks = images["landmarks"].to_numpy()
    return [
        np.stack([chip_to_image(points, alignment, size) for points in landmarks])
        for alignment, size in kinds
    ]


def _laid_on_crop(
    image_to_crop: Affine,
    kinds: list[ChipKind],
    pixels: Sequence[NDArray[np.uint8]],
    ways: Sequence[Affine],
) -> Mapping[ChipKind, Chips]:
    return {
        kind: Chips(own, geometry.compose(image_to_crop, way))
        for kind, own, way in zip(kinds, pixels, ways, strict=True)
    }


def _cut_all(
    images: pl.DataFrame,
    ways: Sequence[Affine],
    sizes: Sequence[int],
    readers: ThreadPoolExecutor,
) -> list[NDArray[np.uint8]]:
    """Cut squares (image, size, size, 3) of each size, by the ways (image, 2, 3) of their own."""
    cut = readers.map(
        lambda row, to_image: _cut(row, to_image, sizes), images.to_dicts(), np.stack(ways, axis=1)
    )
    return [np.stack(pixels) for pixels in zip(*cut, strict=True)]


def _cut(row: Mapping[str, object], ways: Affine, sizes: Sequence[int]) -> list[NDArray[np.uint8]]:
    """Read one photograph and cut the squares from it."""
    path = Path(str(row["path"]))
    try:
        status = path.stat()
        unchanged = (status.st_size, status.st_mtime_ns) == (row["bytes"], row["modified"])
        photograph = read_photograph(path) if unchanged else None
    except (OSError, UnusableImageError) as error:
        raise LeamError(f"{path} was there a moment ago and can't be read now: {error}") from error
    if photograph is None:
        raise LeamError(f"{path} has changed since it was looked at: run ingest again.")
    return [warp(photograph, to_image, size) for to_image, size in zip(ways, sizes, strict=True)]
