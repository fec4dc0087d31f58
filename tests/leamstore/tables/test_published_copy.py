import os
import signal
import subprocess
import sys

import polars as pl
import pytest

from leamstore import storage, tables
from leamstore.errors import LakeError
from leamstore.tables import published_copy

ROW = {"name": "a", "value": "1"}


@pytest.fixture
def place(bucket):
    """Published tables, empty."""
    place = storage.location(bucket) / "lake.duckdb"
    tables.create_tables(place)
    return place


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Do something as another machine would: with another cache folder."""

    def call(action):
        with monkeypatch.context() as there:
            there.setenv("LEAM_CACHE", str(tmp_path / "elsewhere"))
            return action()

    return call


def write(place, name="a"):
    with tables.writing(place) as connection:
        tables.append(connection, "settings", pl.DataFrame([ROW | {"name": name}]))


def names(place):
    with tables.reading(place) as connection:
        return [name for (name,) in connection.sql("SELECT name FROM settings").fetchall()]


def test_a_local_file_is_its_own_copy(tmp_path):
    with (
        published_copy.current_copy(tmp_path / "x") as read,
        published_copy.working_copy(tmp_path) as written,
    ):
        assert (read, written) == (tmp_path / "x", tmp_path)


def test_what_one_machine_publishes_another_reads(place, elsewhere):
    write(place)
    assert elsewhere(lambda: names(place)) == ["a"]


def test_a_reader_sees_the_old_state_until_the_new_one_is_published(place, elsewhere):
    write(place, "old")
    with tables.writing(place) as connection:
        tables.append(connection, "settings", pl.DataFrame([ROW | {"name": "new"}]))
        assert names(place) == elsewhere(lambda: names(place)) == ["old"]
    assert names(place) == elsewhere(lambda: names(place)) == ["old", "new"]


def test_reading_what_has_not_changed_takes_one_request(place, host):
    host.forget()
    names(place)
    names(place)
    assert [method for method, _ in host.requests] == ["HEAD", "HEAD"]


def test_reading_what_has_changed_elsewhere_takes_one_download(place, host, elsewhere):
    elsewhere(lambda: write(place))
    host.forget()
    names(place)
    names(place)
    assert [method for method, _ in host.requests] == ["HEAD", "GET", "HEAD"]


def test_a_commit_takes_two_requests(place, host):
    host.forget()
    write(place)
    assert [method for method, _ in host.requests] == ["HEAD", "PUT"]


def test_an_exception_publishes_nothing(place, host):
    host.forget()
    with pytest.raises(RuntimeError), tables.writing(place) as connection:
        tables.append(connection, "settings", pl.DataFrame([ROW]))
        raise RuntimeError
    assert names(place) == []
    assert "PUT" not in [method for method, _ in host.requests]


def test_the_slower_of_two_writers_is_refused_and_overwrites_nothing(place, elsewhere):
    with (
        pytest.raises(LakeError, match=r"another program wrote to s3://lakes/.* meanwhile"),
        tables.writing(place) as connection,
    ):
        tables.append(connection, "settings", pl.DataFrame([ROW | {"name": "slower"}]))
        elsewhere(lambda: write(place, "faster"))
    assert names(place) == ["faster"]
    write(place, "again")
    assert elsewhere(lambda: names(place)) == ["faster", "again"]


def test_of_two_that_create_tables_at_once_one_is_refused(bucket, elsewhere):
    place = storage.location(bucket) / "lake.duckdb"
    with pytest.raises(LakeError, match="meanwhile"), published_copy.working_copy(place) as file:
        tables.create_tables(file)
        elsewhere(lambda: tables.create_tables(place))


KILLED = """
import os, signal, sys
import polars as pl
from leamstore import storage, tables

with tables.writing(storage.location(sys.argv[1])) as connection:
    row = {"name": "killed", "value": "1"}
    tables.append(connection, "settings", pl.DataFrame([row]))
    connection.commit()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_writer_that_is_killed_before_it_publishes_leaves_the_old_state(place):
    write(place, "old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(place)], env=os.environ, check=False)
    assert done.returncode == -signal.SIGKILL
    assert names(place) == ["old"]
    write(place, "new")
    assert names(place) == ["old", "new"]


def test_only_the_last_copies_are_kept(place, tmp_path):
    for name in "abcd":
        write(place, name)
    assert len(list((tmp_path / "cache").rglob("*.copy"))) == 2
    assert not list((tmp_path / "cache").rglob("work.*"))


def test_tables_that_are_not_there_are_named(bucket):
    place = storage.location(bucket) / "lake.duckdb"
    with pytest.raises(LakeError, match=f"there is no {place}"), tables.reading(place):
        pass
