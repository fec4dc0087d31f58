import numpy as np
import pytest

from analyses.person.controls import RANDOM
from analyses.question import LackingError, Settings
from analyses.sanity.checks import CENTRE, EDGES, MEAN_MAP, RANKS, RING
from analyses.sanity.findings import findings
from analyses.sanity.question import answer, draw_strangers
from analyses.similarity.baselines import edges
from tests.analyses.conftest import silent
from tests.analyses.planted import grey_chips, plant_lake
from tests.analyses.planted_faces import IMAGES, Colours

PEOPLE = 10
SETTINGS = Settings(draws=200)


def test_strangers_are_of_other_people():
    people = np.arange(PEOPLE).repeat(IMAGES)
    assert (people[draw_strangers(people, 0)] != people).all()


def test_a_lakes_maps_are_held_against_the_edges_of_their_own_chips(tmp_path):
    chips = grey_chips(PEOPLE * IMAGES, np.random.default_rng(0))
    maps = edges(chips)
    lake = plant_lake(tmp_path / "a.lake", Colours, chips, {"NET": maps, "NET@random": maps})
    tables = answer(lake, SETTINGS, silent)
    rows = tables["sanity"].filter(measure=RANKS)
    assert rows.filter(check=EDGES)["estimate"].item() > 0.99
    assert rows.filter(check=RANDOM)["outcome"].item() == "failed"
    said = "\n".join(findings(tables))
    assert "The image's own edges: rank correlation with the map 1.00" in said
    assert "run `python -m ingest" not in said


def test_without_random_weights_the_command_that_adds_them_is_named(tmp_path):
    chips = grey_chips(6, np.random.default_rng(0))
    lake = plant_lake(tmp_path / "a.lake", Colours, chips, {"NET": edges(chips)})
    tables = answer(lake, SETTINGS, silent)
    assert "random weights" not in tables["sanity"]["check"]
    assert "--weights random" in findings(tables)[-1]
    assert set(tables["sanity"]["check"]) == {CENTRE, MEAN_MAP, EDGES, RING}


def test_one_person_is_too_few(tmp_path):
    chips = grey_chips(3, np.random.default_rng(0))
    lake = plant_lake(tmp_path / "a.lake", Colours, chips, {"NET": edges(chips)})
    with pytest.raises(LackingError, match="two identities"):
        answer(lake, SETTINGS, silent)
