"""The page about extending, followed to the letter: each kind of thing is a file and a line."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from leamstore.lake import Lake
from tests.docs.blocks import ROOT

PACKAGES = ("leamstore", "ingest", "analyses", "dashboards")


def code_of(section, language="python"):
    """The first block of a section of the page."""
    page = (ROOT / "docs" / "extending.md").read_text()
    text = page.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.search(rf"```{language}\n(.*?)```", text, re.S)[1]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout to which one thing of each kind has been added."""
    folder = tmp_path_factory.mktemp("checkout")
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    shutil.copy(ROOT / "catalog.yaml", folder)
    add(folder, "halves.py", code_of("A parser"))
    add(folder, "mine.py", code_of("A data set"))
    add(folder, "mine.yaml", code_of("A parser", "yaml") + code_of("A data set", "yaml"))
    add(folder, "ingest/leam/sharpened.py", code_of("A target"))
    register(
        folder / "ingest/leam/targets.py",
        '        Target("norm",',
        '        Target("sharpened", sharpened_cosine),\n',
        "from ingest.leam.sharpened import sharpened_cosine\n",
    )
    add(folder, "analyses/peaks.py", code_of("An analysis"))
    register(folder / "analyses/questions.py", '    "analyses.person', '    "analyses.peaks",\n')
    add(folder, "dashboards/views/peaks.py", code_of("A page of the dashboards"))
    register(
        folder / "dashboards/views/__init__.py",
        '    "dashboards.views.person',
        '    "dashboards.views.peaks",\n',
    )
    return folder


def add(folder, name, text):
    place = folder / name
    assert not place.exists()
    place.write_text(text)


def register(registry, before, line, imported=""):
    """Add a line in front of another one, and an import that the line needs."""
    text = registry.read_text()
    assert text.count(before) == 1
    text = text.replace(before, line + before)
    if imported:
        text = text.replace("from leamstore", imported + "from leamstore", 1)
    registry.write_text(text)


def run(checkout, *arguments):
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(checkout), "LEAM_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def lake(checkout):
    """A lake of the new data set, made with the new parser and the new target."""
    from ingest.photographs.datasets import open_dataset

    open_dataset("demo", checkout / "photographs" / "faces")
    for name in ("identities.csv", "images.csv"):
        (checkout / "photographs" / name).unlink(missing_ok=True)
    run(
        checkout, "-m", "ingest", "--catalog", "mine.yaml", "--dataset", "mine",
        "--root", "photographs", "--parser", "halves", "--target", "sharpened",
        "--models", "DLIB_R29", "--layers", "0", "--max-images", "2", "--lake", "a.lake",
    )  # fmt: skip
    return Lake(checkout / "a.lake")


def test_a_data_set_is_a_file_and_an_entry(lake):
    assert lake.sql("SELECT DISTINCT dataset FROM images").rows() == [("mine",)]


def test_a_parser_is_a_file_and_an_entry(lake):
    assert lake.settings.parser == "halves"
    seen = lake.sql("SELECT count(face), count(nose) FROM image_regions").row(0)
    assert seen[0] > 0
    assert seen[1] == 0, "what it doesn't name in regions is NULL"


def test_a_target_is_a_file_and_a_line(lake):
    models = lake.sql("SELECT model, target FROM models").rows()
    assert models == [("DLIB_R29@sharpened", "sharpened")]


def test_a_question_is_a_file_and_a_line(checkout, lake):
    run(checkout, "-m", "analyses", "peaks", "--lake", "a.lake", "--draws", "100")
    assert lake.sql("SELECT count(*) FROM result_peaks").item() == 1


def test_a_page_is_a_file_and_a_line(checkout, lake):
    (checkout / "show.py").write_text(SHOW)
    assert run(checkout, "show.py") == "1 tables, 0 errors\n"


SHOW = """
from streamlit.testing.v1 import AppTest


def show():
    from dashboards.shell import show_page
    from dashboards.views import PAGES

    show_page(next(page for page in PAGES if page.address == "peaks"), "a.lake")


page = AppTest.from_function(show, default_timeout=120).run()
errors = len(page.exception) + len(page.error)
print(f"{len(page.dataframe)} tables, {errors} errors")
"""
