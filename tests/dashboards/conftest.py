import shutil
import sys
from functools import cache, partial
from pathlib import Path

import polars as pl
import pytest
from PIL import Image
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from leamstore import schema, tables
from leamstore.lake import Lake, LakeSettings
from tests.made_once import made_once

PATIENCE_SECONDS = 60
_MAIN = sys.modules["__main__"]


@pytest.fixture(autouse=True)
def _the_main_module_stays():
    """AppTest leaves its page as the main module, which processes of later tests would begin by."""
    yield
    sys.modules["__main__"] = _MAIN


@pytest.fixture(scope="session", autouse=True)
def _components_are_looked_for_once():
    """Streamlit reads what all installed packages say of themselves for each page that it tests."""
    found_once = cache(manifest_scanner.scan_component_manifests)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", found_once)
        yield


@pytest.fixture(scope="session")
def lake(demo_ingest, tmp_path_factory):
    """Two women of the demo set with three images each, two layers, and two rejected images."""
    return Lake(made_once(tmp_path_factory, "two-rejected", partial(_reject_two, demo_ingest.lake)))


def _reject_two(demo_lake, folder):
    shutil.copytree(demo_lake, folder, dirs_exist_ok=True)
    lake = Lake(folder)
    wall = folder.with_suffix(".png")
    Image.new("RGB", (60, 40), "navy").save(wall)
    reject(lake, wall, "no-face", "No face was found.")
    reject(lake, folder.with_name("gone.png"), "truncated", "The file ends before the image does.")


@pytest.fixture(scope="session")
def answered(lake, tmp_path_factory):
    """The same lake with the answers that its pages show."""
    return Lake(made_once(tmp_path_factory, "answered", partial(_answer, lake)))


def _answer(lake, folder):
    from tests.dashboards.planted import answer_all

    shutil.copytree(lake.path, folder, dirs_exist_ok=True)
    answer_all(Lake(folder))


@pytest.fixture
def one_person(demo_ingest, tmp_path):
    """The lake of the first woman alone."""
    shutil.copytree(demo_ingest.lake, tmp_path / "one.lake")
    one_person = Lake(tmp_path / "one.lake")
    with tables.writing(one_person.tables_path) as connection:
        _delete_what_is_counted_of_the_second_woman(connection)
        connection.execute("DELETE FROM images WHERE identity = 'Grace_Hopper'")
    return one_person


@pytest.fixture
def empty(tmp_path):
    return Lake.create(tmp_path / "empty.lake", LakeSettings("landmarks", 2, True, 0))


@pytest.fixture
def half(lake, tmp_path):
    """The lake as an ingest leaves it that was killed before its model saw the second woman."""
    shutil.copytree(lake.path, tmp_path / "half.lake")
    half = Lake(tmp_path / "half.lake")
    with tables.writing(half.tables_path) as connection:
        _delete_what_is_counted_of_the_second_woman(connection)
        connection.execute("UPDATE units SET images = 3 WHERE model = 'DLIB_R29'")
        connection.execute("UPDATE runs SET ended = NULL, summary = NULL")
    return half


def _delete_what_is_counted_of_the_second_woman(connection):
    second = "(SELECT image_id FROM images WHERE identity = 'Grace_Hopper')"
    for table, column in {
        "embeddings": "image_id", "pairs": "anchor", "pair_regions": "anchor",
        "image_regions": "image_id",
    }.items():  # fmt: skip
        connection.execute(f"DELETE FROM {table} WHERE {column} IN {second}")


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
