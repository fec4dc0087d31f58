"""The lake's tables in DuckDB: created from the schema, written by one process, read by many.

DuckDB lets one process write a file and shuts every other process out meanwhile. So a connection
is held only for one transaction or one query, and whoever finds the file locked tries again.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb
import polars as pl

from leamstore import schema
from leamstore.errors import LakeError

PATIENCE_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.02

_Config = dict[str, str | bool | int | float | list[str]]

# A reader sees the tables and nothing else of the machine, whoever wrote the query.
_READER_CONFIG: Final[_Config] = {"enable_external_access": "false", "lock_configuration": "true"}


def create_tables(path: Path) -> None:
    """Create the file with every table and view of the schema, and their meanings as comments."""
    with writing(path) as connection:
        for table in schema.TABLES:
            connection.execute(_create_table_sql(table))
            connection.execute(f"COMMENT ON TABLE {table.name} IS {_quoted(table.row)}")
            for column in table.columns:
                connection.execute(
                    f'COMMENT ON COLUMN {table.name}."{column.name}" IS {_quoted(column.meaning)}'
                )
        for view in schema.VIEWS:
            connection.execute(f"CREATE VIEW {view.name} AS {view.query}")
            connection.execute(f"COMMENT ON VIEW {view.name} IS {_quoted(view.row)}")


@contextmanager
def writing(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open for one transaction: committed at the end of the block, rolled back on an exception.

    Raises
    ------
    LakeError
        If other processes keep the file locked for longer than `PATIENCE_SECONDS`.
    """
    with _connected(path, read_only=False) as connection:
        connection.begin()
        try:
            yield connection
        except BaseException:
            connection.rollback()
            raise
        connection.commit()


@contextmanager
def reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open read-only, without access to files, network or extensions.

    Raises
    ------
    LakeError
        If a writer keeps the file locked for longer than `PATIENCE_SECONDS`.
    """
    with _connected(path, read_only=True) as connection:
        yield connection


def append(connection: duckdb.DuckDBPyConnection, name: str, rows: pl.DataFrame) -> None:
    """Append rows to a table after checking them against its specification.

    Raises
    ------
    LakeError
        If columns are missing or unknown, or a column that may not be NULL holds NULL.
    """
    table = schema.table(name)
    problems = _problems(table, rows)
    if problems:
        raise LakeError(f"rows for table {name} do not fit its schema: {'; '.join(problems)}.")
    connection.register("rows_to_append", rows.to_arrow())
    connection.execute(f"INSERT INTO {name} BY NAME SELECT * FROM rows_to_append")
    connection.unregister("rows_to_append")


def _problems(table: schema.Table, rows: pl.DataFrame) -> list[str]:
    expected = {column.name for column in table.columns}
    found = set(rows.columns)
    problems = [f"column {name} is missing" for name in sorted(expected - found)]
    problems += [f"column {name} is unknown" for name in sorted(found - expected)]
    problems += [
        f"column {column.name} holds NULL"
        for column in table.columns
        if column.name in found and not column.nullable and rows[column.name].null_count()
    ]
    return problems


@contextmanager
def _connected(path: Path, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    config: _Config = _READER_CONFIG if read_only else {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            connection = duckdb.connect(str(path), read_only=read_only, config=config)
            break
        except (duckdb.IOException, duckdb.ConnectionException) as error:
            if not _is_locked(error):
                raise LakeError(f"{path} cannot be opened: {_first_line(error)}") from error
            if time.monotonic() > deadline:
                raise LakeError(
                    f"{path} has been locked by another process for {PATIENCE_SECONDS:.0f} "
                    "seconds; wait for it to finish, or end it."
                ) from error
            time.sleep(_PAUSE_SECONDS)
    try:
        yield connection
    finally:
        connection.close()


def _is_locked(error: duckdb.Error) -> bool:
    # The second message is the same conflict between two threads of one process.
    return "lock" in str(error) or "different configuration" in str(error)


def _create_table_sql(table: schema.Table) -> str:
    columns = ", ".join(
        f'"{column.name}" {column.type}{"" if column.nullable else " NOT NULL"}'
        for column in table.columns
    )
    return f"CREATE TABLE {table.name} ({columns})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
