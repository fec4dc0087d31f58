import numpy as np
import polars as pl
import pytest

from analyses.occlusion.averages import contrast
from analyses.person.evidence import MEASURE, OwnMaps, occluded_positions, weigh_drops
from analyses.person.verdict import ANY_FACE, IMAGE, PERSON, SENSITIVE
from analyses.question import Settings
from analyses.rerun.drops import measure_drops
from tests.analyses.conftest import silent
from tests.analyses.planted import RedPatches, grey_chips, maps_at, plant_lake, redden
from tests.analyses.planted_faces import IMAGES

SETTINGS = Settings(draws=200)


def test_drops_are_weighed_as_the_question_of_occlusion_contrasts_them(tmp_path):
    places = np.arange(6).repeat(IMAGES)
    chips = redden(grey_chips(len(places), np.random.default_rng(0)), places)
    lake = plant_lake(tmp_path / "a.lake", RedPatches, chips, {"NET": maps_at(places)})
    drops = measure_drops(lake, OwnMaps(subjects=("NET",)), 0, silent)
    ours = weigh_drops(drops, SETTINGS)
    theirs = contrast(drops, SETTINGS).filter(measure=MEASURE)
    for claim, first, second in (
        (SENSITIVE, "own", "random"),
        (IMAGE, "own", "swap"),
        (PERSON, "same person", "matched stranger"),
    ):
        columns = ("estimate", "low", "high")
        own = ours.filter(claim=claim).sort("fill").select(columns)
        other = theirs.filter(contrast=f"{first} - {second}").sort("fill").select(columns)
        assert own["estimate"].is_not_nan().all()
        np.testing.assert_allclose(own.to_numpy(), other.to_numpy(), atol=1e-9)


def test_as_well_is_worked_out_by_hand():
    # A stranger's map finds 0.9 beyond chance of the 1.0 that the own one does: 0.1 above 80 %.
    drops = pl.DataFrame([
        {"fill": "black", "mask": mask, "image_id": image, "identity": str(image // 2),
         MEASURE: drop}
        for image in range(4)
        for mask, drop in (("own", 1.5), ("random", 0.5), ("swap", 1.4), ("same person", 1.0),
                           ("matched stranger", 1.25))
    ])  # fmt: skip
    found = weigh_drops(drops, SETTINGS)
    by_claim = dict(found.select("claim", "estimate").iter_rows())
    assert by_claim[ANY_FACE] == pytest.approx(0.1)
    assert by_claim[PERSON] == pytest.approx(-0.25)
    assert found["identities"].to_list() == [2] * 4


@pytest.mark.parametrize(
    ("positions", "expected"),
    [(range(9), [0, 4, 8]), ([3], [3]), ([0, 1], [0, 1]), ([8, 2, 5, 7], [2, 5, 8])],
)
def test_the_first_middle_and_last_layer_are_occluded(positions, expected):
    assert occluded_positions(list(positions)) == expected
