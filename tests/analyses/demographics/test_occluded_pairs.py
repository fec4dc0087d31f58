import numpy as np
import polars as pl
import pytest

from analyses.demographics.occluded_pairs import WHOLE, mean_cosines, measure_pairs
from analyses.demographics.scores import STEP
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

EXPERIMENT = Experiment(
    percents=(6.25, 10.0), percent=6.25, masks=("own", "random"), fills=("black",), random_draws=1
)
AGES = [{"age": age} for _ in range(PEOPLE) for age in (20.0, 23.4, None)]


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The chips of a lake, and what was measured on its pairs."""
    chips, maps = planted(lambda person, _: person)
    faces = Faces(chips, maps, stated=tuple(AGES), models=("NET",))
    lake = make_faces_lake(tmp_path_factory.mktemp("pairs"), faces)
    return chips, measure_pairs(lake, EXPERIMENT, 0, silent)


def test_pairs_are_counted_by_rounded_years_and_by_none_where_an_age_is_unknown(measured):
    pairs = measured[1].sums
    own = pairs.filter(identity="person 3", mask="own", percent=6.25)
    counted = dict(own.select("years", "pairs").iter_rows())
    assert counted == {3: 2, None: IMAGES * (IMAGES - 1) - 2}


def test_the_cosine_of_an_occluded_anchor_is_that_worked_out_by_hand(measured):
    chips, pairs = measured[0], measured[1].sums
    first, second = vectors_of(chips)[:2]
    hidden = [vector.copy() for vector in (first, second)]
    for vector in hidden:
        vector[0] = 0
    row = pairs.filter(identity="person 0", mask="own", percent=6.25, years=3)
    assert row["before"].item() == pytest.approx(2 * cosine(first, second), abs=1e-5)
    expected = cosine(hidden[0], second) + cosine(hidden[1], first)
    assert row["after"].item() == pytest.approx(expected, abs=1e-5)


def test_the_faces_as_they_are_lose_nothing(measured):
    pairs = measured[1].sums
    whole = pairs.filter(mask=WHOLE)
    np.testing.assert_array_equal(whole["before"], whole["after"])
    assert whole["percent"].unique().to_list() == [0.0]


def test_means_weigh_pairs_and_redraw_people(measured):
    pairs = measured[1].sums
    pairs = pairs.filter(pl.col("percent") != 10)
    drops = mean_cosines(pairs, ["mask"], Settings(draws=200), "drop")
    own = drops.filter(mask="own").row(0, named=True)
    rows = pairs.filter(mask="own")
    expected = (rows["before"] - rows["after"]).sum() / rows["pairs"].sum()
    assert own["estimate"] == pytest.approx(expected)
    assert own["low"] < own["estimate"] < own["high"]
    assert (own["identities"], own["pairs"]) == (PEOPLE, PEOPLE * IMAGES * (IMAGES - 1))


def test_scores_are_counted_of_pairs_whose_ages_are_stated_by_the_bin_they_lie_in(measured):
    chips, scores = measured[0], measured[1].scores
    first, second = vectors_of(chips)[:2]
    whole = scores.filter(identity="person 0", mask=WHOLE)
    assert whole["years"].to_list() == ["0 to 14"]
    assert whole["pairs"].to_list() == [2]
    assert whole["bin"].item() == int((cosine(first, second) + 1) / STEP)
    assert set(scores["percent"]) == {0.0, 10.0}
    assert (scores.group_by("identity", "mask").agg(pl.sum("pairs"))["pairs"] == 2).all()
