import numpy as np
import polars as pl
import pytest

from analyses.question import LackingError, Settings
from analyses.recognition.findings import LEAST_GAIN, better, findings
from analyses.recognition.probe import SEPARATION
from analyses.recognition.question import answer
from tests.analyses.conftest import silent
from tests.analyses.planted import plant_lake
from tests.analyses.planted_faces import Colours, Faces, make_faces_lake, planted
from tests.dashboards.planted import MODEL, recognition_tables

SETTINGS = Settings(draws=100)


def test_a_lake_is_answered_with_its_controls_and_each_network_is_probed_once(tmp_path):
    generator = np.random.default_rng(0)
    own = generator.integers(60, 200, (6, 1, 1, 3)).repeat(3, axis=0)
    chips = (own + generator.normal(0, 15, (18, 16, 16, 3))).clip(0, 255).astype(np.uint8)
    models = dict.fromkeys(("NET", "NET@norm", "NET@random"), np.zeros((18, 16, 16)))
    tables = answer(plant_lake(tmp_path / "a.lake", Colours, chips, models), SETTINGS, silent)
    controls = dict(tables["recognition"].select("model", "control").iter_rows())
    assert controls == {"NET": None, "NET@norm": None, "NET@random": "random weights"}
    assert tables["recognition_probe"]["model"].unique().to_list() == ["NET"]
    said = findings(tables)
    assert said[0].startswith("This is 6 identities, fewer than 10")
    assert any(one.startswith("NET@random, 6 people, 18 images") for one in said)
    assert not any("input" in one for one in said), "of few people nothing is said of the input"


def test_one_person_is_told_from_nobody(tmp_path):
    lake = make_faces_lake(tmp_path, Faces(*planted(lambda person, _: person, people=1)))
    with pytest.raises(LackingError, match="nobody can be told"):
        answer(lake, SETTINGS, silent)


def test_a_model_that_cannot_be_run_is_measured_and_not_probed(tmp_path):
    lake = make_faces_lake(
        tmp_path, Faces(*planted(lambda person, _: person), crops=False, models=("NET",))
    )
    tables = answer(lake, SETTINGS, silent)
    assert tables["recognition"]["model"].unique().to_list() == ["NET"]
    assert tables["recognition_probe"].is_empty()
    assert tables["recognition_left_out"]["model"].to_list() == ["NET"]
    assert findings(tables)


def test_a_model_near_chance_explains_nothing():
    tables = recognition_tables()
    rows = tables["recognition"].with_columns(control=pl.lit(None, pl.String))
    said = findings(tables | {"recognition": rows})
    nonsense = [one for one in said if "hardly recognises anybody" in one]
    assert [one.split(",")[0] for one in nonsense] == [f"{MODEL}@random"]


def test_rates_that_few_people_do_not_allow_are_named():
    assert any("0.01, 0.001, 0.0001 false matches" in one for one in findings(recognition_tables()))


def test_a_wrong_entry_is_a_sentence_with_the_field_to_correct():
    (said,) = (one for one in findings(recognition_tables()) if "another input" in one)
    assert "Correct colour_order first" in said
    assert said.count("(p ") == 3


def test_an_input_that_is_hardly_better_is_not_called_better():
    rows = recognition_tables()["recognition_probe"].filter(measure=SEPARATION)
    (own,) = rows.filter(changed="nothing")["estimate"]
    gains = [0.5 * LEAST_GAIN * own, 1.5 * LEAST_GAIN * own]
    two = rows.filter(changed="mean, std").head(2).with_columns(
        difference=pl.Series(gains), estimate=own + pl.Series(gains),
        difference_low=pl.lit(1e-6), p_holm=pl.lit(1e-6),
    )  # fmt: skip
    assert better(two)["variant"].to_list() == two["variant"].to_list()[1:]
