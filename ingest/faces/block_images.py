"""The photographs of a block of identities, read and cut into crops and chips.

Where a photograph is gone, its chips are cut from the crop that the lake keeps: sampled twice, and
so a little smoother.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingest.faces.chips import chip_to_image, warp
from ingest.photographs.decoding import read_photograph
from ingest.photographs.fingerprint import is_unchanged
from leamstore import geometry, schema
from leamstore.arrays.blocks import Block
from leamstore.errors import LeamError, UnusableImageError
from leamstore.geometry import Affine, Points

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")

ChipKind = tuple[str, int]
"""Alignment and side in pixels of a model's chip."""


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
        The block's rows of the table images, in the order of their image_ids, without those of
        which neither the photograph nor a crop is there.
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


ReadCrop = Callable[[int], NDArray[np.uint8] | None]
"""Returns the crop (512, 512, 3) that a lake keeps of an image_id, if it does."""


def load_blocks(
    blocks: Iterable[tuple[Block, pl.DataFrame]],
    kinds: Iterable[ChipKind],
    workers: int,
    read_crop: ReadCrop,
) -> Iterator[LoadedBlock]:
    """Load one block after the other, the next one while the last is being worked on."""
    kinds = sorted(set(kinds))
    with ThreadPoolExecutor(workers) as readers:
        yield from _one_ahead(lambda one: _load_block(*one, kinds, readers, read_crop), blocks)


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
    block: Block,
    images: pl.DataFrame,
    kinds: list[ChipKind],
    readers: ThreadPoolExecutor,
    read_crop: ReadCrop,
) -> LoadedBlock:
    crop_to_image = images["crop_to_image"].to_numpy()
    ways = np.stack([crop_to_image, *chips_to_image(images, kinds)], axis=1)
    sizes = [schema.GRID, *(size for _, size in kinds)]
    cut = list(
        readers.map(
            lambda row, own: _cut(row, own, sizes) or _cut_from_crop(row, own, sizes, read_crop),
            images.to_dicts(),
            ways,
        )
    )
    there = [place for place, squares in enumerate(cut) if squares]
    images, ways, crop_to_image = images[there], ways[there], crop_to_image[there]
    crops, *pixels = _stacked([cut[place] for place in there], sizes)
    image_to_crop = geometry.invert(crop_to_image)
    return LoadedBlock(
        block=block,
        images=images,
        crops=crops,
        landmarks=geometry.apply(image_to_crop, images["landmarks"].to_numpy()),
        chips=_laid_on_crop(image_to_crop, kinds, pixels, list(ways.swapaxes(0, 1)[1:])),
    )


def _load_chips(
    images: pl.DataFrame, kinds: list[ChipKind], readers: ThreadPoolExecutor
) -> Mapping[ChipKind, Chips]:
    ways = chips_to_image(images, kinds)
    sizes = [size for _, size in kinds]
    cut = list(
        readers.map(
            lambda row, own: _cut(row, own, sizes), images.to_dicts(), np.stack(ways, axis=1)
        )
    )
    missing = [path for path, squares in zip(images["path"], cut, strict=True) if not squares]
    if missing:
        raise LeamError(f"{missing[0]} was there a moment ago and can't be read now.")
    image_to_crop = geometry.invert(images["crop_to_image"].to_numpy())
    return _laid_on_crop(image_to_crop, kinds, _stacked(cut, sizes), ways)


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


def _stacked(
    cut: Sequence[list[NDArray[np.uint8]]], sizes: Sequence[int]
) -> list[NDArray[np.uint8]]:
    """Return the squares (image, size, size, 3) of each size."""
    if not cut:
        return [np.empty((0, size, size, 3), np.uint8) for size in sizes]
    return [np.stack(pixels) for pixels in zip(*cut, strict=True)]


def _cut(row: Mapping[str, Any], ways: Affine, sizes: Sequence[int]) -> list[NDArray[np.uint8]]:
    """Read one photograph and cut squares of each size from it; none if it isn't there any more."""
    path = Path(row["path"])
    if not path.exists():
        return []
    if not is_unchanged(path, row["bytes"], row["modified"]):
        raise LeamError(f"{path} has changed since it was looked at: run ingest again.")
    try:
        photograph = read_photograph(path)
    except UnusableImageError as error:
        raise LeamError(f"{path} was there a moment ago and can't be read now: {error}") from error
    return [warp(photograph, to_image, size) for to_image, size in zip(ways, sizes, strict=True)]


def _cut_from_crop(
    row: Mapping[str, Any], ways: Affine, sizes: Sequence[int], read_crop: ReadCrop
) -> list[NDArray[np.uint8]]:
    """Return the crop and the squares cut from it; none if there is no crop."""
    crop = read_crop(row["image_id"])
    if crop is None:
        return []
    image_to_crop = geometry.invert(np.asarray(row["crop_to_image"], dtype=float))
    chips = [
        warp(crop, geometry.compose(image_to_crop, to_image), size)
        for to_image, size in zip(ways[1:], sizes[1:], strict=True)
    ]
    return [crop, *chips]
