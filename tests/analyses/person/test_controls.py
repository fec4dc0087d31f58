import json
from datetime import UTC, datetime

import numpy as np
import polars as pl

from analyses.person.controls import RANDOM, command_to_add, find_subjects
from leamstore import tables
from tests.analyses.planted import grey_chips, maps_at, plant_lake
from tests.analyses.planted_faces import Colours


def lake_of(path, *models):
    chips = grey_chips(6, np.random.default_rng(0))
    return plant_lake(path, Colours, chips, {model: maps_at([0] * 6) for model in models})


def record_run(lake, command, hour, models=()):
    row = {"run_id": str(hour), "command": command, "versions": json.dumps({}),
           "settings": json.dumps({"models": models}),
           "started": datetime(2026, 1, 1, hour, tzinfo=UTC),
           "ended": None, "summary": None}  # fmt: skip
    with tables.writing(lake.tables_path) as connection:
        tables.append(connection, "runs", pl.DataFrame([row]))


def test_controls_are_no_subjects_and_stand_beside_the_model_they_control(tmp_path):
    (subject,) = find_subjects(lake_of(tmp_path / "a.lake", "NET", "NET@norm", "NET@random"))
    assert subject.name == "NET"
    assert subject.controls == {"norm": "NET@norm", RANDOM: "NET@random"}


def test_the_command_is_the_last_ingests_with_the_controls_options(tmp_path):
    lake = lake_of(tmp_path / "a.lake", "NET")
    record_run(lake, "python -m ingest --images old", 1)
    record_run(
        lake, "python -m ingest --images 'my faces' --models A,B --target=dot --lake x -q", 2
    )
    (subject,) = find_subjects(lake)
    assert command_to_add(lake, subject, "norm") == (
        f"python -m ingest --images 'my faces' --models NET --lake {lake.path} --target norm"
    )
    assert command_to_add(lake, subject, RANDOM).endswith(
        "--weights random --target cosine --positives all"
    )


def test_a_model_of_a_users_catalog_or_file_gets_its_controls_from_these(tmp_path):
    lake = lake_of(tmp_path / "a.lake", "NET")
    command = "python -m ingest --catalog mine.yaml --models NET --weights f.pth"
    record_run(lake, command, 1, ["NET"])
    record_run(lake, "python -m ingest --models OTHER", 2, ["OTHER"])
    with tables.writing(lake.tables_path) as connection:
        connection.execute("UPDATE models SET weights_sha256 = '5e', weights_path = '/w/f.pth'")
    (subject,) = find_subjects(lake)
    assert command_to_add(lake, subject, "norm") == (
        f"python -m ingest --catalog mine.yaml --models NET --lake {lake.path} --target norm "
        "--weights /w/f.pth"
    )
