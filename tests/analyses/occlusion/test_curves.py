import numpy as np
import polars as pl
import pytest

from analyses.occlusion.curves import SHARED, Curves, draw_points, measure_areas, measure_curves
from analyses.question import Settings
from analyses.rerun.experiment import Experiment
from tests.analyses.conftest import silent
from tests.analyses.planted_faces import (
    IMAGES,
    PEOPLE,
    Faces,
    cosine,
    make_faces_lake,
    planted,
    vectors_of,
)

SETTINGS = Settings(draws=200)
CURVES = Curves(
    percents=(0, 6.25, 50, 100), masks=("own", "random"), contrasts=(("own", "random"),)
)


def draw(tmp_path, relevant_patch=lambda person, _: person):
    chips, maps = planted(relevant_patch)
    faces = Faces(chips, maps, models=("NET",))
    lake = make_faces_lake(tmp_path, faces)
    return chips, measure_curves(lake, CURVES, Experiment(), 0, silent)


def test_hiding_the_persons_patch_first_loses_the_face_sooner_than_hiding_at_random(tmp_path):
    _, reached = draw(tmp_path)
    points = draw_points(reached, SETTINGS).filter(measure="cosine", curve="deletion")
    shares = {
        mask: dict(points.filter(mask=mask).select("percent", "share").iter_rows())
        for mask in ("own", "random")
    }
    assert shares["own"][0] == shares["random"][0] == pytest.approx(1)
    assert shares["own"][6.25] < 0.7 < shares["random"][6.25]
    assert shares["own"][100] == shares["random"][100]
    areas = measure_areas(reached, CURVES, SETTINGS).filter(curve="deletion", measure="cosine")
    assert areas.filter(mask="own - random")["high"].item() < 0


def test_revealing_it_first_brings_the_face_back_sooner(tmp_path):
    _, reached = draw(tmp_path)
    points = draw_points(reached, SETTINGS).filter(measure="centred cosine", curve="insertion")
    whole = points.filter(percent=100)
    np.testing.assert_allclose(whole["share"], 1)
    areas = measure_areas(reached, CURVES, SETTINGS)
    gain = areas.filter(curve="insertion", measure="centred cosine", mask="own - random")
    assert gain["low"].item() > 0


def test_a_point_of_a_curve_is_that_worked_out_by_hand(tmp_path):
    chips, reached = draw(tmp_path)
    vectors = vectors_of(chips)
    before = after = 0.0
    for image in range(IMAGES):
        hidden = vectors[image].copy()
        hidden[0] = 0
        for other in set(range(IMAGES)) - {image}:
            before += cosine(vectors[image], vectors[other]) / (IMAGES - 1)
            after += cosine(hidden, vectors[other]) / (IMAGES - 1)
    row = reached.filter(identity="person 0", curve="deletion", mask="own", percent=6.25)
    assert row["images"].item() == IMAGES
    assert row["whole cosine"].item() == pytest.approx(before, abs=1e-5)
    assert row["cosine"].item() == pytest.approx(after, abs=1e-5)


def reached_by(shares):
    """Two people whose likeness follows the shares of 1 and of 3, by mask and percent."""
    return pl.DataFrame([
        {"guiding": "A", "judged": "A", "layer": "conv1", "chips": "crops", "curve": "deletion",
         "fill": "black", "mask": mask, "percent": percent, "identity": identity, "images": 2,
         **dict.fromkeys(SHARED, share * whole),
         **dict.fromkeys((f"whole {measure}" for measure in SHARED), whole)}
        for mask, line in shares.items()
        for percent, share in line.items()
        for identity, whole in (("Ada", 1.0), ("Bea", 3.0))
    ])  # fmt: skip


def test_areas_are_those_of_trapezoids_of_unequal_steps():
    shares = {"own": {0.0: 1.0, 20.0: 0.5, 100.0: 0.0}, "random": {0.0: 1.0, 20.0: 1.0, 100.0: 0.0}}
    areas = measure_areas(reached_by(shares), CURVES, SETTINGS).filter(measure="cosine")
    found = dict(areas.select("mask", "area").iter_rows())
    assert found["own"] == pytest.approx(0.2 * 0.75 + 0.8 * 0.25)
    assert found["random"] == pytest.approx(0.2 * 1 + 0.8 * 0.5)
    assert found["own - random"] == pytest.approx(found["own"] - found["random"])
    assert areas["images"].to_list() == [4, 4, 4]


def test_a_share_is_of_everybodys_likeness_together_and_no_mean_of_ratios():
    reached = reached_by({"own": {0.0: 1.0, 100.0: 0.0}})
    half = reached.with_columns(
        cosine=pl.when(pl.col("identity") == "Bea").then(0).otherwise(pl.col("cosine"))
    )
    points = draw_points(half, SETTINGS).filter(measure="cosine", percent=0)
    assert points["share"].item() == pytest.approx(1 / 4)


def test_every_person_is_there_once_a_step(tmp_path):
    _, reached = draw(tmp_path)
    assert reached.height == 2 * len(CURVES.masks) * len(CURVES.percents) * PEOPLE
    assert reached.select("curve", "mask", "percent", "identity").is_unique().all()
