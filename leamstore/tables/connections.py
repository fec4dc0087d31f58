"""Connections to the lake's tables in DuckDB, which one process writes and many read.

DuckDB lets one process write a file and shuts every other process out meanwhile. So a connection
is held only for one transaction or one query, and a process that finds the file locked tries again.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import date
from functools import lru_cache
from typing import Final

import duckdb
import polars as pl
from polars import selectors

from leamstore import schema
from leamstore.errors import LakeError, line_of
from leamstore.storage import Location
from leamstore.tables.instances import IN_USE, STORAGE_VERSION, Access, connected
from leamstore.tables.published_copy import current_copy, working_copy
from leamstore.tables.waiting import READER_PATIENCE, WITHOUT_END, Wait


def create_tables(path: Location) -> None:
    """Create the file with every table and view of the schema, and their meanings as comments."""
    with writing(path) as connection:
        for table in schema.TABLES:
            connection.execute(_create_table_sql(table))
            connection.execute(f"COMMENT ON TABLE {table.name} IS {_quoted(table.row)}")
            for column in table.columns:
                describe_column(connection, table, column)
        for view in schema.VIEWS:
            connection.execute(f"CREATE VIEW {view.name} AS {view.query}")
            connection.execute(f"COMMENT ON VIEW {view.name} IS {_quoted(view.row)}")


def describe_column(
    connection: duckdb.DuckDBPyConnection, table: schema.Table, column: schema.Column
) -> None:
    """Store a column's meaning as its comment."""
    connection.execute(
        f'COMMENT ON COLUMN {table.name}."{column.name}" IS {_quoted(column.meaning)}'
    )


@contextmanager
def writing(
    path: Location, *, patience: float = WITHOUT_END
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open for one transaction: committed at the end of the block, rolled back on an exception.

    Parameters
    ----------
    patience : float
        Seconds to wait for processes that hold the file open. By default as long as it takes,
        since what is to be written has been computed already; who is waited for is logged.

    Raises
    ------
    LockedError
        If it takes longer; then nothing of the transaction is there.
    LakeError
        If the disk takes no more; then neither.
    """
    try:
        with (
            working_copy(path, patience) as file,
            _connected(Access(file, reads_only=False), patience) as connection,
        ):
            connection.begin()
            try:
                yield connection
            except BaseException:
                # DuckDB has already rolled back a transaction that the disk did not take.
                with suppress(duckdb.Error):
                    connection.rollback()
                raise
            connection.commit()
    except (duckdb.IOException, duckdb.FatalException) as error:
        raise LakeError(
            f"{path} can't be written ({line_of(error)}): what was committed before is kept."
        ) from error


def rewrite(path: Location) -> None:
    """Rewrite the file, without what deleted rows leave in its free space.

    Raises
    ------
    LakeError
        If the disk takes no more; then the file is as it was.
    """
    try:
        with working_copy(path, WITHOUT_END) as file:
            fresh = file.with_name(f"{file.name}.rewritten")
            fresh.unlink(missing_ok=True)
            with _connected(Access(file, reads_only=False), WITHOUT_END) as connection:
                connection.execute(
                    f"ATTACH {_quoted(str(fresh))} AS rewritten "
                    f"(STORAGE_VERSION {_quoted(STORAGE_VERSION)})"
                )
                connection.execute("COPY FROM DATABASE lake TO rewritten")
                connection.execute("DETACH rewritten")
                # In its place before the connection ends: nobody writes to the old file meanwhile.
                fresh.replace(file)
    except (duckdb.IOException, duckdb.FatalException) as error:
        raise LakeError(f"{path} can't be written ({line_of(error)}).") from error


@contextmanager
def reading(
    path: Location,
    *,
    patience: float = READER_PATIENCE,
    takes_any_statement: bool = False,
    **limits: str,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open read-only, without access to files, network or extensions.

    Only SELECT is to be asked by it, unless it `takes_any_statement`, which takes longer to open.

    Parameters
    ----------
    patience : float
        Seconds to wait for a writer.
    limits : str
        Further settings of DuckDB, as ``memory_limit="512MB"``; a connection waits for those of
        this process that have other ones.

    Raises
    ------
    LockedError
        If a writer keeps the file locked for longer.
    """
    with current_copy(path) as file:
        given = tuple(sorted(limits.items()))
        access = Access(file, True, given, takes_any_statement)
        with _connected(access, patience) as connection:
            yield connection


@contextmanager
def ended_after(connection: duckdb.DuckDBPyConnection, seconds: float | None) -> Iterator[None]:
    """Interrupt a query within the context that takes longer; None: never.

    Raises
    ------
    LakeError
        If one was ended.
    """
    if seconds is None:
        yield
        return
    watch = threading.Timer(seconds, connection.interrupt)
    watch.daemon = True
    watch.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise LakeError(too_long(seconds)) from error
    finally:
        watch.cancel()


def too_long(seconds: float) -> str:
    """Return the sentence on a query that was ended."""
    return (
        f"the query took longer than {seconds:g} seconds and was ended: ask for less, or give it "
        "more time by `python -m leamstore sql --seconds`."
    )


@lru_cache
def only_selects(query: str) -> bool:
    """Return whether a query is SQL, and all of its statements are SELECT: it changes nothing."""
    try:
        kinds = {statement.type for statement in duckdb.extract_statements(query)}
    except (duckdb.Error, TypeError):  # no text raises the latter; DuckDB says so when it is asked
        return False
    return kinds <= {duckdb.StatementType.SELECT}


def frame_of(answer: duckdb.DuckDBPyRelation | None) -> pl.DataFrame:
    """Return the result of a query.

    Raises
    ------
    LakeError
        If there was no query, or polars lacks the answer's types.
    """
    if answer is None:
        raise LakeError("the query asks nothing: write one.")
    try:
        rows = answer.pl()
    except pl.exceptions.PolarsError as error:
        raise LakeError(
            f"the answer can't be read ({line_of(error)}): cast its columns to VARCHAR."
        ) from error
    for column in rows.select(selectors.date() | selectors.datetime()):
        first, last = pl.Series([date.min, date.max]).cast(column.dtype).to_physical()
        if not column.to_physical().is_between(first, last).all():
            raise LakeError(
                f"the answer can't be read ({column.name} holds times before year 1 or after "
                "9999): cast its columns to VARCHAR."
            )
    return rows


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
    required = {column.name for column in table.columns if not column.added}
    found = set(rows.columns)
    problems = [f"column {name} is missing" for name in sorted(required - found)]
    problems += [f"column {name} is unknown" for name in sorted(found - expected)]
    problems += [
        f"column {column.name} holds NULL"
        for column in table.columns
        if column.name in found and not column.nullable and rows[column.name].null_count()
    ]
    return problems


@contextmanager
def _connected(access: Access, patience: float) -> Iterator[duckdb.DuckDBPyConnection]:
    wait = Wait(access.file, patience)
    with ExitStack() as stack:
        while True:
            try:
                connection = stack.enter_context(connected(access))
                break
            except duckdb.Error as error:
                if not any(message in str(error) for message in _LOCKED):
                    raise LakeError(f"{access.file} cannot be opened: {line_of(error)}") from error
                wait.pause(_holder(error))
        try:
            yield connection
        except duckdb.Error as error:
            if "checksum" not in str(error):
                raise
            raise LakeError(f"{access.file} is damaged: {line_of(error)}") from error


_LOCKED: Final = ("Could not set lock", "Unique file handle conflict", IN_USE)
"""Messages about a lock held by another process, or by other connections of this one."""

_HOLDER: Final = re.compile(r"held in (?P<program>.+) \(PID (?P<pid>\d+)\)")


def _holder(error: duckdb.Error) -> str | None:
    """Return which process holds the file, if DuckDB knows."""
    found = _HOLDER.search(str(error))
    return f"process {found['pid']} ({found['program']})" if found else None


def _create_table_sql(table: schema.Table) -> str:
    columns = ", ".join(
        f'"{column.name}" {column.type}{"" if column.nullable else " NOT NULL"}'
        for column in table.columns
    )
    return f"CREATE TABLE {table.name} ({columns})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
