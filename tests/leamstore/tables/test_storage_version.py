"""Which clients open the tables: the file's header says so, and clients of old releases try."""

import shutil
import subprocess
import sys

import duckdb
import polars as pl
import pytest

from leamstore import tables
from leamstore.tables.connections import STORAGE_VERSION
from leamstore.tables.published_copy import current_copy

OLDEST = 64
"""What the header calls the storage version of DuckDB 1.0."""


def header_version(file):
    """The storage version that DuckDB's main header states, behind a checksum and four letters."""
    head = file.read_bytes()[:20]
    assert head[8:12] == b"DUCK"
    return int.from_bytes(head[12:], "little")


def test_tables_are_in_the_oldest_storage_version(lake):
    assert header_version(lake.tables_path) == OLDEST


def test_later_writes_keep_the_storage_version(lake):
    with tables.writing(lake.tables_path) as connection:
        connection.execute("DELETE FROM pairs WHERE anchor = 0")
        connection.execute("CREATE TABLE result_a AS SELECT range AS a FROM range(100000)")
        connection.execute("ALTER TABLE result_a ADD COLUMN b VARCHAR")
    assert header_version(lake.tables_path) == OLDEST


def test_published_tables_are_in_the_oldest_storage_version(stored_lake):
    with current_copy(stored_lake.tables_path) as file:
        assert header_version(file) == OLDEST


def test_a_file_of_a_newer_storage_version_is_read_and_written_and_keeps_it(tmp_path):
    file = tmp_path / "lake.duckdb"
    with duckdb.connect(str(file), config={"storage_compatibility_version": "latest"}) as newer:
        newer.execute("CREATE TABLE settings (name VARCHAR, value VARCHAR)")
    before = header_version(file)
    with tables.writing(file) as connection:
        tables.append(connection, "settings", pl.DataFrame({"name": ["seed"], "value": ["1"]}))
    with tables.reading(file) as connection:
        assert connection.sql("SELECT value FROM settings").fetchall() == [("1",)]
    assert header_version(file) == before > OLDEST


@pytest.fixture(scope="module", params=["1.0.0", "1.1.3", "1.4.0"])
def client(request, tmp_path_factory):
    """The folder of a client of an old release, from the package registry."""
    folder = tmp_path_factory.mktemp("client")
    wheel = ["--no-deps", "--only-binary", ":all:", "--target", folder, f"duckdb=={request.param}"]
    if uv := shutil.which("uv"):
        install = [uv, "pip", "install", "--python", sys.executable, *wheel]
    else:
        install = [sys.executable, "-m", "pip", "install", *wheel]
    done = subprocess.run(install, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        pytest.skip(f"duckdb {request.param} can't be installed here: {last}")
    return request.param, folder


def test_a_client_of_an_old_release_opens_the_lake(lake, client):
    release, folder = client
    with tables.writing(lake.tables_path) as connection:
        connection.execute("DELETE FROM embeddings WHERE image_id = 3")
        connection.execute("CREATE TABLE result_a AS SELECT 'a' AS a, [1.5, 2.5] AS b")
        connection.execute("COMMENT ON TABLE result_a IS 'a comment'")
    script = f"""
import sys
sys.path.insert(0, {str(folder)!r})
import duckdb
assert duckdb.__version__ == {release!r}
connection = duckdb.connect({str(lake.tables_path)!r}, read_only=True)
names = [name for name, in connection.sql("SELECT table_name FROM duckdb_tables()").fetchall()]
for name in names:
    connection.sql(f"SELECT bit_xor(hash(t)) FROM {{name}} AS t").fetchall()
assert "result_a" in names and "runs" in names
assert connection.sql("SELECT image_id, vector FROM embeddings ORDER BY 1").fetchall() == [
    (0, [1.0, 0.0]), (1, [1.0, 1.0]), (2, [1.0, 2.0])
]
assert connection.sql("SELECT count(*) FROM region_shares").fetchall() == [(8,)]
comments = connection.sql("SELECT comment FROM duckdb_tables() WHERE table_name = 'result_a'")
assert comments.fetchall() == [("a comment",)]
"""
    subprocess.run([sys.executable, "-I", "-c", script], check=True)


def test_the_storage_version_is_the_one_that_is_documented(lake):
    assert STORAGE_VERSION == "v1.0.0"
    with duckdb.connect(str(lake.tables_path), read_only=True) as connection:
        tags = connection.sql("SELECT tags FROM duckdb_databases() WHERE NOT internal").fetchall()
    assert tags[0][0]["storage_version"].startswith(STORAGE_VERSION)
