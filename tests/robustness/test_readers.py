"""Reading and asking a lake while an ingest is at work on it."""

import shutil
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest

from leamstore import arrays
from leamstore.lake import Lake
from leamstore.tables import results

INGEST = """
import sys
from pathlib import Path
from tests.robustness.scenarios import ingest
ingest(Path(sys.argv[1]), Path(sys.argv[2]))
"""

UNITS = """
    SELECT model, images, pairs,
        (SELECT count(*) FROM embeddings AS e WHERE e.model = u.model
            AND image_id // 4 BETWEEN block AND block + shards - 1) AS embedded,
        (SELECT count(*) FROM pairs AS p WHERE p.model = u.model
            AND anchor // 4 BETWEEN block AND block + shards - 1) AS paired
    FROM units AS u WHERE model <> 'faces'
"""


@pytest.fixture
def at_work(demo_photographs, tmp_path):
    """An ingest that has a dozen units to do, and its lake, as soon as that is there."""
    for path in sorted(demo_photographs.rglob("*.jpg")):
        person = tmp_path / "photographs" / f"{path.parent.name}_{int(path.stem[-1]) // 3}"
        person.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, person / path.name)
    process = subprocess.Popen(
        [sys.executable, "-c", INGEST, tmp_path / "photographs", tmp_path / "a.lake"]
    )
    while not (tmp_path / "a.lake" / "lake.duckdb").exists():
        assert process.poll() is None
        time.sleep(0.02)
    yield process, Lake(tmp_path / "a.lake")
    process.kill()
    process.wait()


def test_readers_see_whole_units_and_analyses_write_their_tables_meanwhile(at_work):
    process, lake = at_work
    seen = set()
    while process.poll() is None:
        units = lake.sql(UNITS)
        assert units["images"].to_list() == units["embedded"].to_list()
        assert units["pairs"].to_list() == units["paired"].to_list()
        for model, image_id in lake.sql(
            "SELECT model, max(image_id) FROM embeddings GROUP BY 1"
        ).rows():
            maps = arrays.open_array(lake.maps_path, f"{model}/conv2/relevance")
            assert np.isfinite(maps[image_id]).all()
        seen.add(units.height)
        time.sleep(0.02)
        written = {"count": pl.DataFrame({"units": [units.height]})}
        results.write_results(lake, "test", written, {}, results.inputs_checksum(lake))
        assert results.read_results(lake, "test")["count"].item() == units.height
    assert process.returncode == 0
    assert len(seen) > 1, "it was read between units"
    assert not results.are_current(lake, "test", {}, "another")
