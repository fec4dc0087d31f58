"""Ingest into an object store, against the same ingest into a folder."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import zarr
from polars.testing import assert_frame_equal

from analyses import __main__ as analyses
from ingest import __main__ as ingest
from leamstore import schema
from leamstore.lake import Lake
from leamstore.safety.verify import verify
from leamstore.storage import zarr_store
from tests.s3_host import S3Host
from tests.small_network import NAME, write_small_catalog

NOT_ALIKE = {"runs": None, "units": ["run_id", "finished"]}
"""Columns that no two ingests share, by table; None: all of them."""


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    """The words that ask for six photographs, one model and one layer in a lake."""
    catalog = write_small_catalog(tmp_path_factory.mktemp("catalog") / "small.yaml")
    return lambda lake: [
        *("--catalog", str(catalog)),
        *("--max-images", "3", "--workers", "1", "--models", NAME, "--layers", "conv1"),
        *("--parser", "landmarks", "--keep-pairs", "1", "--lake", str(lake), "--quiet"),
    ]


@pytest.fixture(scope="module")
def host():
    with S3Host() as host:
        host.make_bucket("lakes")
        yield host


@pytest.fixture(scope="module")
def settings(host, tmp_path_factory):
    """What a user sets, for the processes and for the fixtures of this module."""
    cache = tmp_path_factory.mktemp("cache")
    return {**host.environment, "LEAM_CACHE": str(cache)}


@pytest.fixture(scope="module")
def run(settings):
    """Run a command line in this process."""

    def call(app, *arguments):
        with pytest.MonkeyPatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name, value)
            app(arguments, standalone_mode=False)

    return call


@pytest.fixture(scope="module")
def in_folder(run, arguments, tmp_path_factory):
    lake = tmp_path_factory.mktemp("lakes") / "a.lake"
    run(ingest.app, *arguments(lake))
    return lake


@pytest.fixture(scope="module")
def in_bucket(run, arguments, settings, host, in_folder):
    """A lake whose first ingest was killed when it had begun to write maps, and was run again."""
    lake = "s3://lakes/here/a.lake"
    command = [sys.executable, "-m", "ingest", *arguments(lake)]
    killed = subprocess.Popen(command, env=os.environ | settings)
    while not any(method == "PUT" and "relevance/c/" in path for method, path in host.requests):
        assert killed.poll() is None
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    run(ingest.app, *arguments(lake))
    return lake


@pytest.fixture
def opened(settings, monkeypatch):
    """Open a lake as these ingests do."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return Lake


def arrays_of(store):
    group = zarr.open_group(zarr_store(store), mode="r", zarr_format=3)
    return {
        name: np.asarray(node[:])
        for name, node in group.members(max_depth=None)
        if isinstance(node, zarr.Array)
    }


def test_an_ingest_into_a_bucket_that_was_killed_and_resumed_equals_one_into_a_folder(
    in_folder, in_bucket, opened
):
    folder, bucket = opened(in_folder), opened(in_bucket)
    for table in schema.TABLES:
        differing = NOT_ALIKE.get(table.name, [])
        if differing is not None:
            rows, others = (lake.sql(f"FROM {table.name}") for lake in (folder, bucket))
            assert_frame_equal(rows.drop(differing), others.drop(differing), check_row_order=False)
    for store in ("maps_path", "faces_path"):
        stored, others = (arrays_of(getattr(lake, store)) for lake in (folder, bucket))
        assert stored.keys() == others.keys()
        for name, values in stored.items():
            np.testing.assert_array_equal(values, others[name])


def test_a_lake_that_was_made_in_a_bucket_is_whole(in_bucket, opened):
    assert verify(opened(in_bucket)) == []


def test_a_finished_ingest_into_a_bucket_writes_no_array_again(in_bucket, run, arguments, host):
    host.forget()
    run(ingest.app, *arguments(in_bucket))
    written = {path for method, path in host.requests if method == "PUT"}
    assert written == {"/lakes/here/a.lake/lake.duckdb"}


def test_analyses_answer_from_a_bucket_and_publish_what_they_find(in_bucket, run, opened):
    run(analyses.app, "regions", "--lake", in_bucket, "--draws", "100", "--quiet")
    assert opened(in_bucket).sql("FROM result_regions_by_model").height
