"""Faces warped to one canonical pose, so that their pixels can be compared.

In the canonical frame two images differ by whose face they show and by how the head is turned.
So pairs of one person are compared with pairs of strangers that differ as much in pose.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analyses.cohort import number_people
from analyses.likeness import Pairs
from analyses.similarity import groups
from leamstore.geometry import Points
from leamstore.layers import CellGrid, Maps
from leamstore.poses import Poses

SIZE: Final = 112
"""Side of the grid over the canonical frame, in pixels."""

MOST_PAIRS: Final = 10_000
"""Most pairs of one person, and most pairs of strangers among which matches are sought."""


@dataclass(frozen=True)
class CanonicalFaces:
    """Images, the number of each one's identity, from 0, and their poses."""

    image_ids: NDArray[np.int64]
    people: NDArray[np.int64]
    poses: Poses

    @classmethod
    def of(cls, images: pl.DataFrame) -> Self:
        """Read the poses of faces from rows as `analyses.cohort.draw_images` returns them."""
        return cls(
            image_ids=images["image_id"].to_numpy().astype(np.int64),
            people=number_people(images["identity"]),
            poses=Poses.of(images),
        )

    @property
    def landmarks(self) -> Points:
        """The landmarks (n, 51, 2) in pixels of the canonical frame."""
        return self.poses.landmarks_in("canonical")

    def lay(self, values: NDArray[Any], grid: CellGrid, places: slice | NDArray[np.int64]) -> Maps:
        """Resample values (k, y, x) over the chips of faces at `places` to the canonical grid."""
        return self.poses[places].carry(values, grid, "canonical", SIZE)

    def matched_pairs(self, seed: int) -> tuple[Pairs, Pairs]:
        """Return pairs of one person, and row by row those of strangers matched in pose."""
        drawn = groups.draw_pairs(np.arange(len(self.people)), self.people, MOST_PAIRS, seed)
        return groups.match_poses(drawn["identity"], drawn["strangers"], self.landmarks)
