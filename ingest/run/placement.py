"""Where each identity's images go on the lake's axis, and in which pose they stand."""

import numpy as np
import polars as pl

from ingest.faces.survey import as_frame
from leamstore import geometry, poses
from leamstore.arrays import SHARD_IMAGES
from leamstore.arrays.blocks import place


def place_images(images: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Give every identity that waits a place of its own after all that has been placed.

    An identity that was placed already and got other images moves as a whole, so that its
    images lie together; those of others stay where they are.

    Parameters
    ----------
    images : polars.DataFrame
        The whole table ``images``.
    seed : int
        Seed of the draw of each identity's reference image.

    Returns
    -------
    polars.DataFrame
        The new rows of all images of the identities that changed.
    """
    usable = images.filter(pl.col("landmarks").is_not_null())
    waiting = usable.filter(pl.col("status") == "pending")["identity"].unique()
    moving = usable.filter(pl.col("identity").is_in(waiting.implode())).sort("identity", "path")
    groups = {
        str(identity): rows
        for (identity,), rows in moving.group_by("identity", maintain_order=True)
    }
    sizes = {identity: rows.height for identity, rows in groups.items() if rows.height > 1}
    shards = images["image_id"].drop_nulls().to_numpy() // SHARD_IMAGES
    places = place(sizes, first_shard=int(shards.max(initial=-1)) + 1)
    rows = [
        _lone(group) if identity not in places else _kept(group, places[identity].first_image, seed)
        for identity, group in groups.items()
    ]
    return pl.concat([as_frame([]), *rows])


def _lone(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(
        image_id=pl.lit(None, pl.Int32),
        status=pl.lit("rejected"),
        reason=pl.lit("lone-image"),
        detail=pl.lit("No other usable image of this identity was found, so it has no positive."),
    )


def _kept(rows: pl.DataFrame, first_image: int, seed: int) -> pl.DataFrame:
    image_to_crop = geometry.invert(rows["crop_to_image"].to_numpy())
    landmarks = geometry.apply(image_to_crop, rows["landmarks"].to_numpy())
    reference = poses.draw_reference(rows["identity"][0], rows["sha256"].to_list(), seed)
    kind = rows.schema["crop_to_image"]
    return rows.with_columns(
        image_id=pl.int_range(first_image, first_image + rows.height, dtype=pl.Int32),
        status=pl.lit("kept"),
        reason=pl.lit(None, pl.String),
        detail=pl.lit(None, pl.String),
        crop_to_identity=_affines(poses.crop_to_identity(landmarks, reference), kind),
        crop_to_canonical=_affines(poses.crop_to_canonical(landmarks), kind),
    )


def _affines(affines: np.ndarray, kind: pl.DataType) -> pl.Series:
    return pl.Series(affines.tolist(), dtype=kind)
