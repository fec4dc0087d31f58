"""A user's SQL query, run in a separate process with limits on its time and memory.

DuckDB shares memory and settings among all connections of a process to one file. A process of
its own keeps a query's limits from touching the other pages, and can be ended for certain. It
takes longer to start than most queries take, so one can be started before it is asked.
"""

import io
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

import duckdb
import polars as pl

from leamstore.errors import LeamError
from leamstore.storage import location
from leamstore.tables import ended_after, frame_of, reading, too_long

MOST_SECONDS: Final = 10
MOST_ROWS: Final = 10_000
MOST_MEGABYTES: Final = 512

_MOST_ANSWER_MEGABYTES: Final = 64
_MOST_PROCESS_MEGABYTES: Final = 4096
_STARTING_SECONDS: Final = 20
_TOO_LARGE: Final = (
    f"the query needs more than {MOST_MEGABYTES} MB of memory: ask for less, or give it more by "
    "`python -m leamstore sql --memory`."
)
_READS: Final = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)


@dataclass(frozen=True)
class BoundedAnswer:
    """The result of a query: its first rows, whether there are more, and the seconds it took."""

    rows: pl.DataFrame
    cut: bool
    seconds: float


_Asker = subprocess.Popen[bytes]

_WAITING: Final[SimpleQueue[_Asker]] = SimpleQueue()
"""Processes that wait for a query; they end with this one, which holds their inputs open."""


def start_ahead() -> None:
    """Start a process for the next query, unless one waits for it already."""
    if _WAITING.empty():
        _WAITING.put(_start())


def ask_bounded(lake: str, query: str, seconds: float = MOST_SECONDS) -> BoundedAnswer:
    """Query the tables of a lake, by its folder or address, within the limits of this module.

    Raises
    ------
    LeamError
        If DuckDB refuses the query, or it needs more than it may.
    """
    began = time.monotonic()
    asked = {"lake": lake, "seconds": seconds, "query": query.encode(errors="replace").decode()}
    with _waiting_or_started() as process:
        try:
            answer, said = process.communicate(
                json.dumps(asked).encode(), timeout=seconds + _STARTING_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise LeamError(too_long(seconds)) from error
    if process.returncode:
        lines = said.decode(errors="replace").strip().splitlines()
        raise LeamError(lines[-1] if lines else _TOO_LARGE)
    rows = pl.read_ipc(io.BytesIO(answer))
    return BoundedAnswer(rows.head(MOST_ROWS), rows.height > MOST_ROWS, time.monotonic() - began)


def _waiting_or_started() -> _Asker:
    while True:
        try:
            process = _WAITING.get_nowait()
        except Empty:
            return _start()
        if process.poll() is None:
            return process


def _start() -> _Asker:
    packages = str(Path(__file__).resolve().parent.parent)
    paths = [packages, *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-m", "dashboards.bounded_query"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )


def read_first_rows(lake: str, query: str, seconds: float) -> pl.DataFrame:
    """Return the first rows, and one more; runs in the separate process.

    Raises
    ------
    LeamError
        If DuckDB refuses the query, or it needs more than it may.
    """
    limited = reading(
        location(lake) / "lake.duckdb",
        takes_any_statement=True,  # such as EXPLAIN ANALYZE COPY
        memory_limit=f"{MOST_MEGABYTES}MB",
        max_temp_directory_size="0MB",
        threads="2",
    )
    with limited as connection:
        try:
            with ended_after(connection, seconds):
                rows = _read(connection, query)
        except (duckdb.OutOfMemoryException, MemoryError) as error:
            raise LeamError(_TOO_LARGE) from error
        except duckdb.Error as error:
            raise LeamError(f"DuckDB refuses the query: {' '.join(str(error).split())}") from error
    if rows.estimated_size("mb") > _MOST_ANSWER_MEGABYTES:
        raise LeamError(f"the answer has more than {_MOST_ANSWER_MEGABYTES} MB: ask for less.")
    return rows


def _read(connection: duckdb.DuckDBPyConnection, query: str) -> pl.DataFrame:
    statements = connection.extract_statements(query)
    kinds = [statement.type for statement in statements]
    if len(kinds) != 1 or kinds[0] not in _READS:
        raise LeamError(
            "write one query that reads: SELECT, FROM, WITH, DESCRIBE, SUMMARIZE or EXPLAIN."
        )
    answer = connection.sql(query)
    if kinds[0] is duckdb.StatementType.SELECT:
        answer = answer.limit(MOST_ROWS + 1)
    return frame_of(answer)


def _main() -> None:
    bytes_ = _MOST_PROCESS_MEGABYTES * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (bytes_, bytes_))
    asked = sys.stdin.read()
    if not asked:
        return  # who has started it has ended
    try:
        rows = read_first_rows(**json.loads(asked))
    except LeamError as error:
        sys.exit(str(error))
    file = io.BytesIO()
    rows.write_ipc(file)
    sys.stdout.buffer.write(file.getvalue())


if __name__ == "__main__":
    _main()
