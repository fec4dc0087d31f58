from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from ingest.run.outcome import Outcome
from ingest.run.recognition import measure_recognition
from ingest.run.summary import show, summarise
from leamstore import tables
from tests.analyses.planted_faces import IMAGES, PEOPLE, Faces, make_faces_lake, planted


@pytest.fixture
def lake(tmp_path):
    """People who differ for NET, whose embeddings by IR_CASIA are of other people's images."""
    lake = make_faces_lake(tmp_path, Faces(*planted(lambda person, _: person), crops=False))
    shuffled = np.random.default_rng(0).permutation(PEOPLE * IMAGES).tolist()
    with tables.writing(lake.tables_path) as connection:
        connection.execute(
            "UPDATE embeddings SET vector = (SELECT vector FROM embeddings AS other "
            "WHERE model = 'NET' AND other.image_id = (?::INTEGER[])[embeddings.image_id + 1]) "
            "WHERE model = 'IR_CASIA'",
            [shuffled],
        )
    return lake


def said_of(lake):
    console = Console(record=True, width=300, file=StringIO())
    show(summarise(lake, Outcome(), {}), console)
    return console.export_text()


def test_the_auc_tells_a_recogniser_from_nonsense(lake):
    areas = measure_recognition(lake)
    assert areas["NET"] == pytest.approx(1.0)
    assert areas["IR_CASIA"] < 0.75


def test_the_summary_warns_of_nonsense_and_of_nothing_else(lake):
    said = said_of(lake)
    assert "IR_CASIA hardly recognises the people of this lake" in said
    assert "NET hardly" not in said


def test_a_control_of_random_weights_is_not_warned_of(lake):
    with tables.writing(lake.tables_path) as connection:
        connection.execute(
            "UPDATE models SET weights = 'random, seed 0', weights_sha256 = NULL "
            "WHERE model = 'IR_CASIA'"
        )
    assert "hardly recognises" not in said_of(lake)


def test_one_person_is_no_measure(lake):
    with tables.writing(lake.tables_path) as connection:
        connection.execute(f"DELETE FROM embeddings WHERE image_id >= {IMAGES}")
    assert measure_recognition(lake) == {}
