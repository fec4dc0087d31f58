import numpy as np
import pytest

from analyses.person import verdict
from analyses.person.findings import findings
from analyses.person.question import answer
from analyses.person.verdict import ALIKE, PERSON
from analyses.question import LackingError, Settings
from tests.analyses.conftest import silent
from tests.analyses.planted import (
    CONTROLS,
    RedPatches,
    grey_chips,
    maps_at,
    plant_lake,
    redden,
)
from tests.analyses.planted_faces import IMAGES, Colours

PEOPLE = 16
SETTINGS = Settings(draws=200)


@pytest.fixture
def make_lake(tmp_path):
    """Make a lake of chips and maps of NET; its controls' maps are of patches drawn at random."""

    def make(network, chips, maps, controls=tuple(CONTROLS)):
        generator = np.random.default_rng(7)
        others = {name: maps_at(generator.integers(0, 16, len(maps))) for name in controls}
        return plant_lake(tmp_path / "planted.lake", network, chips, {"NET": maps, **others})

    return make


def persons_own(people=PEOPLE):
    """Chips on which a patch of each person's own is red, and maps of that patch."""
    places = np.arange(people).repeat(IMAGES)
    chips = grey_chips(len(places), np.random.default_rng(0))
    return redden(chips, places), maps_at(places)


def coloured(places):
    """Chips on which a patch of each person's own colour stands at `places`, and their maps."""
    colours = np.random.default_rng(0).integers(0, 256, (PEOPLE, 3)).repeat(IMAGES, axis=0)
    chips = np.full((len(places), 16, 16, 3), 25, np.uint8)
    for chip, colour, one in zip(chips, colours, maps_at(places), strict=True):
        chip[one > 0] = colour
    return chips, maps_at(places)


def verdict_of(tables):
    rows = tables["person"].join(tables["person_claims"], on=("model", "position", "layer"))
    return rows.row(0, named=True)


def test_maps_of_a_persons_own_patch_are_the_persons(make_lake):
    tables = answer(make_lake(RedPatches, *persons_own()), SETTINGS, silent)
    found = verdict_of(tables)
    assert found["verdict"] == verdict.PERSONS
    assert found["auc_low"] > 0.9
    assert found["best_control_auc"] < 0.7
    assert found["missing_controls"] == ""
    evidence = tables["person_evidence"]
    assert (evidence.filter(claim=PERSON, fill="black")["low"] > 0).all()
    assert set(evidence.filter(claim=ALIKE)["control"]) == {
        "norm", "impostor", "random weights", "edges", "pixels",
    }  # fmt: skip


def test_without_controls_nothing_is_called_the_persons_and_the_command_is_named(make_lake):
    lake = make_lake(RedPatches, *persons_own(), controls=("NET@norm",))
    tables = answer(lake, SETTINGS, silent)
    found = verdict_of(tables)
    assert found["verdict"] == verdict.CONTROLS_MISSING
    assert found["missing_controls"] == "impostor, random weights"
    said = "\n".join(findings(tables))
    assert f"--models NET --lake {lake.path} --target impostor" in said
    assert "--target norm" not in said


def test_a_patch_common_to_everybody_is_any_faces(make_lake):
    places = np.full(PEOPLE * IMAGES, 5)
    found = verdict_of(answer(make_lake(Colours, *coloured(places)), SETTINGS, silent))
    assert found["verdict"] == verdict.ANY_FACES
    assert found["auc"] == 0.5


def test_maps_that_fit_the_image_alone_are_the_images(make_lake):
    places = np.random.default_rng(1).integers(0, 16, PEOPLE * IMAGES)
    tables = answer(make_lake(Colours, *coloured(places)), SETTINGS, silent)
    assert verdict_of(tables)["verdict"] == verdict.IMAGES
    person_rows = tables["person_evidence"].filter(claim=PERSON)
    assert (person_rows["p_holm"] > 0.05).all()


def test_maps_at_random_show_nothing(make_lake):
    chips, _ = persons_own()
    maps = maps_at(np.random.default_rng(3).integers(0, 16, len(chips)))
    found = verdict_of(answer(make_lake(RedPatches, chips, maps), SETTINGS, silent))
    assert found["verdict"] == verdict.NOT_SHOWN


def test_few_people_leave_it_undecided_however_clear_they_are(make_lake):
    tables = answer(make_lake(RedPatches, *persons_own(people=4)), SETTINGS, silent)
    assert verdict_of(tables)["verdict"] == verdict.TOO_FEW
    few, said = findings(tables)[:2]
    assert "supports no statement about people" in few
    assert "in 0 of 1 model layers" in said


def test_a_lake_of_controls_alone_has_nothing_to_ask_about(make_lake, tmp_path):
    chips, maps = persons_own()
    lake = plant_lake(tmp_path / "controls.lake", RedPatches, chips, {"NET@norm": maps})
    with pytest.raises(LackingError, match="trained weights"):
        answer(lake, SETTINGS, silent)


def test_one_identity_lacks_strangers(make_lake):
    with pytest.raises(LackingError, match="strangers"):
        answer(make_lake(RedPatches, *persons_own(people=1), controls=()), SETTINGS, silent)
