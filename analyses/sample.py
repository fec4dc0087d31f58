"""Sample of people and images to show to a reader, drawn with a seed."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from analyses.question import LackingError
from leamstore import arrays
from leamstore.lake import Lake
from leamstore.schema import GRID

PEOPLE: Final = 6
IMAGES_EACH: Final = 6


@dataclass(frozen=True)
class Faces:
    """The drawn faces, person by person.

    Attributes
    ----------
    images : polars.DataFrame
        Their rows of the table images.
    crops : (n, size, size, 3) uint8
    labels : (n, size, size) uint8
        The parser's, as positions in `leamstore.schema.REGIONS`.
    """

    images: pl.DataFrame
    crops: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    @property
    def size(self) -> int:
        """Side of the pictures in pixels."""
        return self.crops.shape[1]


def draw_images(images: pl.DataFrame, seed: int, people: int = PEOPLE) -> pl.DataFrame:
    """Draw people, and `IMAGES_EACH` of each; a person's images keep their order in the lake.

    Parameters
    ----------
    images : polars.DataFrame
        Rows of the table images.
    """
    generator = np.random.default_rng(seed)
    identities = images["identity"].unique().sort()
    drawn = generator.permutation(len(identities))[:people]
    parts = []
    for identity in identities.gather(np.sort(drawn)):
        own = images.filter(identity=identity).sort("image_id")
        chosen = np.sort(generator.permutation(own.height)[:IMAGES_EACH])
        parts.append(own[chosen])
    return pl.concat(parts)


def read_faces(lake: Lake, seed: int, size: int) -> Faces:
    """Draw faces from a lake and read them, `size` pixels wide.

    Raises
    ------
    LackingError
        If the lake holds no images, or no face crops.
    """
    if lake.images.is_empty():
        raise LackingError(f"{lake.path} holds no images yet: run `python -m ingest`.")
    if not lake.settings.crops:
        raise LackingError(
            f"{lake.path} holds no face crops to draw maps on: make another lake by "
            "`python -m ingest` with `--crops`."
        )
    images = draw_images(lake.images, seed)
    places = images["image_id"].to_numpy()
    crops, labels = (
        np.asarray(arrays.open_array(lake.faces_path, name).oindex[places])
        for name in ("crop", f"labels/{lake.settings.parser}")
    )
    smaller = [
        np.asarray(Image.fromarray(crop).resize((size, size), Image.Resampling.LANCZOS))
        for crop in crops
    ]
    nearest = ((np.arange(size) + 0.5) * GRID / size).astype(np.int64)
    return Faces(images, np.stack(smaller), labels[:, nearest][:, :, nearest])
