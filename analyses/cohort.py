"""Cohorts: people and images of a lake to which a question is limited, drawn with a seed.

Every person has the same chance, however many images there are of them.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leamstore.lake import Lake

MOST_IMAGES: Final = 1000
"""Number of images after which no further identity is drawn for a comparison of maps."""

MOST_OF_ONE: Final = 50
"""Most images of one identity whose maps are compared, drawn if there are more."""


def draw_images(lake: Lake, models: Sequence[str], seed: int) -> pl.DataFrame:
    """Return images on which all of these models were run, of people with two images at least.

    Returns
    -------
    polars.DataFrame
        Rows of the table images with chip_to_crop, in the order of their image_ids.
        Of a larger lake, `MOST_IMAGES` and `MOST_OF_ONE` are drawn.
    """
    images = lake.sql(
        "SELECT images.*, chip_to_crop FROM images JOIN "
        "(SELECT image_id, any_value(chip_to_crop) AS chip_to_crop FROM embeddings "
        " WHERE model IN (SELECT unnest(?)) GROUP BY image_id HAVING count(*) = ?) "
        "USING (image_id) WHERE status = 'kept' ORDER BY image_id",
        [list(models), len(models)],
    ).filter(pl.len().over("identity") > 1)
    return draw_identities(draw_of_each(images, MOST_OF_ONE, seed), MOST_IMAGES, seed)


def draw_identities(images: pl.DataFrame, most: int, seed: int) -> pl.DataFrame:
    """Draw whole identities until they have `most` images; the images keep their order.

    The identity that reaches `most` is drawn as well, and at least two are, since every person is
    compared with strangers.

    Parameters
    ----------
    images : polars.DataFrame
        With the column identity.
    """
    sizes = images.group_by("identity").len().sort("identity")
    drawn = sizes.sample(fraction=1, shuffle=True, seed=seed).with_row_index("place")
    before = pl.col("len").cum_sum() - pl.col("len")
    chosen = drawn.filter((before < most) | (pl.col("place") < 2))
    return images.join(chosen, on="identity", how="semi", maintain_order="left")


def draw_of_each(images: pl.DataFrame, most: int, seed: int) -> pl.DataFrame:
    """Draw `most` images of each identity that has more; the images keep their order."""
    lots = pl.int_range(pl.len()).shuffle(seed).over("identity")
    return images.filter(lots < most)


def embedded_models(lake: Lake) -> list[dict[str, Any]]:
    """Return the rows of the models that were run, by name."""
    return lake.sql(
        "SELECT * FROM models WHERE model IN (SELECT model FROM embeddings) ORDER BY model"
    ).to_dicts()


def number_people(identities: pl.Series) -> NDArray[np.int64]:
    """Return the number (n,) of each image's identity, from 0 in the order of their names."""
    return identities.rank("dense").to_numpy().astype(np.int64) - 1
