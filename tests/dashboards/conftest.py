import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from leamstore import schema, tables
from leamstore.lake import Lake, LakeSettings

PATIENCE_SECONDS = 60
_MAIN = sys.modules["__main__"]


@pytest.fixture(autouse=True)
def _the_main_module_stays():
    """AppTest leaves its page as the main module, which processes of later tests would begin by."""
    yield
    sys.modules["__main__"] = _MAIN


def ingest(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "ingest", "--models", "DLIB_R29", "--layers", "0,layer1.0.conv2",
         "--max-images", "3", "--lake", str(folder / "demo.lake"), *arguments],
        capture_output=True, text=True, check=False,
        env=os.environ | {"LEAM_OFFLINE": "1", "LEAM_CACHE": str(folder / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Lake(folder / "demo.lake")


@pytest.fixture(scope="session")
def lake(tmp_path_factory):
    """Two women of the demo set with three images each, two layers, and two rejected images."""
    folder = tmp_path_factory.mktemp("whole")
    lake = ingest(folder)
    Image.new("RGB", (60, 40), "navy").save(folder / "wall.png")
    reject(lake, folder / "wall.png", "no-face", "No face was found.")
    reject(lake, folder / "gone.png", "truncated", "The file ends before the image does.")
    return lake


@pytest.fixture(scope="session")
def answered(lake, tmp_path_factory):
    """The same lake with the answers that its pages show."""
    from tests.dashboards.planted import answer_all

    folder = tmp_path_factory.mktemp("answered") / "answered.lake"
    shutil.copytree(lake.path, folder)
    answered = Lake(folder)
    answer_all(answered)
    return answered


@pytest.fixture(scope="session")
def one_person(tmp_path_factory):
    return ingest(tmp_path_factory.mktemp("one"), "--max-identities", "1")


@pytest.fixture
def empty(tmp_path):
    return Lake.create(tmp_path / "empty.lake", LakeSettings("landmarks", 2, True, 0))


@pytest.fixture
def half(lake, tmp_path):
    """The lake as an ingest leaves it that was killed before its model saw the second woman."""
    shutil.copytree(lake.path, tmp_path / "half.lake")
    half = Lake(tmp_path / "half.lake")
    with tables.writing(half.tables_path) as connection:
        second = "(SELECT image_id FROM images WHERE identity = 'Grace_Hopper')"
        for table, column in {
            "embeddings": "image_id", "pairs": "anchor", "pair_regions": "anchor",
            "image_regions": "image_id",
        }.items():  # fmt: skip
            connection.execute(f"DELETE FROM {table} WHERE {column} IN {second}")
        connection.execute("UPDATE units SET images = 3 WHERE model = 'DLIB_R29'")
        connection.execute("UPDATE runs SET ended = NULL, summary = NULL")
    return half


def reject(lake, path, reason, detail):
    row = {column.name: None for column in schema.table("images").columns} | {
        "identity": "Nobody", "dataset": "demo", "path": str(path), "status": "rejected",
        "reason": reason, "detail": detail,
    }  # fmt: skip
    with tables.writing(lake.tables_path) as connection:
        tables.append(connection, "images", pl.DataFrame([row]))


@pytest.fixture
def open_page():
    """Open a page in Streamlit's own test browser, with an address of one's own."""

    def open_page(page, lake, **address):
        shown = AppTest.from_function(
            _show_page, default_timeout=PATIENCE_SECONDS, args=(page, str(_path(lake)))
        )
        for name, value in address.items():
            shown.query_params[name.replace("_", "-")] = value
        return shown.run()

    return open_page


def _path(lake):
    return lake.path if isinstance(lake, Lake) else Path(lake)


def _show_page(address, lake):
    from dashboards.shell import show_page
    from dashboards.views import PAGES

    show_page(next(page for page in PAGES if page.address == address), lake)
