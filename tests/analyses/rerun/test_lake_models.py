import pytest

from analyses.demographics import question as demographics
from analyses.occlusion import question as occlusion
from analyses.occlusion.curves import Curves
from analyses.question import LackingError, Question, Settings
from analyses.rerun.experiment import Experiment
from analyses.rerun.lake_models import runnable_models
from analyses.results import answer_question
from leamstore import tables
from leamstore.catalog import Catalog, Model
from tests.analyses.conftest import silent
from tests.analyses.planted_faces import (
    IMAGES,
    PEOPLE,
    Faces,
    Patches,
    entry_of,
    make_faces_lake,
    planted,
)

ONE = Experiment(percents=(5,), percent=5, masks=("own", "random"), fills=("black",))


class Gone(Patches):
    """The network of a model that can't be built any more."""

    def __init__(self):
        raise RuntimeError("its package is gone")


@pytest.fixture
def lake(tmp_path):
    """A lake of two models, of which GONE can't be run again, and of two groups of people."""
    chips, maps = planted(lambda person, _: person)
    stated = tuple({"gender": "fm"[image // IMAGES % 2]} for image in range(PEOPLE * IMAGES))
    lake = make_faces_lake(tmp_path, Faces(chips, maps, stated=stated, models=("NET", "GONE")))
    with tables.writing(lake.tables_path) as connection:
        connection.execute(
            "UPDATE models SET entry = ? WHERE model = 'GONE'", [entry_of("GONE", Gone)]
        )
    return lake


def ask(lake, catalog=None):
    def answer(lake, settings, work):
        return occlusion.answer(lake, settings, work, experiment=ONE)

    question = Question("occlusion", "Does hiding matter?", (), answer)
    return answer_question(lake, question, Settings(draws=100, catalog=catalog), silent)


@pytest.fixture
def few_steps(monkeypatch):
    steps = Curves(percents=(0, 50, 100), masks=("own", "random"), contrasts=(("own", "random"),))
    monkeypatch.setattr(occlusion, "CURVES", steps)


def test_a_model_that_cannot_be_run_is_a_sentence_and_the_others_are_answered(lake, few_steps):
    tables = ask(lake).tables
    assert tables["occlusion"]["judged"].unique().to_list() == ["NET"]
    ((model, why),) = tables["occlusion_left_out"].rows()
    assert model == "GONE"
    assert why.startswith("GONE can't be run again: tests.analyses.")
    assert "its package is gone" in why


def test_demographics_leaves_it_out_too(lake):
    answered = demographics.compare_pairs(
        lake, demographics.groups_of_people(lake.images), Settings(draws=100), silent
    )
    assert answered["demographics_occlusion"]["judged"].unique().to_list() == ["NET"]
    assert answered["demographics_left_out"]["model"].to_list() == ["GONE"]


def test_what_was_left_out_is_asked_again_and_a_catalog_brings_it_back(lake, few_steps):
    assert ask(lake).state == "answered"
    mended = Model.model_validate_json(entry_of("GONE", Patches))
    again = ask(lake, Catalog(models={"GONE": mended}))
    assert again.state == "answered"
    assert "occlusion_left_out" not in again.tables
    assert set(again.tables["occlusion"]["judged"]) == {"NET", "GONE"}
    assert ask(lake).state == "kept"


def test_if_no_model_can_be_run_each_says_why(lake):
    with pytest.raises(LackingError, match="GONE can't be run again"):
        runnable_models(lake, names=["GONE"])
