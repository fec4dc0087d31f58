import csv
import io
import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import psutil
import pytest

from leamstore import schema
from leamstore.__main__ import app
from leamstore.catalog import read_catalog
from leamstore.commandline import run
from leamstore.errors import LakeError
from leamstore.file_names import file_name
from leamstore.tables.results import write_results


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


WELL_INTO_THE_QUERY = 1
"""Seconds of the processor since the tables were opened; to check them takes a tenth."""


@pytest.fixture
def leamstore(monkeypatch, capsys):
    """`python -m leamstore`, run in this process."""

    def call(*arguments, piped="", columns=300):
        monkeypatch.setattr(sys, "argv", ["leamstore", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(piped))
        monkeypatch.setenv("COLUMNS", str(columns))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run(app)
        return Done(ended.value.code or 0, *capsys.readouterr())

    return call


def test_info_counts_what_the_lake_holds(leamstore, lake):
    facts = json.loads(leamstore("info", "--lake", lake.path, "--json").stdout)
    assert facts["images"] == {"found": 4, "kept": 4, "identities": 2, "datasets": ["test"]}
    assert facts["models"][0]["model"] == "NET"
    assert facts["settings"]["parser"] == "landmarks"
    shown = leamstore("info", "--lake", lake.path).stdout
    assert "NET" in shown
    assert "MiB" in shown


def test_sql_prints_a_table_csv_or_json(leamstore, lake):
    query = "SELECT identity, count(*) AS n FROM images GROUP BY 1 ORDER BY 1"
    assert "Ada" in leamstore("sql", query, "--lake", lake.path).stdout
    printed = leamstore("sql", query, "--lake", lake.path, "--csv").stdout
    assert list(csv.reader(io.StringIO(printed))) == [["identity", "n"], ["Ada", "2"], ["Bea", "2"]]
    piped = leamstore("sql", "-", "--lake", lake.path, "--json", piped=query).stdout
    assert json.loads(piped) == [{"identity": "Ada", "n": 2}, {"identity": "Bea", "n": 2}]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("SELECT nonsense FROM images", 'column "nonsense" not found'),
        ("DELETE FROM images", "read-only"),
        ("SELECT * FROM read_csv('/etc/hostname')", "disabled by configuration"),
    ],
)
def test_a_query_that_is_refused_ends_in_a_sentence(leamstore, lake, query, sentence):
    done = leamstore("sql", query, "--lake", lake.path)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_the_lake_may_be_named_by_the_environment(leamstore, lake, monkeypatch):
    monkeypatch.setenv("LEAM_LAKE", str(lake.path))
    done = leamstore("sql", "SELECT 7 AS seven", "--csv")
    assert done.stdout == "seven\n7\n"


def test_debug_shows_where_an_error_came_from(leamstore, tmp_path):
    with pytest.raises(LakeError):
        leamstore("info", "--lake", tmp_path / "none", "--debug")


def test_ctrl_c_ends_a_query_without_end(lake):
    endless = "SELECT max(a * b) FROM range(10000000) t(a), range(10000000) u(b)"
    child = psutil.Popen([sys.executable, "-m", "leamstore", "sql", endless, "--lake", lake.path])
    wait_while(child, lambda: not any("lake.duckdb" in file.path for file in child.open_files()))
    opened = seconds_of(child)
    wait_while(child, lambda: seconds_of(child) < opened + WELL_INTO_THE_QUERY)
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=10) != 0


def seconds_of(child):
    return sum(child.cpu_times()[:2])


def wait_while(child, is_so):
    while is_so():
        assert child.poll() is None
        time.sleep(0.02)


def test_ctrl_c_that_duckdb_noticed_is_the_same_sentence(capsys):
    def insert_rows():
        raise RuntimeError("Query interrupted")

    with pytest.raises(SystemExit, match="130"):
        run(insert_rows)
    assert "the same command goes on from there" in capsys.readouterr().err


def test_the_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "leamstore", "--help"], capture_output=True, text=True, check=True
    )
    for command in ("info", "sql", "verify", "export", "catalog", "schema"):
        assert command in done.stdout


def test_the_catalog_says_what_is_ready_and_how_to_get_the_rest(leamstore, tmp_path, monkeypatch):
    monkeypatch.setenv("LEAM_CACHE", str(tmp_path))
    monkeypatch.setenv("LEAM_OFFLINE", "1")
    rows = {row["name"]: row for row in json.loads(leamstore("catalog", "--json").stdout)}
    assert rows["DLIB_R29"]["state"] == "ready"
    assert rows["AF_R18"]["state"] == "place by hand"
    assert str(tmp_path / "ms1mv3_arcface_r18_fp16/backbone.pth") in rows["AF_R18"]["what_to_do"]


def test_the_catalog_is_a_line_for_each_entry_and_none_is_folded(leamstore):
    lines = leamstore("catalog", columns=80).stdout.splitlines()
    names = [entry.name for entry in read_catalog().entries]
    assert [line.split()[0] for line in lines if line.startswith("  ")] == names
    assert max(map(len, lines)) <= 80


def test_an_entry_of_the_catalog_is_shown_in_full(leamstore, monkeypatch):
    monkeypatch.setenv("LEAM_OFFLINE", "1")
    entry = read_catalog().model("AF_R50")
    shown = leamstore("catalog", "AF_R50", columns=80).stdout
    for fact in (*entry.weights.mirrors, entry.weights.sha256, entry.citation, "layer2.1.conv1"):
        assert fact in shown
    facts = json.loads(leamstore("catalog", "AF_R50", "--json").stdout)
    assert facts["state"] == "place by hand"
    assert facts["entry"] == entry.model_dump(mode="json")
    assert "did you mean AF_R50?" in leamstore("catalog", "AF-R50").stderr


def test_verify_says_when_all_is_well_and_fails_when_it_is_not(leamstore, lake):
    done = leamstore("verify", "--lake", lake.path)
    assert done.returncode == 0
    assert "is whole" in done.stdout
    (lake.maps_path / "NET/conv1/relevance/c/0/0/0").write_bytes(b"broken")
    done = leamstore("verify", "--lake", lake.path, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)[0]["place"] == "maps.zarr/NET/conv1/relevance, shard 0"
    assert (
        "Units removed, to be recomputed now: 1."
        in leamstore("verify", "--repair", "--lake", lake.path).stderr
    )


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_export_writes_every_table(leamstore, lake, tmp_path, file_format):
    folder = tmp_path / "out"
    done = leamstore("export", folder, "--lake", lake.path, "--format", file_format)
    assert done.returncode == 0, done.stderr
    read = {"parquet": pl.read_parquet, "csv": pl.read_csv}[file_format]
    assert (
        read(folder / f"images.{file_format}")["identity"].to_list()
        == lake.images["identity"].to_list()
    )
    again = leamstore("export", folder, "--lake", lake.path, "--format", file_format)
    assert again.returncode == 1
    assert "name an empty folder" in again.stderr


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_export_writes_answers_and_views_too(leamstore, lake, tmp_path, file_format):
    nested = pl.DataFrame({"region": ["nose"], "shares": [[0.1, 0.2]]})
    results = {"regions": nested, "a/b c": nested}
    write_results(lake, "regions", results, {}, "inputs")
    done = leamstore("export", tmp_path / "out", "--lake", lake.path, "--format", file_format)
    assert done.returncode == 0, done.stderr
    names = {path.stem for path in (tmp_path / "out").iterdir()}
    assert names >= {spec.name for spec in (*schema.TABLES, *schema.VIEWS)}
    assert names >= {"result_regions", file_name("result_a/b c")}
    assert f"Tables and views written to {tmp_path / 'out'}: {len(names)}" in done.stdout.replace(
        "\n", ""
    )
    tables = lake.sql(
        "SELECT count(*) FROM information_schema.tables WHERE table_catalog = current_catalog()"
    )
    assert len(names) == tables.item()


def test_an_unknown_format_is_a_sentence(leamstore, lake, tmp_path):
    done = leamstore("export", tmp_path, "--lake", lake.path, "--format", "xls")
    assert "can't export as xls; choose parquet or csv" in done.stderr.replace("\n", " ")


def test_the_schemas_page_is_the_one_in_the_docs(leamstore):
    assert leamstore("schema").stdout == Path("docs/schema.md").read_text(encoding="utf-8")


def test_every_command_takes_a_lake_in_an_object_store(leamstore, stored_lake, tmp_path):
    address = str(stored_lake.path)
    facts = json.loads(leamstore("info", "--lake", address, "--json").stdout)
    assert facts["lake"] == address
    assert facts["images"]["kept"] == 4
    assert "Ada" in leamstore("sql", "SELECT identity FROM images", "--lake", address).stdout
    assert leamstore("verify", "--lake", address).stdout == f"{address} is whole.\n"
    assert leamstore("export", tmp_path / "tables", "--lake", address).returncode == 0
    assert pl.read_parquet(tmp_path / "tables" / "images.parquet").height == 4


def test_a_bucket_that_is_missing_ends_a_command_with_a_sentence(leamstore, bucket):
    done = leamstore("info", "--lake", "s3://elsewhere/a.lake")
    assert done.returncode == 1
    assert done.stderr == "Error: there is no bucket s3://elsewhere: make it, or name another.\n"
