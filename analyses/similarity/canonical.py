"""Faces brought to one pose, so that what is known of their pixels can be compared.

In the canonical frame two images differ by whose face they show and by how the head is turned.
So pairs of one person are compared with pairs of strangers that differ as much in pose.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analyses.likeness import Pairs
from analyses.similarity import groups
from leamstore import geometry
from leamstore.frames import Maps, Poses, lay_on_grid
from leamstore.geometry import Affine, Points
from leamstore.pose import INNER

SIZE: Final = 112
"""Side of the grid over the canonical frame, in pixels."""

MOST_PAIRS: Final = 10_000
"""Pairs of one person, and of strangers from which they are matched."""


@dataclass(frozen=True)
class CanonicalFaces:
    """Images of one kind of chip, and how each lies in the canonical frame.

    Attributes
    ----------
    image_ids : (n,) int64
    people : (n,) int64
        Number of each image's identity, from 0.
    landmarks : (n, 51, 2) float64
        In pixels of the canonical frame.
    grid_to_chip : (n, 2, 3) float64
        From pixels of the grid to pixels of the chip.
    input_size : int
        Side of the chip in pixels.
    """

    image_ids: NDArray[np.int64]
    people: NDArray[np.int64]
    landmarks: Points
    grid_to_chip: Affine
    input_size: int

    @classmethod
    def of(cls, images: pl.DataFrame, input_size: int) -> "CanonicalFaces":
        """Read where faces lie from rows as `analyses.cohort.draw_images` returns them."""
        names = ("chip_to_crop", "crop_to_identity", "crop_to_canonical")
        poses = Poses(**{name: _affines(images[name]) for name in names})
        image_to_crop = geometry.invert(_affines(images["crop_to_image"]))
        to_canonical = geometry.compose(poses.crop_to_canonical, image_to_crop)
        return cls(
            image_ids=images["image_id"].to_numpy().astype(np.int64),
            people=images["identity"].rank("dense").to_numpy().astype(np.int64) - 1,
            landmarks=geometry.apply(to_canonical, images["landmarks"].to_numpy())[:, INNER],
            grid_to_chip=poses.grid_to_chip("canonical", SIZE, input_size),
            input_size=input_size,
        )

    def lay(
        self, values: NDArray[Any], stride: float, offset: float, places: slice | NDArray[np.int64]
    ) -> Maps:
        """Lay values (k, y, x) over the chips of the faces at `places` on the grid.

        Cell i is centred at chip pixel ``stride * i + offset``; pixels of the chip itself have
        stride 1 and offset 0.
        """
        to_chip = self.grid_to_chip[places]
        return lay_on_grid(values, to_chip, stride, offset, self.input_size, SIZE)

    def matched_pairs(self, seed: int) -> tuple[Pairs, Pairs]:
        """Return pairs of one person, and row by row those of strangers matched in pose."""
        drawn = groups.draw_pairs(np.arange(len(self.people)), self.people, MOST_PAIRS, seed)
        return groups.match_poses(drawn["identity"], drawn["strangers"], self.landmarks)


def _affines(column: pl.Series) -> Affine:
    return column.to_numpy().astype(np.float64)
