import subprocess
import sys
import threading

import duckdb
import polars as pl
import pytest

from leamstore import schema, tables
from leamstore.errors import LakeError, LockedError


@pytest.fixture
def path(tmp_path):
    tables.create_tables(tmp_path / "lake.duckdb")
    return tmp_path / "lake.duckdb"


def setting(name="seed", value="1"):
    return pl.DataFrame({"name": [name], "value": [value]})


def test_every_table_of_the_schema_has_its_columns_and_meanings(path):
    with tables.reading(path) as connection:
        found = connection.sql(
            "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal"
        ).fetchall()
    for table in schema.TABLES:
        for column in table.columns:
            assert (table.name, column.name, column.meaning) in found


def test_a_transaction_that_fails_leaves_nothing(path):
    with pytest.raises(RuntimeError), tables.writing(path) as connection:
        tables.append(connection, "settings", setting())
        raise RuntimeError
    with tables.reading(path) as connection:
        assert connection.sql("SELECT count(*) FROM settings").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (pl.DataFrame({"name": ["seed"]}), "column value is missing"),
        (setting().with_columns(colour=pl.lit("red")), "column colour is unknown"),
        (setting(value=None), "column value holds NULL"),
    ],
)
def test_rows_that_do_not_fit_the_schema_are_refused(path, rows, problem):
    with tables.writing(path) as connection, pytest.raises(LakeError, match=problem):
        tables.append(connection, "settings", rows)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/hostname')",
        "COPY settings TO '{folder}/stolen.csv'",
        "ATTACH '{folder}/other.duckdb'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "DELETE FROM settings",
    ],
)
def test_a_reader_can_neither_write_nor_reach_beyond_the_lake(path, query, tmp_path):
    with tables.reading(path) as connection, pytest.raises(duckdb.Error):
        connection.execute(query.format(folder=tmp_path))


def test_a_reader_waits_for_a_writer(path):
    begun, seen = threading.Event(), []

    def read():
        begun.set()
        with tables.reading(path) as connection:
            seen.append(connection.sql("SELECT value FROM settings").fetchall())

    with tables.writing(path) as connection:
        reader = threading.Thread(target=read)
        reader.start()
        begun.wait()
        tables.append(connection, "settings", setting())
    reader.join()
    assert seen == [[("1",)]]


def test_a_reader_gives_up_with_a_sentence(path):
    with (
        tables.writing(path),
        pytest.raises(LockedError, match="locked by another process"),
        tables.reading(path, patience=0.1),
    ):
        pass


@pytest.fixture
def hold(path):
    """Start processes that hold the file open, until the test or their time ends."""
    started = []

    def start(read_only, seconds=60.0):
        script = (
            f"import duckdb, time; held = duckdb.connect({str(path)!r}, read_only={read_only}); "
            f"print(flush=True); time.sleep({seconds})"
        )
        started.append(subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE))
        started[-1].stdout.readline()
        return started[-1].pid

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_writer_that_gives_up_names_the_process_that_reads(path, hold):
    pid = hold(read_only=True)
    with (
        pytest.raises(LockedError, match=rf"locked by process {pid} \(.*python.*\) for 0 seconds"),
        tables.writing(path, patience=0.1),
    ):
        pass


def test_a_reader_that_gives_up_names_the_process_that_writes(path, hold):
    pid = hold(read_only=False)
    with (
        pytest.raises(LockedError, match=rf"locked by process {pid} "),
        tables.reading(path, patience=0.1),
    ):
        pass


def test_a_writer_waits_for_a_reader_and_says_for_whom(path, hold, caplog):
    pid = hold(read_only=True, seconds=3)
    with tables.writing(path) as connection:
        tables.append(connection, "settings", setting())
    (said,) = caplog.messages
    assert said.startswith(f"{path} is held open by process {pid} (")
    with tables.reading(path) as connection:
        assert connection.sql("SELECT value FROM settings").fetchall() == [("1",)]


def test_a_file_that_is_no_database_is_a_sentence(tmp_path):
    (tmp_path / "lake.duckdb").write_text("not a database" * 1000)
    with (
        pytest.raises(LakeError, match="cannot be opened"),
        tables.reading(tmp_path / "lake.duckdb"),
    ):
        pass
