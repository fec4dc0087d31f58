"""The ledger of units: which are done, and the transaction that records one as done.

A unit is a model (or ``faces``) and a block of whole identities. Its arrays are written first;
then its rows and its ledger entry are committed together. What the ledger doesn't know doesn't
exist for readers, and doing a unit again replaces its rows by the same rows.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import duckdb
import polars as pl

from leamstore.arrays import SHARD_IMAGES
from leamstore.arrays.blocks import Block, blocks_of
from leamstore.errors import LakeError
from leamstore.tables import append

FACES: Final = "faces"
"""Name of the units of crops and labels in the ledger."""

RETIRED: Final = "retired"
"""Name, in the ledger, of a block that images have left, until their maps are cleared."""

IMAGE_COLUMN: Final = {
    "embeddings": "image_id",
    "pairs": "anchor",
    "pair_regions": "anchor",
    "image_regions": "image_id",
}
"""Tables whose rows belong to units, and the column that determines the block."""


def block_images(images: pl.DataFrame, block: Block) -> pl.DataFrame:
    """Return a block's rows of all kept images, which are in the order of their image_ids."""
    first, end = images["image_id"].search_sorted(pl.Series([block.start, block.stop]))
    return images[first:end]


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


def done_models(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the models that have a unit; rows of others in models and layers say nothing."""
    rows = connection.sql("SELECT DISTINCT model FROM units JOIN models USING (model)").fetchall()
    return {model for (model,) in rows}


def done_faces(connection: duckdb.DuckDBPyConnection) -> list[int]:
    """Return the image_ids whose crops and labels are done, in order."""
    rows = connection.execute(
        f"SELECT image_id FROM images JOIN units ON image_id // {SHARD_IMAGES} "
        "BETWEEN block AND block + shards - 1 WHERE model = ? ORDER BY 1",
        [FACES],
    ).fetchall()
    return [image_id for (image_id,) in rows]


def require_running(connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """Raise an error if a later run has marked this one as interrupted.

    On one machine the lock keeps two ingests apart. In an object store nobody can know whether a
    writer elsewhere still lives: there the later one goes on, and a `LakeError` ends the former.
    """
    entered = connection.execute("SELECT summary FROM runs WHERE run_id = ?", [run_id]).fetchall()
    if any(summary is not None for (summary,) in entered):
        raise LakeError(
            "another ingest has begun on this lake meanwhile, from another machine, and goes on in "
            "place of this one. What this one finished is kept; run one at a time."
        )


def commit_unit(
    connection: duckdb.DuckDBPyConnection,
    model: str,
    block: Block,
    images: pl.DataFrame,
    rows: Mapping[str, pl.DataFrame],
    run_id: str,
    description: Mapping[str, pl.DataFrame] | None = None,
) -> None:
    """Replace a unit's rows and enter it in the ledger; its arrays are already on disk.

    Parameters
    ----------
    images : polars.DataFrame
        The kept images of the block.
    rows : mapping of str to polars.DataFrame
        The unit's new rows by table.
    description : mapping of str to polars.DataFrame, optional
        The model's rows of the tables models and layers, which are entered with its first unit.

    Raises
    ------
    LakeError
        If rows don't fit the schema, or another ingest has taken this run's place.
    """
    require_running(connection, run_id)
    is_first = model not in done_models(connection)
    forget_units(connection, [(model, block.first_shard)], {block.first_shard: block.shards})
    if description and is_first:
        for table, frame in description.items():
            connection.execute(f"DELETE FROM {table} WHERE model = ?", [model])
            append(connection, table, frame)
    for table, frame in rows.items():
        append(connection, table, frame)
    heights = {table: frame.height for table, frame in rows.items()}
    taking_part = images.height if model == FACES else heights.get("embeddings", 0)
    pairs = heights.get("pairs", 0)
    append(connection, "units", _entry(model, block, images, taking_part, pairs, run_id))


def forget_units(
    connection: duckdb.DuckDBPyConnection,
    units: Iterable[tuple[str, int]],
    shards: Mapping[int, int],
) -> None:
    """Remove units from the ledger, together with their rows.

    Parameters
    ----------
    units : iterable of (model, block)
    shards : mapping of int to int
        Shards that a block has, by its first one; one where it isn't named.
    """
    for model, first_shard in units:
        block = Block(first_shard, shards.get(first_shard, 1))
        for table, column in IMAGE_COLUMN.items():
            connection.execute(
                f"DELETE FROM {table} WHERE model = ? AND {column} BETWEEN ? AND ?",
                [model, block.start, block.stop - 1],
            )
        connection.execute("DELETE FROM units WHERE model = ? AND block = ?", [model, first_shard])


def retire_images(connection: duckdb.DuckDBPyConnection, image_ids: Sequence[int]) -> None:
    """Remove images from the axis: their rows go, and their blocks' units stay done without them.

    Their maps are still there. So each of their blocks is marked in the ledger until
    `end_retirement`: after a kill, the next run thereby knows what is left to clear.
    """
    for table, column in IMAGE_COLUMN.items():
        connection.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT unnest(?))", [image_ids])
    blocks = _placed_blocks(connection)
    connection.execute(
        "UPDATE images SET image_id = NULL, status = 'pending' "
        "WHERE image_id IN (SELECT unnest(?))",
        [image_ids],
    )
    left = _placed_blocks(connection)
    touched = {image_id // SHARD_IMAGES for image_id in image_ids}
    for block in blocks:
        shards = range(block.first_shard, block.first_shard + block.shards)
        if not touched.isdisjoint(shards):
            _retire_block(connection, block, [one for one in left if one.first_shard in shards])


def retiring_shards(connection: duckdb.DuckDBPyConnection) -> list[int]:
    """Return the shards that images have left while their maps may still be there."""
    rows = connection.execute(
        "SELECT DISTINCT unnest(range(block, block + shards)) FROM units WHERE model = ?", [RETIRED]
    ).fetchall()
    return [shard for (shard,) in rows]


def end_retirement(connection: duckdb.DuckDBPyConnection) -> None:
    """Remove the marks of `retire_images`, once the maps are cleared."""
    connection.execute("DELETE FROM units WHERE model = ?", [RETIRED])


def _placed_blocks(connection: duckdb.DuckDBPyConnection) -> list[Block]:
    return blocks_of(_placed_images(connection))


def _placed_images(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    return connection.sql(
        "SELECT image_id, identity, sha256 FROM images WHERE image_id IS NOT NULL ORDER BY image_id"
    ).pl()


def _retire_block(connection: duckdb.DuckDBPyConnection, block: Block, left: list[Block]) -> None:
    """Hand a block's units on to the blocks that are left of it, and mark its shards."""
    units = connection.sql("SELECT * FROM units WHERE block = ?", params=[block.first_shard]).pl()
    images = _placed_images(connection)
    connection.execute("DELETE FROM units WHERE block = ?", [block.first_shard])
    for unit in units.filter(pl.col("model") != RETIRED).to_dicts():
        for remaining in left:
            own = block_images(images, remaining)
            taking_part, pairs = (
                _count_rows(connection, table, unit["model"], remaining)
                for table in ("embeddings", "pairs")
            )
            if unit["model"] == FACES:
                taking_part = own.height
            entry = _entry(unit["model"], remaining, own, taking_part, pairs, unit["run_id"])
            append(connection, "units", entry.with_columns(finished=pl.lit(unit["finished"])))
    append(connection, "units", _entry(RETIRED, block, images.clear(), 0, 0, ""))


def _count_rows(connection: duckdb.DuckDBPyConnection, table: str, model: str, block: Block) -> int:
    """Return the number of rows of a table that belong to a model and a block."""
    rows = connection.execute(
        f"SELECT count(*) FROM {table} WHERE model = ? AND {IMAGE_COLUMN[table]} BETWEEN ? AND ?",
        [model, block.start, block.stop - 1],
    ).fetchall()
    return int(rows[0][0])


def _entry(
    model: str, block: Block, images: pl.DataFrame, taking_part: int, pairs: int, run_id: str
) -> pl.DataFrame:
    """Return a row of the table units, of `taking_part` of a block's images."""
    entry = {
        "model": model,
        "block": block.first_shard,
        "state": "retiring" if model == RETIRED else "done",
        "checksum": block_checksum(images),
        "shards": block.shards,
        "images": taking_part,
        "pairs": pairs,
        "run_id": run_id,
        "finished": datetime.now(UTC),
    }
    return pl.DataFrame([entry])
