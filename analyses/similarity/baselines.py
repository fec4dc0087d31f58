"""Baselines without a network: an image's edges and pixels, compared as if they were maps.

A pattern that the photograph itself shows as well is no finding about a recogniser.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from skimage.color import rgb2gray
from skimage.filters import sobel

from analyses.rerun.chips import chip_source, read_chips
from analyses.similarity.canonical import SIZE, CanonicalFaces
from ingest.faces.block_images import ChipKind
from leamstore.lake import Lake
from leamstore.layers import CellGrid, Maps

Chips = NDArray[np.uint8]
"""(image, y, x, 3) RGB."""


def edges(chips: Chips) -> NDArray[np.float32]:
    """Return the magnitude of Sobel's gradient of the brightness (image, y, x), 0 to 1."""
    return np.stack([sobel(bright) for bright in pixels(chips)]).astype(np.float32)


def pixels(chips: Chips) -> NDArray[np.float32]:
    """Return the brightness (image, y, x), 0 to 1."""
    return rgb2gray(chips).astype(np.float32)


BASELINES: Final[dict[str, Callable[[Chips], NDArray[np.float32]]]] = {
    "edges": edges,
    "pixels": pixels,
}
"""The baselines by name."""


def lay_baselines(
    lake: Lake, images: pl.DataFrame, faces: CanonicalFaces, kind: ChipKind
) -> dict[str, Maps]:
    """Return each baseline of the images' chips in the canonical frame (image, y, x).

    Parameters
    ----------
    images : polars.DataFrame
        Rows of the table images: whole identities, in the order of `faces`.
    kind : (alignment, size)
        The chips: of the models with which the baselines are to be compared, so that both see
        the same part of a photograph.

    Raises
    ------
    LackingError
        If neither the photographs nor their crops are there.
    """
    laid = {name: np.empty((images.height, SIZE, SIZE), np.float32) for name in BASELINES}
    for places, chips in chips_of(lake, images, kind):
        for name, baseline in BASELINES.items():
            laid[name][places] = faces.lay(baseline(chips), CellGrid.of_chip(kind[1]), places)
    return laid


def chips_of(
    lake: Lake, images: pl.DataFrame, kind: ChipKind
) -> Iterator[tuple[NDArray[np.int64], Chips]]:
    """Yield the chips of images, block by block, with their positions among the images."""
    for block in read_chips(lake, images, {kind}, chip_source(lake, images)):
        yield block.places, block.chips[kind].pixels
