"""Recovery from an ingest that was killed, before the next one begins.

Maps without an entry in the ledger need nothing: their unit is done again. What is left are maps
of images that have retired, of models that have not got so far as a first unit, and files that
Zarr had begun to write under other names.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb
import numpy as np

from leamstore import arrays, schema, tables
from leamstore.lake import Lake
from leamstore.safety import run_token
from leamstore.schema import Column, Table
from leamstore.tables import ledger

PARTIAL: Final = ".partial"
"""Suffix of a file that Zarr is writing, before it gets its name."""

_CUT_SHORT: Final = "ended IS NULL AND summary IS NULL"


def recover(lake: Lake) -> None:
    """Clean up after killed ingests and earlier releases; the caller holds the lake's lock."""
    with lake.kept_open() as connection:  # opening takes longer than the queries
        missing = _missing_columns(connection)
        runs = connection.sql(f"SELECT run_id FROM runs WHERE {_CUT_SHORT}").fetchall()
        retiring = ledger.retiring_shards(connection)
    _add_columns(lake, missing)
    if runs:
        # First of all: a worker of an earlier run that wakes up must not write while this runs.
        run_token.withdraw(lake.path)
    _clear(lake, retiring)
    if not runs:
        return
    for store in (lake.maps_path, lake.faces_path):
        # An object store takes an object whole or not at all.
        for file in store.rglob(f"*{PARTIAL}") if isinstance(store, Path) else ():
            file.unlink()
    known = set(lake.sql("SELECT model FROM models")["model"])
    for model in set(arrays.open_root(lake.maps_path).group_keys()) - known:
        arrays.remove_model(lake.maps_path, model)
    with tables.writing(lake.tables_path) as connection:
        connection.execute(
            f"""UPDATE runs SET summary = '{{"cut_short": true}}' WHERE {_CUT_SHORT}"""
        )


def clear_retired(lake: Lake) -> None:
    """Clear maps, crops and labels of images that have left their places."""
    with lake.kept_open() as connection:
        retiring = ledger.retiring_shards(connection)
    _clear(lake, retiring)


def add_columns(lake: Lake) -> None:
    """Add the columns to a lake that the schema has gained since it was made; they hold NULL."""
    with lake.kept_open() as connection:
        missing = _missing_columns(connection)
    _add_columns(lake, missing)


def _clear(lake: Lake, shards: Sequence[int]) -> None:
    """Clear the places of shards that hold no image."""
    if not shards:
        return
    held = lake.sql("SELECT image_id FROM images WHERE image_id IS NOT NULL")["image_id"]
    slots = np.array(shards)[:, None] * arrays.SHARD_IMAGES + np.arange(arrays.SHARD_IMAGES)
    empty = np.setdiff1d(slots, held.to_numpy()).tolist()
    for store in (lake.maps_path, lake.faces_path):
        arrays.clear_images(store, empty)
    with tables.writing(lake.tables_path) as connection:
        ledger.end_retirement(connection)


def _missing_columns(connection: duckdb.DuckDBPyConnection) -> list[tuple[Table, Column]]:
    found = connection.sql("SELECT table_name, column_name FROM duckdb_columns()").fetchall()
    return [
        (table, column)
        for table in schema.TABLES
        for column in table.columns
        if (table.name, column.name) not in found
    ]


def _add_columns(lake: Lake, missing: Sequence[tuple[Table, Column]]) -> None:
    if not missing:
        return
    with tables.writing(lake.tables_path) as connection:
        for table, column in missing:
            connection.execute(f'ALTER TABLE {table.name} ADD COLUMN "{column.name}" {column.type}')
            tables.describe_column(connection, table, column)
