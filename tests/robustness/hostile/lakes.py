"""Queries that ask for more than a lake, and lakes that somebody else made."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb

from tests.robustness.hostile import readers
from tests.robustness.hostile.case import Case, Room

ENDLESS = "SELECT count(*) FROM range(10000000) a(x), range(10000000) b(y) WHERE x * y % 7 = 3"
GREEDY = "SELECT list(x::VARCHAR || repeat('y', 100)) FROM range(100000000) t(x)"
MAPS = "maps.zarr/NET/conv1/relevance"
SHARD = f"{MAPS}/c/0/0/0"


def the(value: object) -> Callable[[Room], object]:
    return lambda _: value


def changed(change: Callable[[Path], object]) -> Callable[[Room], Path]:
    """A copy of the lake, changed."""

    def make(room: Room) -> Path:
        shutil.copytree(room.lake, room.folder / "their.lake")
        change(room.folder / "their.lake")
        return room.folder / "their.lake"

    return make


def tables(*statements: str) -> Callable[[Room], Path]:
    def change(lake: Path) -> None:
        with duckdb.connect(str(lake / "lake.duckdb")) as connection:
            for statement in statements:
                connection.execute(statement)

    return changed(change)


def metadata(place: str, **fields: object) -> Callable[[Room], Path]:
    def change(lake: Path) -> None:
        file = lake / place / "zarr.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | fields))

    return changed(change)


def huge_shards(lake: Path) -> None:
    file = lake / MAPS / "zarr.json"
    content = json.loads(file.read_text())
    for part in (content["chunk_grid"], content["codecs"][0]):
        part["configuration"]["chunk_shape"][0] = 64 * 10**8
    content["shape"][0] = 64 * 10**8
    file.write_text(json.dumps(content))


def replaced(place: str, make: Callable[[Path], object]) -> Callable[[Room], Path]:
    def change(lake: Path) -> None:
        path = lake / place
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        make(path)

    return changed(change)


def link_to(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


def pickled_array(path: Path) -> None:
    """An array of Zarr 2 whose reader would unpickle it."""
    path.mkdir()
    facts = {
        "zarr_format": 2,
        "shape": [64],
        "chunks": [64],
        "dtype": "|O",
        "compressor": None,
        "filters": [{"id": "pickle"}],
        "order": "C",
        "fill_value": None,
    }
    (path / ".zarray").write_text(json.dumps(facts))


def view(name: str, query: str) -> Callable[[Room], Path]:
    """A lake of which a table is a view on something else."""
    return tables(f"ALTER TABLE {name} RENAME TO own", f"CREATE VIEW {name} AS {query}")


DASHBOARD = r"DuckDB refuses the query: .*"
ONE = r"write one query that reads: SELECT, FROM, WITH, DESCRIBE, SUMMARIZE or EXPLAIN\."
CLOSED = r".*(file system operations are|Loading external extensions is) disabled.*"

_QUERIES = [
    ("writes", "DELETE FROM images", ONE),
    ("writes within EXPLAIN", "EXPLAIN ANALYZE DELETE FROM images", rf"{DASHBOARD}read-only mode!"),
    (
        "copies out within EXPLAIN",
        "EXPLAIN ANALYZE COPY images TO 'x.csv'",
        rf"{DASHBOARD}disabled by configuration",
    ),
    ("attaches", "ATTACH 'x.duckdb'", ONE),
    ("reads a file", "FROM read_text('/etc/hostname')", rf"{DASHBOARD}disabled by configuration"),
    (
        "reads from a host",
        "FROM 'http://127.0.0.1/x.parquet'",
        rf"{DASHBOARD}disabled by configuration",
    ),
    ("installs an extension", "INSTALL httpfs", ONE),
    ("opens its own lock", "SET enable_external_access = true", ONE),
    ("is two", "SELECT 1; DROP TABLE images", ONE),
    ("is nothing", "-- ", ONE),
    (
        "is nested without end",
        f"SELECT {'(' * 10**4}1{')' * 10**4}",
        rf"{DASHBOARD}Max expression depth .*",
    ),
    ("has no end", ENDLESS, r"the query took longer than 0\.5 seconds and was ended: .*"),
    (
        "answers what no frame holds",
        "SELECT INTERVAL 1 MONTH",
        r"the answer can't be read \(.*\): cast its columns to VARCHAR\.",
    ),
    (
        "answers a day without end",
        "SELECT 'infinity'::DATE AS a",
        r"the answer can't be read \(a holds times before year 1 or after 9999\): .*",
    ),
]

_COMMANDS = [
    ("writes", ["DROP TABLE images"], r"Error: DuckDB refuses the query: .*read-only mode!"),
    ("attaches", ["ATTACH 'x.duckdb'"], CLOSED),
    ("reads a file", ["FROM read_csv('/etc/passwd')"], CLOSED),
    ("copies out", ["COPY images TO 'x.csv'"], CLOSED),
    ("loads an extension", ["LOAD '/tmp/x.duckdb_extension'"], CLOSED),
    (
        "has no end",
        [ENDLESS, "--seconds", "0.5"],
        r"Error: the query took longer than 0\.5 seconds .*",
    ),
    (
        "takes all memory",
        [GREEDY, "--memory", "100MB"],
        r"Error: the query needs more memory than its limit: .*",
    ),
    ("is nothing", [""], r"Error: the query asks nothing: write one\."),
    ("is no text", ["SELECT '\udcff'"], r"Error: DuckDB refuses the query: .*surrogate.*"),
    (
        "answers what csv can't hold",
        ["SELECT [1]", "--csv"],
        r"Error: csv holds no lists and no bytes: .*",
    ),
    (
        "answers what controls the terminal",
        ["SELECT '\x1b[2J[red]' AS a"],
        r"printed [^\x1b]*\\x1b\[2J\[red\][^\x1b]*",
    ),
]

_OPENED = [
    (
        "layers that lead out",
        tables("UPDATE layers SET layer = '../../../x' WHERE position = 0"),
        r".*can't be used: '\.\./\.\./\.\./x' is no name of a model, layer or parser\.",
    ),
    (
        "an absolute path",
        tables("UPDATE models SET model = '/etc'", "UPDATE layers SET model = '/etc'"),
        r".*can't be used: '/etc' is no name of a model, .*",
    ),
    (
        "a parser that leads out",
        tables("UPDATE settings SET value = '../x' WHERE name = 'parser'"),
        r".*'\.\./x' is no name of a model, layer or parser\.",
    ),
    *(
        (
            f"a layer whose {column} is {value}",
            tables(f"UPDATE layers SET {column} = '{value}' WHERE layer = 'conv1'"),
            r".*can't be used: the cells of 'conv1' of 'NET' lie nowhere\.",
        )
        for column, value in (("stride", "NaN"), ("stride", 0), ('"offset"', "inf"), ("width", 0))
    ),
    (
        "settings that are none",
        tables("UPDATE settings SET value = 'many' WHERE name = 'keep_pairs'"),
        r".*its settings can't be read \(invalid literal .*\)\.",
    ),
    (
        "a table that asks without end",
        view("settings", ENDLESS),
        r".*table settings has no column name of type VARCHAR; .*",
    ),
    (
        "a table that reads a file",
        view("images", "FROM read_text('/etc/hostname')"),
        r".*can't be used: .*|.*cannot be created.*",
    ),
    (
        "columns of another type",
        tables("ALTER TABLE images ALTER image_id TYPE VARCHAR"),
        r".*table images has no column image_id of type INTEGER\.",
    ),
    ("a pipe for its tables", replaced("lake.duckdb", os.mkfifo), r"there is no lake at .*"),
    (
        "a link for its tables",
        replaced("lake.duckdb", link_to("/etc/passwd")),
        r".*lake\.duckdb cannot be opened: .*",
    ),
    (
        "metadata nested without end",
        changed(lambda lake: (lake / "maps.zarr/zarr.json").write_text("[" * 10**5)),
        r".*maps\.zarr can't be opened: its metadata can't be read \(maximum recursion .*\)\.",
    ),
]

_VERIFIED = [
    (
        "an array of objects",
        metadata(MAPS, data_type="object"),
        rf"{MAPS}: its metadata can't be read \(No Zarr data type found .*\)",
    ),
    (
        "a codec that unpickles",
        metadata(MAPS, codecs=[{"name": "numcodecs.pickle"}]),
        rf"{MAPS}: its metadata can't be read \(Unknown codec: .*\)",
    ),
    (
        "an array of text",
        metadata(MAPS, data_type="string", fill_value="", codecs=[{"name": "vlen-utf8"}]),
        rf"{MAPS}: its shards are StringDType\(\) \(64, 4, 4\), not float16 \(64, 4, 4\)",
    ),
    (
        "an array of Zarr 2 that unpickles",
        replaced(MAPS, pickled_array),
        rf"{MAPS}: the array is missing; .*",
    ),
    (
        "an array without end",
        metadata(MAPS, shape=[10**12, 4, 4]),
        r"maps\.zarr: xarray can't open it \(conflicting sizes for dimension 'image': .*",
    ),
    (
        "shards without end",
        changed(huge_shards),
        rf"{MAPS}: its shards are float16 \(6400000000, 4, 4\), not float16 \(64, 4, 4\)",
    ),
    (
        "an image at the end of all numbers",
        tables("UPDATE images SET image_id = 2147483647 WHERE image_id = 3"),
        r"images, Bea: its image_ids are far apart, or below 0",
    ),
    (
        "a link to a device",
        replaced(SHARD, link_to("/dev/zero")),
        rf"{SHARD}: it is a link to /dev/zero",
    ),
    (
        "a link to another lake",
        replaced(MAPS, link_to("/other.lake")),
        rf"{MAPS}: it is a link to /other\.lake",
    ),
    (
        "a pipe for a shard",
        replaced(SHARD, os.mkfifo),
        rf"{SHARD}: it is neither a file nor a folder",
    ),
]

CASES = [
    *(
        Case(f"dashboard: a query that {name}", the(query), readers.dashboard, answer)
        for name, query, answer in _QUERIES
    ),
    Case(
        "dashboard: a query that takes all memory",
        the(GREEDY),
        readers.dashboard_process,
        r"the query needs more than 512 MB of memory: .*",
    ),
    *(
        Case(f"leamstore sql: a query that {name}", the(words), readers.command, answer)
        for name, words, answer in _COMMANDS
    ),
    *(Case(f"lake: {name}", make, readers.opened, answer) for name, make, answer in _OPENED),
    *(Case(f"lake: {name}", make, readers.verified, answer) for name, make, answer in _VERIFIED),
    Case(
        "lake: maps of a size that no memory has",
        tables("UPDATE layers SET height = 2147483647"),
        readers.cube,
        r".*conv1/relevance has other shards than \(64, 2147483647, 4\) float16: .*",
    ),
    Case(
        "lake: a tree with an array of objects",
        metadata(MAPS, data_type="object"),
        readers.tree,
        r".*maps\.zarr can't be opened: its metadata can't be read \(No Zarr data type .*\)\.",
    ),
]
