"""Placement: which photographs are kept, where identities go on the axis, and their poses."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Final

import polars as pl

from ingest.faces.survey import as_frame
from leamstore import geometry, poses
from leamstore.arrays import SHARD_IMAGES
from leamstore.arrays.blocks import place


@dataclass(frozen=True)
class Placement:
    """Changes of the table ``images``.

    Attributes
    ----------
    rows : polars.DataFrame
        New rows, by their path.
    moved : frozenset of str
        Identities whose images leave the places they had.
    """

    rows: pl.DataFrame
    moved: frozenset[str]


def place_images(
    images: pl.DataFrame,
    seed: int,
    changed: Collection[str] = (),
    departed: Collection[str] = (),
) -> Placement:
    """Give every identity whose kept images change a place of its own after all others.

    A photograph with a face is kept once, and only if its identity has another one.
    An identity that was placed already and has other images now moves as a whole, so that its
    images lie together, in the order of their contents; other identities stay where they are.

    Parameters
    ----------
    images : polars.DataFrame
        The whole table ``images``.
    seed : int
        Seed of the draw of each identity's reference image.
    changed : collection of str
        Identities that have lost images which are not in the table any more.
    departed : collection of str
        Paths of photographs that can't be kept, since nothing is left of them to be read.
    """
    usable = images.filter(pl.col("landmarks").is_not_null())
    judged = _judge(usable, departed)
    is_kept = pl.col("status") == "kept"
    newly = judged.filter(is_kept != pl.col("image_id").is_not_null())
    moved = frozenset(newly["identity"]) | frozenset(changed)
    moving = judged.filter(is_kept & pl.col("identity").is_in(list(moved)))
    groups = {
        str(identity): rows
        for (identity,), rows in moving.sort("identity", "sha256").group_by(
            "identity", maintain_order=True
        )
    }
    shards = images["image_id"].drop_nulls().to_numpy() // SHARD_IMAGES
    places = place(
        {identity: rows.height for identity, rows in groups.items()},
        first_shard=int(shards.max(initial=-1)) + 1,
    )
    placed = [_posed(rows, places[name], seed) for name, rows in groups.items()]
    verdict = ["path", "status", "reason", "detail"]
    of_places = ("image_id", "crop_to_identity", "crop_to_canonical")
    rejected = judged.filter(~is_kept).with_columns(
        pl.lit(None, judged.schema[name]).alias(name) for name in of_places
    )
    rejected = rejected.join(usable, on=verdict, how="anti", nulls_equal=True)
    return Placement(pl.concat([as_frame([]), *placed, rejected]), moved)


_DETAILS: Final = {
    "departed": pl.format("{} is no longer there, and the lake holds no crop of it.", "path"),
    "duplicate": pl.format("It is the same file as {}.", "_first"),
    "duplicate-of-another-person": pl.format(
        "The same file is in the folders of several people: {}. Leave it in one.", "_people"
    ),
    "lone-image": pl.lit(
        "No other usable image of this identity was found, so it has no positive."
    ),
}


def _judge(usable: pl.DataFrame, departed: Collection[str]) -> pl.DataFrame:
    """Return photographs with a face, kept or rejected with a reason.

    Of the same file under one identity, the one that has a place is kept, or else the first.
    """
    there = ~pl.col("path").is_in(list(departed))
    content = ["identity", "sha256"]
    people = pl.col("identity").filter(there).unique().sort()
    judged = usable.sort("identity", "sha256", pl.col("image_id"), "path", nulls_last=True)
    judged = judged.with_columns(
        _first=pl.col("path").filter(there).first().over(content),
        _people=people.over("sha256", mapping_strategy="join").list.join(", "),
        _several=(people.len() > 1).over("sha256"),
    ).with_columns(
        reason=pl.when(~there)
        .then(pl.lit("departed"))
        .when(pl.col("_several"))
        .then(pl.lit("duplicate-of-another-person"))
        .when(pl.col("path") != pl.col("_first"))
        .then(pl.lit("duplicate"))
    )
    is_lone = pl.col("reason").is_null() & (pl.col("reason").is_null().sum().over("identity") == 1)
    judged = judged.with_columns(
        reason=pl.when(is_lone).then(pl.lit("lone-image")).otherwise("reason")
    )
    detail = pl.coalesce(
        pl.when(pl.col("reason") == reason).then(sentence) for reason, sentence in _DETAILS.items()
    )
    return judged.with_columns(
        status=pl.when(pl.col("reason").is_null())
        .then(pl.lit("kept"))
        .otherwise(pl.lit("rejected")),
        detail=detail,
    ).select(usable.columns)


def _posed(rows: pl.DataFrame, first_image: int, seed: int) -> pl.DataFrame:
    """Return one identity's kept images with their places, and their pose in the common frames."""
    image_to_crop = geometry.invert(rows["crop_to_image"].to_numpy())
    landmarks = geometry.apply(image_to_crop, rows["landmarks"].to_numpy())
    reference = poses.draw_reference(rows["identity"][0], rows["sha256"].to_list(), seed)
    stored = partial(pl.Series, dtype=rows.schema["crop_to_image"])
    return rows.with_columns(
        image_id=pl.int_range(first_image, first_image + rows.height, dtype=pl.Int32),
        crop_to_identity=stored(poses.crop_to_identity(landmarks, reference).tolist()),
        crop_to_canonical=stored(poses.crop_to_canonical(landmarks).tolist()),
    )
