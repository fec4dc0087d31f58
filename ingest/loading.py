"""Photographs of a block of identities, read and cut into crops and chips."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingest.faces import chip_to_image, warp
from ingest.photographs import read_photograph
from leamstore import geometry, schema
from leamstore.blocks import Block
from leamstore.errors import LeamError, UnusableImageError
from leamstore.geometry import Affine, Points

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
    with ThreadPoolExecutor(workers) as readers, ThreadPoolExecutor(1) as ahead:
        waiting = None
        for block, images in blocks:
            coming = ahead.submit(_load_block, block, images, kinds, readers)
            if waiting is not None:
                yield waiting.result()
            waiting = coming
        if waiting is not None:
            yield waiting.result()


def _load_block(
    block: Block, images: pl.DataFrame, kinds: list[ChipKind], readers: ThreadPoolExecutor
) -> LoadedBlock:
    landmarks = images["landmarks"].to_numpy()
    crop_to_image = images["crop_to_image"].to_numpy()
    ways = np.stack(
        [
            crop_to_image,
            *(
                np.stack([chip_to_image(points, alignment, size) for points in landmarks])
                for alignment, size in kinds
            ),
        ],
        axis=1,
    )
    sizes = [schema.GRID, *(size for _, size in kinds)]
    cut = list(
        readers.map(lambda row, to_image: _cut(row, to_image, sizes), images.to_dicts(), ways)
    )
    crops, *chips = (np.stack(pixels) for pixels in zip(*cut, strict=True))
    image_to_crop = geometry.invert(crop_to_image)
    return LoadedBlock(
        block=block,
        images=images,
        crops=crops,
        landmarks=geometry.apply(image_to_crop, landmarks),
        chips={
            kind: Chips(pixels, geometry.compose(image_to_crop, ways[:, 1 + place]))
            for place, (kind, pixels) in enumerate(zip(kinds, chips, strict=True))
        },
    )


def _cut(
    row: Mapping[str, object], ways: NDArray[np.float64], sizes: list[int]
) -> list[NDArray[np.uint8]]:
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
