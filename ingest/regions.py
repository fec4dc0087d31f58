"""From map to facial region: how many of a map's activated pixels lie on each of the 19 classes.

Maps go up bilinearly to the 512 x 512 grid over the chip, and labels are brought there from the
crop; then pixels are counted (arXiv 2509.17457, section 3.2). Counts are (..., 20): the regions
in the order of their labels, and last what the parser left unlabelled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leamstore import geometry, schema
from leamstore.geometry import Affine, resampling_matrix

CLASSES: Final = len(schema.REGIONS) + 1
"""The regions, and one more for unlabelled pixels."""


@dataclass(frozen=True)
class Upsampling:
    """The bilinear way from a layer's cells up to the grid over its chip.

    Attributes
    ----------
    rows, columns : Tensor
        (512, height) and (512, width) weights; a map M goes up as ``rows @ M @ columns.T``.
    """

    rows: Tensor
    columns: Tensor

    @classmethod
    def of_layer(
        cls, size: tuple[int, int], stride: float, offset: float, input_size: int
    ) -> "Upsampling":
        """Make the way up from a layer of `size` cells (height, width)."""
        rows, columns = (
            torch.from_numpy(resampling_matrix(cells, stride, offset, input_size, schema.GRID))
            for cells in size
        )
        return cls(rows, columns)

    def __call__(self, maps: Tensor) -> Tensor:
        """Carry maps (n, height, width) up to (n, 512, 512) float32."""
        return self.rows.to(maps.device) @ maps.float() @ self.columns.to(maps.device).T


def labels_on_chip(
    labels: NDArray[np.uint8], chip_to_crop: Affine, input_size: int
) -> NDArray[np.uint8]:
    """Bring the labels of a crop to the grid over a chip, each pixel the nearest one's label.

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
        Unlabelled where the chip reaches beyond the crop.
    """
    side = np.arange(schema.GRID, dtype=np.float64)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    to_crop = geometry.compose(chip_to_crop, geometry.scaling(schema.GRID, input_size))
    # A hair is taken off, so that a frame equal to the crop's own gives back the same labels.
    x, y = np.floor(geometry.apply(to_crop, grid) + 0.5 - 1e-9).astype(int).T
    inside = (x >= 0) & (x < schema.GRID) & (y >= 0) & (y < schema.GRID)
    found = np.full(schema.GRID * schema.GRID, schema.UNLABELLED, np.uint8)
    found[inside] = labels[y[inside], x[inside]]
    return found.reshape(schema.GRID, schema.GRID)


def count_full(maps: Tensor, labels: Tensor) -> Tensor:
    """Count the pixels whose relevance exceeds 0.01, by class.

    Parameters
    ----------
    maps : Tensor
        (n, 512, 512) relevance.
    labels : Tensor
        (n, 512, 512) uint8, the labels on the same grid.

    Returns
    -------
    Tensor
        (n, 20) int64.
    """
    classes = _classes(labels) + CLASSES * torch.arange(len(maps), device=maps.device)[
        :, None, None
    ]
    counts = torch.bincount(classes[maps > schema.FULL_THRESHOLD], minlength=CLASSES * len(maps))
    return counts.view(len(maps), CLASSES)


def count_top(maps: Tensor, labels: Tensor, percents: Sequence[float]) -> Tensor:
    """Count the most relevant pixels by class, ties broken by pixel order.

    Parameters
    ----------
    maps, labels : Tensor
        As for `count_full`.
    percents : sequence of float
        Of the grid's 512 x 512 pixels, each rounded to whole pixels; ascending.

    Returns
    -------
    Tensor
        (n, percents, 20) int64.
    """
    lengths = torch.tensor([top_pixels(percent) for percent in percents], device=maps.device)
    counts = [
        _count_most_relevant(relevance, classes, lengths)
        for relevance, classes in zip(maps.flatten(1), _classes(labels).flatten(1), strict=True)
    ]
    return torch.stack(counts)


def top_pixels(percent: float) -> int:
    """Return how many pixels of the grid the top `percent` are."""
    return round(percent / 100 * schema.GRID * schema.GRID)


def _classes(labels: Tensor) -> Tensor:
    return labels.long().clamp(max=CLASSES - 1)


def _count_most_relevant(relevance: Tensor, classes: Tensor, lengths: Tensor) -> Tensor:
    """Count classes (lengths, 20) within the first `lengths` pixels in order of relevance."""
    partial = lengths[lengths < len(relevance)]
    places = _most_relevant(relevance, int(partial.max()) if len(partial) else 0)
    # A pixel counts for the first length that takes it in, and so for all longer ones.
    first = torch.searchsorted(partial, torch.arange(len(places), device=partial.device), right=True)
    added = torch.bincount(first * CLASSES + classes[places], minlength=CLASSES * len(partial))
    counts = added.view(len(partial), CLASSES).cumsum(0)
    everything = torch.bincount(classes, minlength=CLASSES)
    return torch.cat([counts, everything.expand(len(lengths) - len(partial), CLASSES)])


def _most_relevant(relevance: Tensor, count: int) -> Tensor:
    """Return the places of the `count` largest values, largest first, ties by place."""
    if count == 0:
        return torch.empty(0, dtype=torch.long, device=relevance.device)
    threshold = torch.topk(relevance, count, sorted=False).values.min()
    candidates = torch.nonzero(relevance >= threshold).squeeze(1)
    order = torch.argsort(relevance[candidates], descending=True, stable=True)
    return candidates[order[:count]]
