import numpy as np
import polars as pl
import pytest

from analyses.estimates import grouped_ratio, sums_by_person, with_holm
from analyses.question import Settings
from analyses.statistics import bootstrap_mean

FRAME = pl.DataFrame(
    [
        ("far", "Ada", 3.0, 4.0, 2), ("far", "Bea", 6.0, 1.0, 1),
        ("near", "Ada", 5.0, 7.0, 1), (None, "Bea", 9.0, 8.0, 3), ("far", "Bea", 2.0, 5.0, 2),
    ],
    schema=["place", "identity", "nose", "eyes", "maps"], orient="row",
)  # fmt: skip


def test_a_ratio_is_of_sums_by_group_and_value_in_the_order_of_the_groups():
    table = grouped_ratio(FRAME, ["place"], ["nose", "eyes"], ["maps"], Settings(), named="region")
    assert table.columns == ["place", "region", "estimate", "low", "high", "identities", "maps"]
    assert table["place"].to_list() == ["far", "far", "near", "near", None, None]
    assert table["region"].to_list() == ["nose", "eyes"] * 3
    assert table["estimate"].to_list() == pytest.approx([11 / 5, 10 / 5, 5, 7, 3, 8 / 3])
    assert table["identities"].to_list() == [2, 2, 1, 1, 1, 1]
    assert table["maps"].to_list() == [5, 5, 1, 1, 3, 3]


def test_the_interval_is_that_of_the_observations_and_one_person_has_none():
    table = grouped_ratio(FRAME, ["place"], ["nose"], ["maps"], Settings(seed=3))
    observations = [1.5, 1.5, 8 / 3, 8 / 3, 8 / 3]
    expected = bootstrap_mean(observations, ["Ada", "Ada", "Bea", "Bea", "Bea"], seed=3)
    assert table["low"][0] == pytest.approx(float(expected.low))
    assert table["high"][0] == pytest.approx(float(expected.high))
    assert table["low"].to_list()[1:] == [None, None]


def test_each_value_may_have_its_own_weight_and_observations_are_counted_apart():
    table = grouped_ratio(
        FRAME, ["place"], ["nose", "eyes"], ["eyes", "nose"], Settings(), observations="maps"
    )
    assert table["estimate"].to_list()[:2] == pytest.approx([11 / 10, 10 / 11])
    assert table["maps"].to_list()[:2] == [5, 5]


def test_sums_stand_by_person_and_group_and_are_0_where_somebody_has_no_row():
    groups, sums = sums_by_person(FRAME, ["place"], ["nose", "maps"])
    assert groups["place"].to_list() == ["far", "near", None]
    np.testing.assert_array_equal(
        sums, [[[3, 2], [5, 1], [0, 0]], [[8, 3], [0, 0], [9, 3]]]
    )  # Ada, Bea


def test_p_is_adjusted_over_its_family_alone():
    tests = pl.DataFrame({"p": [0.01, 0.02, None, 0.04], "n": [1, 2, 3, 4]})
    assert with_holm(tests).columns == ["p", "p_holm", "n"]
    assert with_holm(tests)["p_holm"].to_list() == pytest.approx([0.03, 0.04, None, 0.04])
    family = with_holm(tests, pl.col("n") > 1)["p_holm"].to_list()
    assert family == pytest.approx([None, 0.04, None, 0.04])
