"""Complete removal of a person or a photograph, as when consent is withdrawn.

Rows, maps, crops, embeddings and the rows of answers that name them go, and the file of the tables
is rewritten, since deleted rows stay in its free space. Maps of the other images of a person
are means over the removed one, too: their units are struck off the ledger, and `ingest.repair`
does them again. Answers over many people remain; what they rest on has changed, so that they are
out of date.
"""

import difflib
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import polars as pl

from leamstore import tables
from leamstore.arrays import SHARD_IMAGES
from leamstore.errors import LakeError
from leamstore.lake import Lake
from leamstore.safety.lock import ingest_lock
from leamstore.safety.recovery import clear_retired, recover
from leamstore.tables import ledger
from leamstore.tables.results import PREFIX

_REMOVED: Final = "(removed)"

_WITH_COPIES: Final = """
    SELECT DISTINCT copy.image_id, copy.identity, copy.path, copy.sha256
    FROM images AS one JOIN images AS copy
    ON one.path = copy.path OR one.sha256 = copy.sha256 WHERE"""


@dataclass(frozen=True)
class Removal:
    """The rows and files that were removed from a lake.

    Attributes
    ----------
    paths : tuple of str
        Of the photographs, as the lake had them.
    units : int
        Units of models that have to be done again for the other images of a person.
    """

    paths: tuple[str, ...]
    units: int


def remove_identity(lake: Lake, identity: str) -> Removal:
    """Remove all photographs of a person from a lake, also copies under another name.

    Raises
    ------
    LakeError
        If the lake has no such person, or an ingest is at work on it.
    """
    identity = unicodedata.normalize("NFC", identity)
    rows = lake.sql(f"{_WITH_COPIES} one.identity = ?", [identity])
    if rows.is_empty():
        known = lake.sql("SELECT DISTINCT identity FROM images ORDER BY 1")["identity"].to_list()
        raise LakeError(f"{lake.path} has no identity {identity}{_perhaps(identity, known)}.")
    return _remove(lake, rows, (identity,))


def remove_photograph(lake: Lake, path: str) -> Removal:
    """Remove one photograph from a lake, and all copies of it.

    Parameters
    ----------
    path : str
        Its path as the lake has it, or relative to the working folder.

    Raises
    ------
    LakeError
        If the lake has no such photograph, or an ingest is at work on it.
    """
    paths = [path, str(Path(path).absolute())]
    rows = lake.sql(f"{_WITH_COPIES} one.path IN (?, ?)", paths)
    if rows.is_empty():
        known = lake.sql("SELECT path FROM images ORDER BY 1")["path"].to_list()
        raise LakeError(f"{lake.path} has no photograph {path}{_perhaps(path, known)}.")
    return _remove(lake, rows, ())


def _remove(lake: Lake, rows: pl.DataFrame, names: tuple[str, ...]) -> Removal:
    """Take photographs out, and the rows of answers that name them or one of `names`."""
    image_ids = rows["image_id"].drop_nulls().to_list()
    names = (*names, *rows["path"], *rows["sha256"].drop_nulls())
    with ingest_lock(lake.path):
        recover(lake)
        with tables.writing(lake.tables_path) as connection:
            ledger.retire_images(connection, image_ids)
            connection.execute(
                "DELETE FROM images WHERE path IN (SELECT unnest(?))", [rows["path"].to_list()]
            )
            units = 0
            for identity in rows["identity"].unique(maintain_order=True):
                _reject_lone(connection, identity)
                units += _strike_off(connection, identity)
            _remove_from_answers(connection, names, image_ids)
            _remove_from_runs(connection, names)
        clear_retired(lake)
        tables.rewrite(lake.tables_path)
    return Removal(tuple(rows["path"].sort()), units)


def _reject_lone(connection: duckdb.DuckDBPyConnection, identity: str) -> None:
    """Reject the image of an identity that is left alone: it has no positive any more."""
    left = connection.execute(
        "SELECT image_id FROM images WHERE identity = ? AND image_id IS NOT NULL", [identity]
    ).fetchall()
    if len(left) == 1:
        ledger.retire_images(connection, [left[0][0]])
        connection.execute(
            "UPDATE images SET status = 'rejected', reason = 'lone-image', detail = "
            "'No other usable image of this identity is left, so it has no positive.' "
            "WHERE identity = ? AND status = 'pending'",
            [identity],
        )


def _strike_off(connection: duckdb.DuckDBPyConnection, identity: str) -> int:
    """Strike the units of models off the ledger in which an identity has images left."""
    units = connection.execute(
        f"""
        SELECT DISTINCT units.model, block, shards FROM units JOIN models USING (model)
        JOIN images ON image_id // {SHARD_IMAGES} BETWEEN block AND block + shards - 1
        WHERE identity = ?
        """,
        [identity],
    ).fetchall()
    shards = {block: count for _, block, count in units}
    ledger.forget_units(connection, [(model, block) for model, block, _ in units], shards)
    return len(units)


def _remove_from_answers(
    connection: duckdb.DuckDBPyConnection, names: tuple[str, ...], image_ids: list[int]
) -> None:
    """Delete the rows of result tables that contain a name or an image_id."""
    columns = connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE starts_with(table_name, ?) AND (data_type = 'VARCHAR' "
        "OR column_name IN ('image_id', 'anchor', 'positive'))",
        [PREFIX],
    ).fetchall()
    for table, column, kind in columns:
        values = list(names) if kind == "VARCHAR" else image_ids
        connection.execute(
            f'DELETE FROM "{table}" WHERE "{column}" IN (SELECT unnest(?))', [values]
        )


def _remove_from_runs(connection: duckdb.DuckDBPyConnection, names: tuple[str, ...]) -> None:
    """Remove names from the command lines of runs, where they are a word or part of a path."""
    for name in names:
        word = rf"(^|[\s/'\"=,]){re.escape(name)}($|[\s/'\",])"
        connection.execute(
            "UPDATE runs SET command = regexp_replace(command, ?, ?, 'g') "
            "WHERE regexp_matches(command, ?)",
            [word, rf"\1{_REMOVED}\2", word],
        )


def _perhaps(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; perhaps {close[0]} is meant" if close else ""
