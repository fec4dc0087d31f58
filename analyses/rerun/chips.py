"""Chips as the networks saw them, read again from the photographs or from the lake's crops.

From photographs that haven't changed they are the ingest's chips to the bit. From the crops they
are sampled twice, and so a little smoother.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analyses.question import LackingError
from ingest.faces.block_images import ChipKind, Chips, chips_to_image, load_chips
from ingest.faces.chips import warp
from ingest.photographs.decoding import read_photograph
from ingest.photographs.fingerprint import is_unchanged
from leamstore import arrays, geometry
from leamstore.arrays.blocks import Block, blocks_of
from leamstore.geometry import Affine
from leamstore.lake import Lake
from leamstore.tables import ledger

Source = Literal["photographs", "crops"]

_READERS: Final = 2


class ChipBlock(NamedTuple):
    """The chips of a block of whole identities, and the images' places among those asked for."""

    places: NDArray[np.int64]
    chips: Mapping[ChipKind, Chips]


def chip_source(lake: Lake, images: pl.DataFrame) -> Source:
    """Return the source from which the chips of images can be read.

    Raises
    ------
    LackingError
        If a photograph has gone or changed, and the lake holds no crops.
    """
    files = images.select("path", "bytes", "modified").iter_rows()
    if all(is_unchanged(Path(path), size, modified) for path, size, modified in files):
        return "photographs"
    if lake.settings.crops:
        return "crops"
    raise LackingError(
        f"{lake.path} holds no crops, and some of its photographs have gone or changed: "
        "bring them back, or run `python -m ingest` on what is there."
    )


def read_chips(
    lake: Lake, images: pl.DataFrame, kinds: set[ChipKind], source: Source
) -> Iterator[ChipBlock]:
    """Yield the chips of images, block by block.

    Parameters
    ----------
    images : polars.DataFrame
        Rows of the table images, whole identities, in the order of their image_ids.
    kinds : set of (alignment, size)
    """
    blocks = [(block, ledger.block_images(images, block)) for block in blocks_of(images)]
    places = {image_id: place for place, image_id in enumerate(images["image_id"])}
    if source == "photographs":
        read = load_chips([own for _, own in blocks], kinds, _READERS)
    else:
        read = (_cut_from_crops(lake, block, own, kinds) for block, own in blocks)
    for (_, own), chips in zip(blocks, read, strict=True):
        yield ChipBlock(np.array([places[image_id] for image_id in own["image_id"]]), chips)


def cut_squares(
    lake: Lake, images: pl.DataFrame, to_image: Affine, size: int, source: Source
) -> NDArray[np.uint8]:
    """Return squares cut from images in several ways: (image, way, size, size, 3).

    Parameters
    ----------
    images : polars.DataFrame
        Rows of the table images.
    to_image : (image, way, 2, 3)
        Affines from the squares' pixels to those of the photographs.
    size : int
        Side of the squares in pixels.
    """
    if source == "photographs":
        pictures = (read_photograph(Path(path)) for path in images["path"])
        ways = to_image
    else:
        crops = arrays.open_array(lake.faces_path, "crop")
        # One by one: Zarr takes seconds to choose several from a shard.
        pictures = (np.asarray(crops[image_id]) for image_id in images["image_id"])
        image_to_crop = geometry.invert(images["crop_to_image"].to_numpy())
        ways = geometry.compose(image_to_crop[:, None], to_image)
    return np.stack([
        np.stack([warp(picture, way, size) for way in own])
        for picture, own in zip(pictures, ways, strict=True)
    ])  # fmt: skip


def _cut_from_crops(
    lake: Lake, block: Block, images: pl.DataFrame, kinds: set[ChipKind]
) -> dict[ChipKind, Chips]:
    stored = np.asarray(arrays.open_array(lake.faces_path, "crop")[block.start : block.stop])
    crops = stored[images["image_id"].to_numpy() - block.start]
    image_to_crop = geometry.invert(images["crop_to_image"].to_numpy())
    cut = {}
    for kind, to_image in zip(kinds, chips_to_image(images, kinds), strict=True):
        to_crop = geometry.compose(image_to_crop, to_image)
        pixels = [warp(crop, affine, kind[1]) for crop, affine in zip(crops, to_crop, strict=True)]
        cut[kind] = Chips(np.stack(pixels), to_crop)
    return cut
