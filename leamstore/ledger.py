"""The ledger of units: what is done, and the one transaction that makes it so.

A unit is a model (or ``faces``) and a block of whole identities. Its arrays are written first;
then its rows and its ledger entry are committed together. What the ledger doesn't know doesn't
exist for readers, and doing a unit again replaces its rows by the same rows.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import duckdb
import polars as pl

from leamstore.arrays import SHARD_IMAGES
from leamstore.blocks import Block
from leamstore.tables import append

FACES: Final = "faces"
"""The name under which crops and labels stand in the ledger."""

_IMAGE_COLUMN: Final = {
    "embeddings": "image_id",
    "pairs": "anchor",
    "pair_regions": "anchor",
    "image_regions": "image_id",
}


def block_images(images: pl.DataFrame, block: Block) -> pl.DataFrame:
    """Return the kept images of a block in the order of their image_ids."""
    return images.filter(pl.col("image_id").is_between(block.start, block.stop - 1)).sort(
        "image_id"
    )


def block_checksum(images: pl.DataFrame) -> str:
    """Return the sha256 over a block's images: their places, identities and contents."""
    digest = hashlib.sha256()
    for row in images.select("image_id", "identity", "sha256").iter_rows():
        digest.update(repr(row).encode())
    return digest.hexdigest()


def done_units(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, int], str]:
    """Return the checksum of each unit that is done, by model and block."""
    rows = connection.sql("SELECT model, block, checksum FROM units").fetchall()
    return {(model, block): checksum for model, block, checksum in rows}


def commit_unit(
    connection: duckdb.DuckDBPyConnection,
    model: str,
    block: Block,
    images: pl.DataFrame,
    rows: Mapping[str, pl.DataFrame],
    run_id: str,
) -> None:
    """Replace a unit's rows and enter it in the ledger; its arrays are on disk already.

    Parameters
    ----------
    images : polars.DataFrame
        The kept images of the block.
    rows : mapping of str to polars.DataFrame
        The unit's new rows by table.
    """
    for table, column in _IMAGE_COLUMN.items():
        connection.execute(
            f"DELETE FROM {table} WHERE model = ? AND {column} BETWEEN ? AND ?",
            [model, block.start, block.stop - 1],
        )
    for table, frame in rows.items():
        append(connection, table, frame)
    connection.execute(
        "DELETE FROM units WHERE model = ? AND block = ?", [model, block.first_shard]
    )
    entry = {
        "model": model,
        "block": block.first_shard,
        "state": "done",
        "checksum": block_checksum(images),
        "shards": block.shards,
        "images": images.height,
        "pairs": rows["pairs"].height if "pairs" in rows else 0,
        "run_id": run_id,
        "finished": datetime.now(UTC),
    }
    append(connection, "units", pl.DataFrame([entry]))


def retire_images(connection: duckdb.DuckDBPyConnection, image_ids: list[int]) -> None:
    """Take images off the axis: their rows go, and their blocks' units stay done without them."""
    for table, column in _IMAGE_COLUMN.items():
        connection.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT unnest(?))", [image_ids])
    connection.execute(
        "UPDATE images SET image_id = NULL, status = 'pending' "
        "WHERE image_id IN (SELECT unnest(?))",
        [image_ids],
    )
    units = connection.sql("SELECT model, block, shards FROM units").fetchall()
    images = connection.sql("SELECT image_id, identity, sha256 FROM images").pl()
    touched = {image_id // SHARD_IMAGES for image_id in image_ids}
    for model, first_shard, shards in units:
        block = Block(first_shard, shards)
        if touched.isdisjoint(range(first_shard, first_shard + shards)):
            continue
        left = block_images(images, block)
        connection.execute(
            """
            UPDATE units SET checksum = ?, images = ?, pairs =
                (SELECT count(*) FROM pairs
                 WHERE pairs.model = units.model AND anchor BETWEEN ? AND ?)
            WHERE model = ? AND block = ?
            """,
            [block_checksum(left), left.height, block.start, block.stop - 1, model, first_shard],
        )
        if left.is_empty():
            connection.execute(
                "DELETE FROM units WHERE model = ? AND block = ?", [model, first_shard]
            )
