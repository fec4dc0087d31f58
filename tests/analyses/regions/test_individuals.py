import numpy as np
import polars as pl
import pytest

from analyses.question import Settings
from analyses.regions import individuals
from tests.analyses.conftest import shares, silent

SETTINGS = Settings(draws=200)
NOSE = {"Ada": [10.0, 20.0, 30.0], "Bea": [40.0, 40.0, 40.0]}


def planted(identity, number, layer, activation):
    return shares(nose=NOSE[identity][number])


def frame(values, people, name="nose"):
    return pl.DataFrame({
        "model": "NET",
        "identity": [str(person) for person in people],
        "image_id": range(len(people)),
        name: values,
    })  # fmt: skip


def correlations(values, areas, people):
    rows = individuals.variance_between_people(
        frame(values, people), frame(areas, people), SETTINGS
    )
    return {row["of"]: row for row in rows.iter_rows(named=True)}


def test_a_persons_images_are_described_as_in_tables_7_and_8(make_lake):
    lake = make_lake({"Ada": {}, "Bea": {}}, planted)
    rows = individuals.answer(lake, SETTINGS, silent)["individuals"].filter(region="nose")
    numbers = {row[0]: row[1:] for row in rows.select(
        "identity", "images", "share", "std", "min", "max", "cv").iter_rows()}  # fmt: skip
    assert numbers["Ada"] == pytest.approx((3, 20.0, 10.0, 10.0, 30.0, 50.0))
    assert numbers["Bea"] == pytest.approx((3, 40.0, 0.0, 40.0, 40.0, 0.0))


def test_one_person_is_drawn_by_the_seed_as_an_example(make_lake):
    lake = make_lake({name: {} for name in NOSE}, planted, models=("NET", "OTHER"))
    drawn = {
        seed: individuals.answer(lake, Settings(seed, 100), silent)["individuals_person"]
        for seed in range(8)
    }
    assert all(table["identity"].n_unique() == 1 for table in drawn.values())
    assert {table["identity"][0] for table in drawn.values()} == set(NOSE)
    assert drawn[0]["model"].unique().sort().to_list() == ["NET", "OTHER"]


def test_a_region_without_pixels_varies_by_no_percent(make_lake):
    lake = make_lake({"Ada": {}, "Bea": {}}, planted)
    rows = individuals.answer(lake, SETTINGS, silent)["individuals"].filter(region="hat")
    assert rows["cv"].to_list() == [None, None]


def test_one_person_is_described_and_nothing_lies_between_people(make_lake):
    result = individuals.answer(make_lake({"Ada": {}}, planted), SETTINGS, silent)
    assert result["individuals"].filter(region="nose")["share"].item() == pytest.approx(20.0)
    assert result["individuals_variance"]["between_people"].null_count() == 3 * 19


def test_a_planted_pattern_of_people_is_found_beyond_their_areas(generator):
    people = np.arange(200).repeat(6)
    areas = generator.normal(size=200)[people] + generator.normal(size=1200)
    values = generator.normal(size=200)[people] + generator.normal(size=1200)
    found = correlations(values, areas, people)
    for of in ("share", "share beyond area"):
        assert found[of]["low"] < 0.5 < found[of]["high"]
        assert found[of]["low"] > 0.3


def test_shares_that_only_follow_areas_leave_nothing_beyond_them(generator):
    people = np.arange(200).repeat(6)
    areas = generator.normal(size=200)[people] + generator.normal(size=1200)
    found = correlations(3.0 * areas + generator.normal(size=1200), areas, people)
    assert found["share"]["low"] > 0.3
    assert found["share beyond area"]["low"] < 0.0 < found["share beyond area"]["high"]


def test_images_that_differ_at_random_have_nothing_between_people(generator):
    people = np.arange(200).repeat(6)
    found = correlations(generator.normal(size=1200), generator.normal(size=1200), people)
    assert found["share"]["low"] < 0.0 < found["share"]["high"]
